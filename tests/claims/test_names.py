from __future__ import annotations

import pytest

from identities.claims.names import NameNotUsable, check_name, name_warnings, tag_warnings


@pytest.mark.parametrize("name", ["A", "my account", "a.b", ">", "Zürich 2", "x" * 255, "..a", "*"])
def test_what_nsc_can_store_is_a_name(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "  ",
        ".",
        "..",
        "a/b",
        "a\\b",
        " a",
        "a ",
        "a\nb",
        "a\x00",
        "a\u200bb",
        "a\u2028b",
        "x" * 256,
        "ü" * 128,
    ],
)
def test_what_nsc_cannot_store_is_refused_with_a_remedy(name: str) -> None:
    with pytest.raises(NameNotUsable) as caught:
        check_name(name)
    assert caught.value.field == "name"
    assert caught.value.user_message


@pytest.mark.parametrize(
    ("name", "word"), [(">", "`>`"), ("a*", "`*`"), ("a.b", "`.`"), ("a b", "blank"), ("a\tb", "blank")]
)
def test_a_name_that_changes_a_role_s_subjects_is_warned_of(name: str, word: str) -> None:
    (warning,) = name_warnings(name)
    assert word in warning
    assert "{{name()}}" in warning


def test_a_plain_name_is_not_warned_of() -> None:
    assert name_warnings("orders-api_2") == []


def test_only_the_value_of_a_tag_can_get_into_a_subject() -> None:
    assert tag_warnings("a.b") == []
    assert tag_warnings("team:blue") == []
    (warning,) = tag_warnings("team:>")
    assert "{{tag(team)}}" in warning


def test_an_account_is_warned_of_the_templates_that_paste_accounts() -> None:
    (warning,) = name_warnings("a.b", of_account=True)
    assert "{{account-name()}}" in warning
    (warning,) = tag_warnings("team:>", of_account=True)
    assert "{{account-tag(team)}}" in warning
