"""Fields read what people type in NATS's words, and show it again so that nothing changes by itself."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from identities.forms import fields
from identities.nkeys import KeyKind, KeyPair

NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("-1", -1),
        ("unlimited", -1),
        ("none", 0),
        ("0", 0),
        ("1k", 1000),
        ("512 MiB", 512 * 2**20),
        ("1,000", 1000),
    ],
)
def test_a_limit_is_read_with_suffixes_and_words(typed: str, number: int) -> None:
    assert fields.NumberField(size=True).clean(typed) == number


@pytest.mark.parametrize("number", [-1, 0, 1, 999, 1000, 65536, 10**9 + 1, 2**63 - 1])
def test_a_limit_shown_is_read_back_unchanged(number: int) -> None:
    field = fields.NumberField(size=True)
    assert field.clean(field.prepare_value(number)) == number
    assert not field.has_changed(number, field.prepare_value(number))


def test_a_zero_that_means_unlimited_stays_a_zero_until_somebody_edits_it() -> None:
    field = fields.NumberField(zero="unlimited")
    assert field.prepare_value(0) == "unlimited"
    assert not field.has_changed(0, "unlimited")
    assert field.clean("unlimited") == -1


@pytest.mark.parametrize("typed", ["", "many", "12 parsecs", "1e400", "9" * 61])
def test_what_is_no_number_is_refused(typed: str) -> None:
    with pytest.raises(ValidationError):
        fields.NumberField().clean(typed)


def test_a_list_holds_each_line_once_in_its_order() -> None:
    assert fields.ListField().clean(" b \r\n\na\nb\n") == ("b", "a")


def test_a_list_that_only_looks_different_has_not_changed() -> None:
    assert not fields.ListField().has_changed(("a", "b"), "a\r\nb\r\n")
    assert not fields.TagsField().has_changed(("b:1", "a:1"), "b:1\r\na:1")
    assert fields.ListField().has_changed(("a",), "")


def test_tags_are_lower_case_and_sorted_as_nsc_writes_them() -> None:
    assert fields.TagsField().clean("Team:Core, env:prod\nenv:prod") == ("env:prod", "team:core")


def test_urls_stand_between_blanks_or_lines_in_lower_case() -> None:
    assert fields.UrlsField().clean("nats://A:4222\nTLS://b, wss://c") == (
        "nats://a:4222",
        "tls://b",
        "wss://c",
    )


@pytest.mark.parametrize("seconds", [1, NOW, 253_402_300_799, 253_402_300_800, -5])
def test_a_moment_shown_is_read_back_unchanged(seconds: int) -> None:
    field = fields.MomentField()
    field.now = NOW
    assert field.clean(field.prepare_value(seconds)) == seconds
    assert not field.has_changed(seconds, field.prepare_value(seconds))


def test_a_span_counts_from_now_and_nothing_is_never() -> None:
    field = fields.MomentField()
    field.now = NOW
    assert field.clean("30d") == NOW + 30 * 86_400
    assert field.clean("") == 0


def test_what_is_no_date_is_refused_by_its_value() -> None:
    with pytest.raises(ValidationError, match="31st of June"):
        fields.MomentField().clean("31st of June")


def test_a_public_key_of_another_kind_is_refused_by_name() -> None:
    user = KeyPair.create(KeyKind.USER).public.text
    with pytest.raises(ValidationError, match=f"{user} is a key of kind user, not account"):
        fields.PublicKeyField(kind=KeyKind.ACCOUNT).clean(user)


def test_a_text_keeps_plain_line_ends() -> None:
    field = fields.TextField(rows=2)
    assert field.clean("a\r\nb") == "a\nb"
    assert not field.has_changed("a\nb", "a\r\nb")


def test_a_name_is_the_same_in_what_a_browser_sends_back_of_it() -> None:
    field = fields.NameField()
    assert not field.has_changed("a\tb\nc\0", "a\tbc\ufffd")
    assert field.has_changed("a\tb", "a b")
    assert field.has_changed("", "a")
