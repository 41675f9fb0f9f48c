"""Handles name entries of lists whatever their position."""

from __future__ import annotations

from identities.claims.handles import LENGTH, handle, handles


def test_a_handle_depends_on_the_identity_alone() -> None:
    first = handles([("stream", "a"), ("service", "b")])
    assert first == tuple(reversed(handles([("service", "b"), ("stream", "a")])))
    assert first[0] == handle("stream", "a")
    assert {len(one) for one in first} == {LENGTH}


def test_parts_do_not_run_together() -> None:
    assert handle("ab", "c") != handle("a", "bc")


def test_entries_with_one_identity_are_told_apart() -> None:
    assert len(set(handles([("a",), ("a",), ("b",)]))) == 3
