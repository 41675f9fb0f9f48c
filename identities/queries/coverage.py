"""How much of a subject remains when allow rules are added up and deny rules taken away; exact, by NATS's wildcards.

Pure. A subject with wildcards stands for all literal subjects it matches. `*` is one token, `>` one or more.
Source: nats-server `sublist.go`, `client.go canSubscribe, pubAllowed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from identities.claims import subjects

_OTHER = "\x00"
"""Stands for every token that no pattern names."""
_OPEN = -1
"""The state of a pattern whose `>` has begun: everything that follows matches."""
_MOST_STATES = 20_000

_State = tuple[int, frozenset[tuple[int, int]], frozenset[tuple[int, int]]]


class Coverage(StrEnum):
    """How much of the wanted subject is granted."""

    NONE = "none"
    PART = "part"
    ALL = "all"


def coverage(wanted: str, allow: Iterable[str], deny: Iterable[str]) -> Coverage:
    """How much of `wanted` the `allow` patterns grant after `deny` is taken away."""
    granted = [rule for rule in allow if subjects.overlaps(wanted, rule)]
    refused = [rule for rule in deny if subjects.overlaps(wanted, rule)]
    if not granted or any(_contained(wanted, rule) for rule in refused):
        return Coverage.NONE
    if not refused and any(_contained(wanted, rule) for rule in granted):
        return Coverage.ALL
    some, lacking = _walk(wanted.split("."), [r.split(".") for r in granted], [r.split(".") for r in refused])
    if not some:
        return Coverage.NONE
    return Coverage.PART if lacking else Coverage.ALL


def _contained(subject: str, pattern: str) -> bool:
    """True when `pattern` matches all that `subject` stands for; Go's `IsContainedIn` says so of `a.>` in `a.*` too."""
    if subject.endswith(">") and not pattern.endswith(">"):
        return False
    return subjects.is_contained_in(subject, pattern)


def _walk(wanted: Sequence[str], allow: list[list[str]], deny: list[list[str]]) -> tuple[bool, bool]:
    """Whether some literal subject of `wanted` is granted, and whether some is not; explores tokens breadth first."""
    start: _State = (
        0,
        frozenset((number, 0) for number in range(len(allow))),
        frozenset((number, 0) for number in range(len(deny))),
    )
    seen, waiting = {start}, [start]
    some = lacking = False
    while waiting and not (some and lacking):
        at, allowing, denying = waiting.pop()
        if at != 0 and (at == _OPEN or at == len(wanted)):
            good = _ends(allowing, allow) and not _ends(denying, deny)
            some, lacking = some or good, lacking or not good
        for token in _next_tokens(wanted, at, (allowing, allow), (denying, deny)):
            following = (
                _step(wanted, at, token),
                _advance(allowing, allow, token),
                _advance(denying, deny, token),
            )
            if following not in seen:
                seen.add(following)
                waiting.append(following)
        if len(seen) > _MOST_STATES:  # absurd rules: say "part", which is never wrong about "some"
            return True, True
    return some, lacking


def _next_tokens(
    wanted: Sequence[str], at: int, *sides: tuple[frozenset[tuple[int, int]], list[list[str]]]
) -> set[str]:
    if at == len(wanted):
        return set()
    if at != _OPEN and wanted[at] not in {"*", ">"}:
        return {wanted[at]}
    named = {
        patterns[number][place]
        for states, patterns in sides
        for number, place in states
        if place != _OPEN and place < len(patterns[number])
    }
    if at == _OPEN and not any(states for states, _ in sides):
        return set()  # no rule is left that a longer subject could meet
    return (named - {"*", ">"}) | {_OTHER}


def _step(pattern: Sequence[str], place: int, token: str) -> int:
    """The place after `token`; callers only pass tokens that fit."""
    if place == _OPEN or pattern[place] == ">":
        return _OPEN
    return place + 1


def _advance(
    states: frozenset[tuple[int, int]], patterns: list[list[str]], token: str
) -> frozenset[tuple[int, int]]:
    moved = set()
    for number, place in states:
        pattern = patterns[number]
        if place == _OPEN:
            moved.add((number, _OPEN))
        elif place < len(pattern) and pattern[place] in ("*", ">", token):
            moved.add((number, _step(pattern, place, token)))
    return frozenset(moved)


def _ends(states: frozenset[tuple[int, int]], patterns: list[list[str]]) -> bool:
    return any(place == _OPEN or place == len(patterns[number]) for number, place in states)
