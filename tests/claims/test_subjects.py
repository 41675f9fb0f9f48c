from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.claims import subjects

VECTORS = Path(__file__).parents[1] / "golden" / "vectors"

TOKENS = ("a", "b", "*")
LITERALS = [
    ".".join(parts) for length in (1, 2, 3, 4, 5) for parts in itertools.product("abc", repeat=length)
]
patterns = st.builds(
    lambda parts, tail: ".".join([*parts, *tail]),
    st.lists(st.sampled_from(TOKENS), min_size=1, max_size=3),
    st.sampled_from([(), (">",)]),
) | st.just(">")


def _matches(literal: str, pattern: str) -> bool:
    """Matching spelled out, token by token."""
    ours, theirs = literal.split("."), pattern.split(".")
    for index, their in enumerate(theirs):
        if index == len(ours):
            return False
        if their == ">":
            return True
        if their not in ("*", ours[index]):
            return False
    return len(ours) == len(theirs)


@pytest.mark.parametrize(
    ("subject", "other", "contained"), json.loads((VECTORS / "subject-contained-in.json").read_text())
)
def test_containment_is_decided_as_the_go_library_does(subject: str, other: str, contained: bool) -> None:
    assert subjects.is_contained_in(subject, other) is contained


@pytest.mark.parametrize(
    ("subject", "wild"), json.loads((VECTORS / "subject-has-wildcards.json").read_text())
)
def test_wildcards_are_seen_where_the_go_library_sees_them(subject: str, wild: bool) -> None:
    assert subjects.has_wildcards(subject) is wild


@given(patterns, patterns)
def test_a_subset_matches_nothing_that_the_other_does_not(first: str, second: str) -> None:
    theirs = [literal for literal in LITERALS if _matches(literal, second)]
    ours = [literal for literal in LITERALS if _matches(literal, first)]
    assert subjects.is_subset(first, second) == (set(ours) <= set(theirs))


@given(patterns, patterns)
def test_the_library_s_containment_differs_only_for_a_full_wildcard_in_a_partial_one(
    first: str, second: str
) -> None:
    if subjects.is_contained_in(first, second) != subjects.is_subset(first, second):
        assert first.endswith(">")
        assert second.endswith("*")


@given(patterns, patterns)
def test_two_patterns_overlap_exactly_when_one_subject_matches_both(first: str, second: str) -> None:
    both = any(_matches(literal, first) and _matches(literal, second) for literal in LITERALS)
    assert subjects.overlaps(first, second) == both
    assert subjects.overlaps(second, first) == both


@given(st.sampled_from(LITERALS), patterns)
def test_a_message_reaches_the_subscriptions_that_it_matches(literal: str, pattern: str) -> None:
    assert subjects.matches(literal, pattern) == _matches(literal, pattern)


@pytest.mark.parametrize("subject", ["a", "a.b", "*", ">", "a.*.>", "$SYS.REQ", "{{name()}}", "é.ü", "foo*"])
def test_the_server_takes_ordinary_subjects_and_patterns(subject: str) -> None:
    assert subjects.is_strict_valid(subject)
    assert subjects.validate_subject(subject) == []


@pytest.mark.parametrize("subject", ["", ".", "a.", ".a", "a..b", "a b", "a\tb", "a\n", ">.a", "a.>.b", "\f"])
def test_the_server_refuses_empty_tokens_white_space_and_a_full_wildcard_inside(subject: str) -> None:
    assert not subjects.is_strict_valid(subject)


def test_the_library_lets_some_subjects_pass_that_the_server_refuses() -> None:
    assert [subjects.validate_subject(subject) for subject in ("a.>.b", "a\tb")] == [[], []]


def test_all_faults_of_a_subject_are_told_in_go_s_words() -> None:
    assert subjects.validate_subject('."a b..') == [
        'subject ".\\"a b.." cannot have spaces',
        'subject ".\\"a b.." cannot start or end with a `.`',
        'subject ".\\"a b.." cannot contain consecutive `.`',
    ]


def test_references_of_a_local_subject_stand_for_wildcards() -> None:
    assert subjects.renamed("a.$1.$2x.$.b.$-3") == "a.*.$2x.$.b.*"
    assert subjects.renamed("a.b") == "a.b"
    assert subjects.wildcard_count("a.*.b*.*") == 2
