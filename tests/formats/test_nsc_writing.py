"""Paths and texts of what goes out are nsc's own, to the byte; a name that no file can have becomes one that can."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.formats import nsc_writing
from identities.formats.nsc_layout import Named, place_of
from identities.formats.nsc_writing import FlatLayout, Names, StoreLayout

GOLDEN = Path(__file__).parents[1] / "golden"
KEY = "ABCDEFGH" + "A" * 42 + "UVWXYZ"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*/stores/*/.nsc")), ids=lambda path: path.parts[-4])
def test_the_file_that_makes_a_folder_an_operators_is_as_nsc_writes_it(path: Path) -> None:
    assert nsc_writing.about(path.parent.name, managed=False) == path.read_text()


def test_a_name_is_escaped_as_go_does() -> None:
    assert nsc_writing.about("A&B", managed=True) == (
        '{"managed":true,"name":"A\\u0026B","kind":"operator","version":"1"}'
    )


def test_what_lies_where_is_read_again_as_what_it_is() -> None:
    layout = StoreLayout("Op")
    operator = place_of(layout.operator_jwt(KEY))
    assert (operator.named, operator.operator) == (Named.OPERATOR, "stores/Op")
    assert place_of(layout.account_jwt("App", KEY)).named is Named.ACCOUNT
    user = place_of(layout.user_jwt("App", "ann", KEY))
    assert (user.named, user.name, user.account) == (Named.USER, "ann", "stores/Op/accounts/App")
    assert layout.seed(KEY) == f"keys/keys/A/BC/{KEY}.nk"
    assert layout.creds("App", "ann") == "keys/creds/Op/App/ann.creds"
    flat = FlatLayout()
    assert {flat.operator_jwt(KEY), flat.account_jwt("App", KEY), flat.user_jwt("App", "ann", KEY)} == {
        f"{KEY}.jwt"
    }


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("App", "App"),
        ("App two", "App two"),
        (".hidden", ".hidden"),
        ("..", "unnamed-UVWXYZ"),
        (".", "unnamed-UVWXYZ"),
        ("", "unnamed-UVWXYZ"),
        ("a/b", "a_b-UVWXYZ"),
        ("../../x", ".._.._x-UVWXYZ"),
        ("a\\b\0c\n", "a_b_c_-UVWXYZ"),
        (" edge ", "edge-UVWXYZ"),
        ("Zoë", "Zoë"),
    ],
)
def test_a_name_that_is_no_files_becomes_one(name: str, file: str) -> None:
    assert Names().fit(name, KEY) == file


def test_no_two_things_of_a_folder_get_one_name() -> None:
    names = Names()
    other = KEY[:-7] + "B" + KEY[-6:]
    given_ = [names.fit("a/b", KEY), names.fit("a_b", KEY), names.fit("a/b", other), names.fit("a_b", other)]
    assert len(set(given_)) == 4
    assert given_[1] == "a_b"


@given(st.lists(st.text(max_size=300), max_size=6))
def test_every_name_given_is_one_plain_file(texts: list[str]) -> None:
    names = Names()
    found = [names.fit(text, KEY[:-2] + f"{number:02}") for number, text in enumerate(texts)]
    assert len(set(found)) == len(found)
    for name in found:
        assert name not in ("", ".", "..")
        assert "/" not in name and "\0" not in name
        assert name == name.strip()
        assert len(f"{name}.creds".encode()) <= 255


def test_names_that_some_file_systems_take_for_one_are_found() -> None:
    names = Names()
    assert [names.is_second(name) for name in ("Ann", "bob", "ann")] == [False, False, True]
