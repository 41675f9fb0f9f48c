"""Yes or no by a connection's lists, entry by entry, with the one that decides (nats-server `client.go`).

An odd thing of nats-server 2.15 and earlier, followed here: `>` of a subscription counts as an ordinary token where
the list has `*`, so that who may subscribe to `a.*` may subscribe to `a.>`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from identities.claims import explain_words as words
from identities.claims.explain_types import Decision, Entry, Place, Rules, Verb, Whose
from identities.claims.subjects import has_wildcards, is_subset, matches, overlaps

_RAFT = "$NRG."
_GATEWAY = ("_GR_.", "$GR.")
_RESERVED_REPLIES = ("_R_.", "$JS.ACK.", *_GATEWAY)
_DIRECT_GET = "_sys_"
CALLOUT = "$SYS.REQ.USER.AUTH"


def may_publish(
    rules: Rules, subject: str, *, system: bool = False, callout: Place | None = None
) -> Decision:
    """Whether a message may be published on the literal `subject`. `system`: the user is of the system account.

    `callout` is where the account names its auth callout users: none of its users may publish what these answer.
    """
    if subject.startswith(_GATEWAY) or (subject.startswith(_RAFT) and not system):
        return Decision(allowed=False, reason=words.reserved(subject), place=_server())
    decision = _by_lists(rules, rules.pub_allow, rules.pub_deny, subject)
    if decision.allowed and callout is not None and subject == CALLOUT:
        decision = Decision(allowed=False, reason=words.callout(), place=callout)
    if decision.allowed or rules.resp is None:
        return decision
    return Decision(
        allowed=False,
        reason=f"{decision.reason} {words.only_answers(rules)}",
        place=decision.place if decision.place and decision.place.entry else _resp_place(rules),
        answers=rules.resp,
    )


def _by_lists(rules: Rules, allow: tuple[Entry, ...] | None, deny: Sequence[Entry], subject: str) -> Decision:
    granting = None
    if allow is not None:
        granting = next((entry for entry in allow if matches(subject, entry.subject)), None)
        if granting is None:
            return _not_listed(rules, Verb.PUBLISH, subject, allow)
    denying = next((entry for entry in deny if matches(subject, entry.subject)), None)
    if denying is not None:
        return Decision(allowed=False, reason=words.denied(rules, Verb.PUBLISH, denying), place=denying.place)
    if granting is None:
        return _everywhere(rules, Verb.PUBLISH)
    return Decision(allowed=True, reason=words.allowed(rules, Verb.PUBLISH, granting), place=granting.place)


def may_subscribe(rules: Rules, subject: str, queue: str = "") -> Decision:
    """Whether a subscription to `subject`, literal or with wildcards, is taken; in the queue group `queue` or in none.

    What a deny holds back from one that is taken, `withheld` says.
    """
    if queue == _DIRECT_GET:
        return Decision(allowed=False, reason=words.reserved_queue(queue), place=_server())
    granting = None
    if rules.sub_allow is not None:
        met = [entry for entry in rules.sub_allow if matches(subject, entry.subject)]
        granting, found = _granted(met, queue)
        if not found:
            if granting is not None:
                reason = words.other_queues(rules, subject, queue, met)
                return Decision(allowed=False, reason=reason, place=granting.place)
            return _not_listed(rules, Verb.SUBSCRIBE, subject, rules.sub_allow)
    denying = _denied([entry for entry in rules.sub_deny if matches(subject, entry.subject)], queue)
    if denying is not None:
        reason = words.denied(rules, Verb.SUBSCRIBE, denying)
        return Decision(allowed=False, reason=reason, place=denying.place)
    if granting is None:
        return _everywhere(rules, Verb.SUBSCRIBE)
    reason = words.allowed(rules, Verb.SUBSCRIBE, granting)
    if not is_subset(subject, granting.subject):
        reason = f"{reason} {words.wider_than_listed(subject, granting.subject)}"
    return Decision(allowed=True, reason=reason, place=granting.place)


def _granted(met: Sequence[Entry], queue: str) -> tuple[Entry | None, bool]:
    """The entry that decides and whether it grants. Beside entries for queue groups, a plain one grants no group."""
    plain = next((entry for entry in met if not entry.queue), None)
    grouped = [entry for entry in met if entry.queue]
    if queue and grouped:
        fitting = next((entry for entry in grouped if _is_group(queue, entry.queue)), None)
        return fitting or grouped[0], fitting is not None
    return plain or (grouped[0] if grouped else None), plain is not None


def _denied(met: Sequence[Entry], queue: str) -> Entry | None:
    plain = next((entry for entry in met if not entry.queue), None)
    if plain is not None or not queue:
        return plain
    return next((entry for entry in met if entry.queue and _is_group(queue, entry.queue)), None)


def _is_group(queue: str, pattern: str) -> bool:
    return queue == pattern or (has_wildcards(pattern) and is_subset(queue, pattern))


def withheld(rules: Rules, subject: str, queue: str = "") -> tuple[Entry, ...]:
    """The denies that keep some messages of a subscription back which is itself taken."""
    return tuple(
        entry
        for entry in rules.sub_deny
        if overlaps(entry.subject, subject) and (not entry.queue or (queue and _is_group(queue, entry.queue)))
    )


def is_reserved_reply(reply: str) -> bool:
    """True for an inbox that no client may name: nats-server uses it itself."""
    return reply.startswith(_RESERVED_REPLIES)


def near_misses(subject: str, entries: Sequence[Entry]) -> Iterator[str]:
    """What somebody may have meant by an entry that does not match."""
    for entry in entries:
        yield from words.near_miss(subject, entry.subject)


def _not_listed(rules: Rules, verb: Verb, subject: str, allow: Sequence[Entry]) -> Decision:
    side = "pub" if verb is Verb.PUBLISH else "sub"
    place = Place(whose=rules.whose, key=rules.key, path=f"{rules.path}.{side}.allow")
    return Decision(allowed=False, reason=words.not_listed(rules, verb, subject, allow), place=place)


def _everywhere(rules: Rules, verb: Verb) -> Decision:
    side = "pub" if verb is Verb.PUBLISH else "sub"
    place = Place(whose=rules.whose, key=rules.key, path=f"{rules.path}.{side}.allow") if rules.key else None
    return Decision(allowed=True, reason=words.everywhere(rules, verb), place=place)


def _resp_place(rules: Rules) -> Place:
    return Place(whose=rules.whose, key=rules.key, path=f"{rules.path}.resp")


def _server() -> Place:
    return Place(whose=Whose.SERVER, key="", path="")
