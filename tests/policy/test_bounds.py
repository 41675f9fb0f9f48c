"""Patterns of names: `*` stands for any characters, and nobody's pattern keeps a server busy."""

from __future__ import annotations

import re
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.policy import bounds


@pytest.mark.parametrize(
    ("pattern", "text", "fit"),
    [
        ("*", "", True),
        ("ci-*", "ci-", True),
        ("ci-*", "ci", False),
        ("*-ci", "a-ci", True),
        ("a*a", "a", False),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "acb", False),
        ("a.c", "abc", False),
        ("two\nlines*", "two\nlines\nand more", True),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_a_star_is_any_characters_and_nothing_else_is_special(pattern: str, text: str, fit: bool) -> None:
    assert bounds.fits(pattern, text) is fit


@given(st.text("ab*.", max_size=8), st.text("ab.", max_size=12))
def test_it_says_what_the_same_regular_expression_says(pattern: str, text: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL)
    assert bounds.fits(pattern, text) is (expected is not None)


def test_a_pattern_with_many_stars_takes_no_time() -> None:
    began = perf_counter()
    assert not bounds.fits("*a" * 12 + "c", "a" * 60 + "b")
    assert perf_counter() - began < 1
