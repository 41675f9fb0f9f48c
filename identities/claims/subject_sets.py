"""Sets of subjects as lists of rules make them, compared exactly: what is in both, and what is in one of them only.

A set's rules are patterns, which stand for all literal subjects that they match: `*` is one token, `>` one or more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from identities.claims.subjects import overlaps

_OTHER = "\x00"
"""Stands for every token that no pattern names."""
_OPEN = -1
"""The place in a pattern whose `>` has begun: everything that follows matches."""
_MOST_STATES = 5_000

_Places = frozenset[tuple[int, int]]
"""Pattern and place in it, for each pattern that still fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """What `allow` matches and `deny` does not. `otherwise` allows too, where nothing of `unless` matches."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    otherwise: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()

    @property
    def lists(self) -> tuple[tuple[str, ...], ...]:
        """The four lists, in the order in which `holds` is told of them."""
        return self.allow, self.otherwise, self.unless, self.deny


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Whether some subject is in both sets, in the first or in the second alone. Not `certain`: too many rules."""

    both: bool = False
    first: bool = False
    second: bool = False
    certain: bool = True


def shares(wanted: str, first: Subjects, second: Subjects) -> Shares:
    """How two sets share the literal subjects that `wanted` matches."""
    lists = [[rule for rule in rules if overlaps(wanted, rule)] for rules in (*first.lists, *second.lists)]
    split = [rule.split(".") for rules in lists for rule in rules]
    owner = [number for number, rules in enumerate(lists) for _ in rules]
    both = only_first = only_second = False
    walk = _Walk(wanted.split("."), split)
    for met in walk.met():
        which = {owner[number] for number in met}
        ours, theirs = _holds(which, 0), _holds(which, 4)
        both, only_first = both or (ours and theirs), only_first or (ours and not theirs)
        only_second = only_second or (theirs and not ours)
        if both and only_first and only_second:
            break
    else:
        return Shares(both=both, first=only_first, second=only_second, certain=walk.complete)
    return Shares(both=True, first=True, second=True)


def _holds(lists: set[int], base: int) -> bool:
    allow, otherwise, unless, deny = (base + number in lists for number in range(4))
    return (allow or (otherwise and not unless)) and not deny


@dataclass(slots=True)
class _Walk:
    """Explores the tokens of every literal subject of `wanted`; `complete` says that none was left out."""

    wanted: Sequence[str]
    patterns: list[list[str]]
    complete: bool = True

    def met(self) -> Iterator[set[int]]:
        """For each kind of subject: the numbers of the patterns that match it."""
        start = (0, frozenset((number, 0) for number in range(len(self.patterns))))
        seen, waiting = {start}, [start]
        while waiting:
            at, places = waiting.pop()
            if at == _OPEN or (at and at == len(self.wanted)):
                yield {number for number, place in places if place in (_OPEN, len(self.patterns[number]))}
            for token in _next_tokens(self.wanted, at, places, self.patterns):
                following = (_step(self.wanted, at, token), _advance(places, self.patterns, token))
                if following not in seen:
                    seen.add(following)
                    waiting.append(following)
            if len(seen) > _MOST_STATES:
                self.complete = False
                return


def _next_tokens(wanted: Sequence[str], at: int, places: _Places, patterns: list[list[str]]) -> set[str]:
    if at == len(wanted):
        return set()
    if at != _OPEN and wanted[at] not in ("*", ">"):
        return {wanted[at]}
    if at == _OPEN and all(place == _OPEN for _, place in places):
        return set()  # whatever follows, nothing changes any more
    named = {
        patterns[number][place]
        for number, place in places
        if place != _OPEN and place < len(patterns[number])
    }
    return (named - {"*", ">"}) | {_OTHER}


def _step(pattern: Sequence[str], place: int, token: str) -> int:
    """The place behind `token`, which fits."""
    return _OPEN if place == _OPEN or pattern[place] == ">" else place + 1


def _advance(places: _Places, patterns: list[list[str]], token: str) -> _Places:
    moved = set()
    for number, place in places:
        pattern = patterns[number]
        if place == _OPEN:
            moved.add((number, _OPEN))
        elif place < len(pattern) and pattern[place] in ("*", ">", token):
            moved.add((number, _step(pattern, place, token)))
    return frozenset(moved)
