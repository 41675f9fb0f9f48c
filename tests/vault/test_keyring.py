from __future__ import annotations

import base64
import copy
import pickle
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.vault.errors import VaultError
from identities.vault.keyring import KeyRing, new_key_text

ONE, TWO = bytes(range(32)), bytes(range(32, 64))


def text_of(key: bytes) -> str:
    return base64.b64encode(key).decode()


def test_a_ring_is_read_from_commas_lines_and_comments() -> None:
    for text in (
        f"k2:{text_of(TWO)},k1:{text_of(ONE)}",
        f"# the ring, newest first\nk2:{text_of(TWO)}\r\n\n  k1: {text_of(ONE)} \n",
        f"k2:{base64.urlsafe_b64encode(TWO).decode()}, k1:{text_of(ONE)},",
    ):
        ring = KeyRing.from_text(text)
        assert ring.ids == ("k2", "k1")
        assert ring.primary == "k2"
        assert (ring.key("k1"), ring.key("k2")) == (ONE, TWO)
        assert len(ring) == 2
        assert "k1" in ring


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
        (text_of(ONE), "has no id"),
        (f"K1:{text_of(ONE)}", "has no id"),
        (f":{text_of(ONE)}", "has no id"),
        ("k1:", "has 0 bytes instead of 32"),
        ("k1:!!!!", "is not base64"),
        ("k1:AAAA", "has 3 bytes instead of 32"),
        (f"k1:{text_of(ONE)},k1:{text_of(TWO)}", "holds k1 twice"),
        (f"k1:{text_of(ONE)},k2:{text_of(ONE)}", "are the same"),
        ("x" * 70_000, "too long"),
    ],
)
def test_a_malformed_ring_is_refused_without_showing_a_key(text: str, message: str) -> None:
    with pytest.raises(VaultError, match=message) as refused:
        KeyRing.from_text(text)
    assert text_of(ONE) not in str(refused.value)


def test_a_key_that_the_ring_lacks_is_named() -> None:
    with pytest.raises(VaultError, match=r"no key 'k9'.*It has: k1"):
        KeyRing({"k1": ONE}, "k1").key("k9")


def test_a_ring_never_shows_copies_or_pickles_its_keys() -> None:
    ring = KeyRing({"k1": ONE}, "k1")
    assert repr(ring) == "<KeyRing k1>"
    for spread in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            spread(ring)


def test_a_new_key_is_random_and_read_back() -> None:
    first, second = KeyRing.from_text(new_key_text("k1")), KeyRing.from_text(new_key_text("k1"))
    assert first.key("k1") != second.key("k1")


@given(st.text())
def test_no_text_makes_the_ring_fail_in_another_way(text: str) -> None:
    with suppress(VaultError):
        KeyRing.from_text(text)
