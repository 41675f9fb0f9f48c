from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.claims.subject_sets import Shares, Subjects, shares
from identities.claims.subjects import matches

LITERALS = [
    ".".join(parts) for length in (1, 2, 3, 4, 5) for parts in itertools.product("abc", repeat=length)
]
patterns = st.builds(
    lambda parts, tail: ".".join([*parts, *tail]),
    st.lists(st.sampled_from(("a", "b", "*")), min_size=1, max_size=3),
    st.sampled_from([(), (">",)]),
) | st.just(">")
lists = st.lists(patterns, max_size=2).map(tuple)
sets = st.builds(Subjects, allow=lists, deny=lists, otherwise=lists, unless=lists)


def holds(subject: str, one: Subjects) -> bool:
    def met(rules: tuple[str, ...]) -> bool:
        return any(matches(subject, rule) for rule in rules)

    return (met(one.allow) or (met(one.otherwise) and not met(one.unless))) and not met(one.deny)


@given(patterns, sets, sets)
def test_it_finds_what_trying_every_subject_finds(wanted: str, first: Subjects, second: Subjects) -> None:
    tried = [(holds(s, first), holds(s, second)) for s in LITERALS if matches(s, wanted)]
    assert shares(wanted, first, second) == Shares(
        both=(True, True) in tried, first=(True, False) in tried, second=(False, True) in tried
    )


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        (("a.>",), ("a.*", "a.*.>"), Shares(both=True)),
        (("*.b",), ("a.*",), Shares(both=True, first=True, second=True)),
        (("a",), ("b",), Shares(first=True, second=True)),
        ((), (), Shares()),
    ],
)
def test_sets_are_compared_and_not_their_texts(
    first: tuple[str, ...], second: tuple[str, ...], found: Shares
) -> None:
    assert shares(">", Subjects(allow=first), Subjects(allow=second)) == found


def test_absurdly_many_rules_are_said_not_to_be_looked_through() -> None:
    many = tuple(f"{'*.' * (n % 13)}a{n}.*.b{n % 7}.>" for n in range(3000))
    found = shares(">", Subjects(allow=many), Subjects(allow=(">",), deny=many))
    assert not found.certain or (found.second and not found.both)
