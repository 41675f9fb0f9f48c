"""The permission tester's sentences. Subjects stand between backticks, names in quotes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from identities.claims.explain_types import Entry, Place, Rules, Verb, Whose

_DOING = {Verb.PUBLISH: "publishing to", Verb.SUBSCRIBE: "subscribing to"}
_NAMED = 5
_UNITS = ((3600 * 10**9, "h"), (60 * 10**9, "min"), (10**9, "s"), (10**6, "ms"))


def who(rules: Rules) -> str:
    """Whose rules these are, as the subject of a sentence."""
    match rules.whose:
        case Whose.USER:
            return "The user's own rules"
        case Whose.ROLE:
            return f"The rules of the role “{rules.name}”"
        case Whose.ACCOUNT:
            return f"The default permissions of the account “{rules.name}”"
    return "No rules"


def allowed(rules: Rules, verb: Verb, entry: Entry) -> str:
    """An entry of a list allows it."""
    group = f" in the queue group `{entry.queue}`" if entry.queue else ""
    return f"{who(rules)} allow {_DOING[verb]} `{entry.subject}`{group}{_made_of(entry.place)}."


def denied(rules: Rules, verb: Verb, entry: Entry) -> str:
    """A deny forbids it."""
    if not entry.place.entry:
        return _nothing_left(rules, verb)
    group = f" in the queue group `{entry.queue}`" if entry.queue else ""
    made = _made_of(entry.place)
    return (
        f"{who(rules)} deny {_DOING[verb]} `{entry.subject}`{group}{made}; a deny wins over what is allowed."
    )


def not_listed(rules: Rules, verb: Verb, subject: str, allow: Sequence[Entry]) -> str:
    """No entry of the list matches."""
    if not allow:
        if any(not entry.place.entry for entry in rules.pub_deny):
            return _nothing_left(rules, verb)
        if verb is Verb.PUBLISH and rules.resp is not None:
            return f"{who(rules)} list no subject to publish to."
        return (
            f"{who(rules)} have a list for {_DOING[verb]}, but no subject in it that nats-server could use."
        )
    listed = ", ".join(f"`{_shown(entry)}`" for entry in allow[:_NAMED])
    more = f" and {len(allow) - _NAMED} more" if len(allow) > _NAMED else ""
    return f"{who(rules)} allow {_DOING[verb]} {listed}{more} only; `{subject}` is none of these."


def _nothing_left(rules: Rules, verb: Verb) -> str:
    return (
        f"{who(rules)} allow only subjects that come out as none for this user (a tag is missing, or a name is no part "
        f"of a subject), so nats-server denies {_DOING[verb]} everything."
    )


def everywhere(rules: Rules, verb: Verb) -> str:
    """There is no list, so nothing is refused."""
    doing = _DOING[verb].removesuffix(" to")
    if rules.whose is Whose.SERVER:
        return f"Neither the user nor its account has any rule, so {doing} is free everywhere."
    return f"{who(rules)} list no subject for {doing}, so it is free everywhere that is not denied."


def other_queues(rules: Rules, subject: str, queue: str, met: Sequence[Entry]) -> str:
    """The subject is allowed in other queue groups only."""
    groups = ", ".join(f"`{entry.queue}`" for entry in met if entry.queue)
    asked = f"not in `{queue}`" if queue else "not without one"
    return f"{who(rules)} allow subscribing to `{subject}` in the queue group {groups} only, {asked}."


def wider_than_listed(subject: str, listed: str) -> str:
    """A `>` that slips through a `*`."""
    return (
        f"`{subject}` reaches further than `{listed}`, but nats-server takes its `>` for an ordinary token that `*` "
        "matches, and lets everything below through."
    )


def only_answers(rules: Rules) -> str:
    """The response permission lets answers out."""
    resp = rules.resp
    if resp is None:
        return ""
    count = (
        "any number of messages"
        if resp.max < 0
        else "one message"
        if resp.max == 1
        else f"{resp.max} messages"
    )
    time = "without a limit of time" if resp.ttl < 0 else f"within {duration(resp.ttl)}"
    return (
        f"It may be published as an answer only: to the reply address of a request received, {count}, {time}."
    )


def duration(nanoseconds: int) -> str:
    """`2 min`, `1.5 s`."""
    for size, unit in _UNITS:
        if nanoseconds >= size:
            return f"{nanoseconds / size:g} {unit}"
    return f"{nanoseconds} ns"


def reserved(subject: str) -> str:
    """Subjects of the server's own."""
    return f"nats-server keeps `{subject.split('.')[0]}.>` for itself: no client may publish there."


def reserved_queue(queue: str) -> str:
    """The server's own queue group."""
    return f"nats-server keeps the queue group `{queue}` for itself."


def callout() -> str:
    """The subject of auth callout."""
    return "The account has auth callout users: nats-server alone publishes requests to them."


def near_miss(subject: str, pattern: str) -> Iterator[str]:
    """What may have been meant by a pattern that does not match."""
    theirs, ours = pattern.split("."), subject.split(".")
    if theirs[-1] == ">" and theirs[:-1] == ours:
        yield f"`{pattern}` stands for everything below `{subject}`, not for `{subject}` itself."
    elif theirs[-1] == "*" and len(ours) > len(theirs) and ours[: len(theirs) - 1] == theirs[:-1]:
        yield f"`{pattern}` stands for one token more than `{'.'.join(theirs[:-1]) or '(nothing)'}`; `>` takes more."
    elif subject != pattern and subject.lower() == pattern.lower():
        yield f"`{pattern}` differs from `{subject}` in capital letters, which count."


def _made_of(place: Place) -> str:
    if place.entry == place.became or not place.entry:
        return ""
    return f" (made of `{place.entry}`)"


def _shown(entry: Entry) -> str:
    return f"{entry.subject} {entry.queue}" if entry.queue else entry.subject


def percent(share: int) -> str:
    """How often, in words."""
    return "always" if share >= 100 else f"{share} in 100 messages"
