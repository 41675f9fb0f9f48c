from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.nkeys import SecretBytes
from identities.vault import envelope
from identities.vault.errors import VaultError
from identities.vault.keyring import KeyRing

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
RING = KeyRing({"k1": OLD}, "k1")
ROTATED = KeyRing({"k2": NEW, "k1": OLD}, "k2")
PLACE = {"table": "user_key", "public_key": "UABC", "purpose": "seed"}
SEED = SecretBytes(b"SUABS36SMBT3UTRZYGLEIA2K3S6P6W7NHMEWAM3KPWW6MB76QNGS7F6ESQ")


def sealed(ring: KeyRing = RING, **place: str) -> bytes:
    return envelope.seal(ring, SEED, **{**PLACE, **place})


@given(st.binary(max_size=2000), st.text(max_size=20), st.text(max_size=60), st.text(max_size=20))
def test_what_is_sealed_opens_at_its_place(plain: bytes, table: str, public_key: str, purpose: str) -> None:
    place = {"table": table, "public_key": public_key, "purpose": purpose}
    blob = envelope.seal(RING, SecretBytes(plain), **place)
    assert envelope.open_(RING, blob, **place).reveal() == plain
    assert envelope.open_(RING, memoryview(blob), **place).reveal() == plain  # type: ignore[arg-type]


def test_the_same_secret_never_seals_twice_the_same_and_never_shows() -> None:
    blobs = {sealed() for _ in range(100)}
    assert len(blobs) == 100
    assert all(SEED.reveal() not in blob for blob in blobs)


def test_every_flipped_bit_of_every_byte_is_found() -> None:
    blob = sealed()
    for position in range(len(blob)):
        for bit in (0x01, 0x80):
            changed = bytearray(blob)
            changed[position] ^= bit
            with pytest.raises(VaultError):
                envelope.open_(RING, bytes(changed), **PLACE)


def test_every_shortened_or_lengthened_envelope_is_found() -> None:
    blob = sealed()
    for changed in [*(blob[:length] for length in range(len(blob))), blob + b"\0", b"\1" + blob]:
        with pytest.raises(VaultError):
            envelope.open_(RING, changed, **PLACE)


@pytest.mark.parametrize("part", ["table", "public_key", "purpose"])
def test_an_envelope_moved_to_another_place_does_not_open(part: str) -> None:
    with pytest.raises(VaultError, match="wrong row"):
        envelope.open_(RING, sealed(**{part: "elsewhere"}), **PLACE)


def test_parts_of_a_place_are_not_just_joined() -> None:
    blob = sealed(table="ab", public_key="c", purpose="")
    with pytest.raises(VaultError):
        envelope.open_(RING, blob, table="a", public_key="bc", purpose="")


def test_halves_of_two_envelopes_do_not_fit_together() -> None:
    one, two = sealed(), sealed()
    head = 2 + len("k1") + 24 + 48
    with pytest.raises(VaultError):
        envelope.open_(RING, one[:head] + two[head:], **PLACE)


def test_another_ring_with_the_same_key_name_does_not_open_it() -> None:
    with pytest.raises(VaultError, match="is another one"):
        envelope.open_(KeyRing({"k1": NEW}, "k1"), sealed(), **PLACE)


def test_a_ring_without_the_key_says_which_one_is_missing() -> None:
    with pytest.raises(VaultError, match="no key 'k1'"):
        envelope.open_(KeyRing({"k2": NEW}, "k2"), sealed(), **PLACE)


def test_rotation_opens_the_old_seals_with_the_new_and_rewraps() -> None:
    blob = sealed()
    assert envelope.open_(ROTATED, blob, **PLACE) == SEED
    moved = envelope.rewrap(ROTATED, blob, **PLACE)
    assert (envelope.key_id_of(blob), envelope.key_id_of(moved)) == ("k1", "k2")
    assert envelope.open_(KeyRing({"k2": NEW}, "k2"), moved, **PLACE) == SEED
    assert envelope.rewrap(ROTATED, moved, **PLACE) == moved
    assert envelope.key_id_of(sealed(ROTATED)) == "k2"


def test_rewrapping_checks_the_place_and_the_key() -> None:
    with pytest.raises(VaultError):
        envelope.rewrap(ROTATED, sealed(), **{**PLACE, "public_key": "UDEF"})


def test_a_secret_beyond_1_mib_is_refused() -> None:
    with pytest.raises(VaultError, match="1 MiB"):
        envelope.seal(RING, SecretBytes(bytes(1024 * 1024 + 1)), **PLACE)


@given(st.binary(max_size=300))
def test_no_bytes_make_opening_fail_in_another_way(blob: bytes) -> None:
    for candidate in (blob, b"\x01\x02k1" + blob):
        with pytest.raises(VaultError):
            envelope.open_(RING, candidate, **PLACE)
