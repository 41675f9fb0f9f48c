"""Marks that pages repeat."""

from __future__ import annotations

from identities.templatetags.nats import ticks


def test_what_stands_between_backticks_is_shown_as_code() -> None:
    assert ticks("`>` may only be last") == "<code>&gt;</code> may only be last"


def test_a_message_is_escaped_before_it_is_marked() -> None:
    assert ticks('<b> "a" `<i>`') == "&lt;b&gt; &quot;a&quot; <code>&lt;i&gt;</code>"


def test_a_lone_backtick_stays() -> None:
    assert ticks("a ` b") == "a ` b"
