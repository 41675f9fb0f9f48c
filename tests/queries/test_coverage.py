"""What remains of a subject after allow and deny rules, checked against every literal subject of a small alphabet."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identities.claims import subjects
from identities.queries.coverage import Coverage, coverage

TOKENS = ("a", "b", "c")
LITERALS = [".".join(words) for length in range(1, 6) for words in product(TOKENS, repeat=length)]
patterns = st.builds(
    lambda words, tail: ".".join([*words, *tail]) or ">",
    st.lists(st.sampled_from(["a", "b", "*"]), max_size=3),
    st.sampled_from([(), (">",), ("a",)]),
)


def by_hand(wanted: str, allow: list[str], deny: list[str]) -> Coverage:
    inside = [subject for subject in LITERALS if subjects.matches(subject, wanted)]
    good = [
        any(subjects.matches(subject, rule) for rule in allow)
        and not any(subjects.matches(subject, rule) for rule in deny)
        for subject in inside
    ]
    if not any(good):
        return Coverage.NONE
    return Coverage.ALL if all(good) else Coverage.PART


@settings(max_examples=400)
@given(patterns, st.lists(patterns, max_size=4), st.lists(patterns, max_size=4))
def test_agrees_with_trying_every_literal_subject(wanted: str, allow: list[str], deny: list[str]) -> None:
    assert coverage(wanted, allow, deny) == by_hand(wanted, allow, deny)


@pytest.mark.parametrize(
    ("wanted", "allow", "deny", "expected"),
    [
        ("orders.>", [">"], [], Coverage.ALL),
        ("orders.>", ["orders.new"], [], Coverage.PART),
        ("orders.>", ["orders.*"], [], Coverage.PART),
        ("orders.>", ["orders.*", "orders.*.>"], [], Coverage.ALL),
        ("orders.>", ["orders.>"], ["orders.*"], Coverage.PART),
        ("orders.>", ["orders.>"], ["orders.*", "orders.*.>"], Coverage.NONE),
        ("orders.>", ["orders.>"], [">"], Coverage.NONE),
        ("orders.new", ["orders.*"], ["orders.new"], Coverage.NONE),
        ("orders.new", ["orders.*"], ["orders.old"], Coverage.ALL),
        ("orders", ["orders.>"], [], Coverage.NONE),
        ("orders.*", ["billing.>"], [], Coverage.NONE),
        ("orders.*", ["*.new"], [], Coverage.PART),
        (">", [">"], ["_SYS.>"], Coverage.PART),
    ],
)
def test_wildcards_follow_nats(wanted: str, allow: list[str], deny: list[str], expected: Coverage) -> None:
    assert coverage(wanted, allow, deny) == expected


def test_many_rules_stay_fast() -> None:
    allow = [f"orders.{number}.>" for number in range(300)]
    deny = [f"orders.{number}.*.secret" for number in range(300)]
    assert coverage("orders.>", allow, deny) == Coverage.PART
    assert coverage("orders.7.x.secret", allow, deny) == Coverage.NONE
