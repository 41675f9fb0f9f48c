"""Two users or roles beside each other: who may what that the other may not, by subjects and not by their texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from identities.claims.describe_text import date_text, duration_text, exact_bytes
from identities.claims.effective import Effective, subscription_reach
from identities.claims.explain_types import Verb
from identities.claims.permissions import ResponsePermission, UserPermissionLimits
from identities.claims.subject_sets import Shares, Subjects, shares
from identities.claims.subjects import has_wildcards, is_strict_valid, is_subset, overlaps

MOST_LINES = 200
MOST_RULES = 500
"""Of both together in one direction; longer lists are compared by their texts."""
_MOST_NAMED = 5


class Relation(StrEnum):
    """How what the first may stands to what the second may. UNKNOWN: too many rules to tell."""

    SAME = "same"
    MORE = "more"
    LESS = "less"
    EACH = "each"
    APART = "apart"
    NOTHING = "nothing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One of the two: its name, the rules and limits that count for it, and when its JWT is valid (unix seconds)."""

    name: str
    effective: Effective
    limits: UserPermissionLimits
    expires: int = 0
    not_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One subject that only one of them may use, wholly or in part; `by_first`: which."""

    text: str
    subject: str
    queue: str
    by_first: bool
    partly: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """Publishing or subscribing: the relation in a sentence, and the differences. `more` were left out."""

    verb: Verb
    relation: Relation
    said: str
    differences: tuple[Difference, ...]
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One limit or condition beside the other's."""

    label: str
    first: str
    second: str

    @property
    def same(self) -> bool:
        """True when there is no difference."""
        return self.first == self.second


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that there is to say."""

    publish: Direction
    subscribe: Direction
    settings: tuple[Setting, ...]


def compare(first: Party, second: Party) -> Comparison:
    """What each of the two may that the other may not, and what else is different."""
    return Comparison(
        publish=_publish(first, second),
        subscribe=_subscribe(first, second),
        settings=tuple(
            Setting(label=label, first=ours, second=theirs)
            for (label, ours), (_, theirs) in zip(_settings(first), _settings(second), strict=True)
        ),
    )


def lost(before: Party, after: Party) -> tuple[str, ...]:
    """What somebody may no longer do, in words; `after` is the same one later."""
    found = compare(before, after)
    sides = (("publish", found.publish), ("subscribe", found.subscribe))
    lines = [
        f"“{before.name}” may no longer {verb} to {'all of ' if one.partly else ''}`{one.subject}`"
        + (f" in the queue group `{one.queue}`." if one.queue else ".")
        for verb, side in sides
        for one in side.differences
        if one.by_first
    ]
    if before.effective.resp is not None and after.effective.resp is None:
        lines.append(f"“{before.name}” may no longer answer whoever asks.")
    return tuple(lines[:MOST_LINES])


def _publish(first: Party, second: Party) -> Direction:
    ours, theirs = (
        Subjects(allow=_valid(one.effective.pub_allow), deny=_valid(one.effective.pub_deny))
        for one in (first, second)
    )
    return _direction(Verb.PUBLISH, (first, ours), (second, theirs), queues=())


def _subscribe(first: Party, second: Party) -> Direction:
    ours, theirs = (_subscribed(one.effective, "") for one in (first, second))
    named = {
        entry.partition(" ")[2]
        for one in (first, second)
        for entry in (*one.effective.sub_allow, *one.effective.sub_deny)
        if " " in entry
    }
    return _direction(Verb.SUBSCRIBE, (first, ours), (second, theirs), queues=sorted(named))


def _subscribed(effective: Effective, queue: str) -> Subjects:
    """What may be subscribed to in the queue group, or in none: nats-server's rules for entries with one."""
    deny = [
        (subject, group) for subject, group in _split(effective.sub_deny) if not group or _fits(queue, group)
    ]
    denied = tuple(subject for subject, _ in deny)
    allow = [(subscription_reach(subject, denied), group) for subject, group in _split(effective.sub_allow)]
    plain = tuple(subject for subject, group in allow if not group)
    if not queue:
        return Subjects(allow=plain, deny=denied)
    return Subjects(
        allow=tuple(subject for subject, group in allow if group and _fits(queue, group)),
        otherwise=plain,
        unless=tuple(subject for subject, group in allow if group),
        deny=denied,
    )


def _fits(queue: str, group: str) -> bool:
    return bool(queue) and (queue == group or (has_wildcards(group) and is_subset(queue, group)))


def _split(entries: Iterable[str]) -> Iterator[tuple[str, str]]:
    for entry in entries:
        subject, _, queue = entry.partition(" ")
        if is_strict_valid(subject):
            yield subject, queue


def _valid(entries: Iterable[str]) -> tuple[str, ...]:
    return tuple(entry for entry in entries if is_strict_valid(entry))


_Side = tuple[Party, Subjects]


def _direction(verb: Verb, first: _Side, second: _Side, *, queues: Iterable[str]) -> Direction:
    if sum(len(rules) for _, side in (first, second) for rules in side.lists) > MOST_RULES:
        return _by_texts(verb, first, second)
    found = [*_differences(verb, first, second, ""), *_differences(verb, second, first, "", by_first=False)]
    whole = shares(">", first[1], second[1])
    for queue in queues:
        ours, theirs = ((party, _subscribed(party.effective, queue)) for party in (first[0], second[0]))
        more = [
            *_differences(verb, ours, theirs, queue),
            *_differences(verb, theirs, ours, queue, by_first=False),
        ]
        told = {(one.subject, one.by_first) for one in found if not one.queue}
        found += [one for one in more if (one.subject, one.by_first) not in told]
        whole = _joined(whole, shares(">", ours[1], theirs[1]))
    relation = _relation(whole)
    return Direction(
        verb=verb,
        relation=relation,
        said=_said(verb, relation, first[0].name, second[0].name),
        differences=tuple(found[:MOST_LINES]),
        more=max(len(found) - MOST_LINES, 0),
    )


def _by_texts(verb: Verb, first: _Side, second: _Side) -> Direction:
    held = (frozenset(first[1].allow), frozenset(second[1].allow))
    found = [
        Difference(
            text=f"`{subject}` is in the list of {ours[0].name} alone.",
            subject=subject,
            queue="",
            by_first=ours is first,
            partly=True,
        )
        for ours, theirs in ((first, held[1]), (second, held[0]))
        for subject in ours[1].allow
        if subject not in theirs
    ]
    return Direction(
        verb=verb,
        relation=Relation.UNKNOWN,
        said=_said(verb, Relation.UNKNOWN, first[0].name, second[0].name),
        differences=tuple(found[:MOST_LINES]),
        more=max(len(found) - MOST_LINES, 0),
    )


def _joined(one: Shares, other: Shares) -> Shares:
    return Shares(
        both=one.both or other.both,
        first=one.first or other.first,
        second=one.second or other.second,
        certain=one.certain and other.certain,
    )


def _differences(
    verb: Verb, ours: _Side, theirs: _Side, queue: str, *, by_first: bool = True
) -> Iterator[Difference]:
    (who, mine), (other, yours) = ours, theirs
    listed = tuple(dict.fromkeys((*mine.allow, *mine.otherwise)))
    for subject in listed:
        if any(subject != wider and is_subset(subject, wider) for wider in listed):
            continue  # the wider one says it
        found = shares(subject, mine, yours)
        if not found.first:
            continue
        what = f"`{subject}`" + (f" in the queue group `{queue}`" if queue else "")
        said = f"{who.name} may {verb} to {what}, {other.name} "
        said += f"{_part(subject, yours)}." if found.both else "may not."
        yield Difference(text=said, subject=subject, queue=queue, by_first=by_first, partly=found.both)


def _part(subject: str, theirs: Subjects) -> str:
    """What of `subject` the other one may, in words."""
    allowing = (*theirs.allow, *theirs.otherwise)
    met = [rule for rule in allowing if overlaps(rule, subject)]
    denied = [rule for rule in theirs.deny if overlaps(rule, subject)]
    if any(is_subset(subject, rule) for rule in met):
        return f"not to {_named(denied or theirs.unless)}"
    without = f" without {_named(denied)}" if denied else ""
    return f"only to {_named(met)}{without}"


def _named(rules: Iterable[str]) -> str:
    known = tuple(dict.fromkeys(rules))
    more = len(known) - _MOST_NAMED
    return ", ".join(f"`{rule}`" for rule in known[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _relation(found: Shares) -> Relation:
    if found.first and found.second:
        return Relation.EACH if found.both else Relation.APART
    if not found.certain:
        return Relation.UNKNOWN
    if found.first or found.second:
        return Relation.MORE if found.first else Relation.LESS
    return Relation.SAME if found.both else Relation.NOTHING


def _said(verb: Verb, relation: Relation, first: str, second: str) -> str:
    return {
        Relation.SAME: f"{first} and {second} may {verb} to the same subjects.",
        Relation.MORE: f"{first} may {verb} to all that {second} may, and to more.",
        Relation.LESS: f"{second} may {verb} to all that {first} may, and to more.",
        Relation.EACH: f"Each of the two may {verb} to subjects that the other may not.",
        Relation.APART: f"There is no subject that both may {verb} to.",
        Relation.NOTHING: f"Neither may {verb} to anything.",
        Relation.UNKNOWN: "There are too many rules to compare all of them; what was found is below.",
    }[relation]


def _settings(party: Party) -> Iterator[tuple[str, str]]:
    limits = party.limits
    yield "Rules come from", _ORIGINS[party.effective.origin]
    yield "Answers to requests", _answers(party.effective.resp)
    yield "Subscriptions", _number(limits.subs)
    yield "Size of a message", _size(limits.payload)
    yield "Data", _size(limits.data)
    yield "Networks", ", ".join(sorted(limits.src)) or "any"
    yield "Hours", ", ".join(f"{one.start}–{one.end}" for one in limits.times) or "any"
    yield "Time zone of the hours", limits.times_location or "the server's"
    yield "Connection types", ", ".join(sorted(map(str.upper, limits.allowed_connection_types))) or "any"
    yield "Logs in with its JWT alone", "yes" if limits.bearer_token else "no"
    yield "Only through a proxy", "yes" if limits.proxy_required else "no"
    yield "Valid from", date_text(party.not_before) or "at once"
    yield "Expires", date_text(party.expires) or "never"


_ORIGINS = {
    "user": "its own JWT",
    "role": "its role",
    "account": "the account's default permissions",
    "none": "nowhere: everything is open",
}


def _answers(resp: ResponsePermission | None) -> str:
    if resp is None:
        return "only where it may publish"
    number = "any number" if resp.max < 0 else str(resp.max)
    return f"{number} to each request, " + (
        "at any time" if resp.ttl < 0 else f"within {duration_text(resp.ttl)}"
    )


def _number(limit: int) -> str:
    return "no limit" if limit < 0 else "none" if limit == 0 else f"at most {limit:,}"


def _size(limit: int) -> str:
    return "no limit" if limit < 0 else "none" if limit == 0 else f"at most {exact_bytes(limit)}"
