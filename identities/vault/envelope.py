"""Sealed secrets: each under its own random key, that key under the ring's; both bound to the row they belong to.

Layout: format byte (1) · length of key id (1) · key id · nonce (24) · wrapped data key (32 + 16) · nonce (24) ·
ciphertext + tag (16). Both boxes are XChaCha20-Poly1305; their associated data holds the format byte, what the box
is for, table, public key and purpose, the outer one the key id too. So a flipped byte, a swapped row and a renamed
key are all found, and a new ring key needs only the data key wrapped again.
"""

from __future__ import annotations

from typing import Final

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError
from nacl.utils import random

from identities.nkeys import SecretBytes
from identities.vault.errors import VaultError
from identities.vault.keyring import KEY_SIZE, KeyRing

FORMAT: Final = 1
LARGEST_SECRET: Final = 1024 * 1024
_NONCE = 24
_TAG = 16
_WRAPPED = _NONCE + KEY_SIZE + _TAG
_SHORTEST = 2 + 1 + _WRAPPED + _NONCE + _TAG


def seal(ring: KeyRing, plain: SecretBytes, *, table: str, public_key: str, purpose: str) -> bytes:
    """Encrypt `plain` (at most 1 MiB) for exactly one place; an envelope of 118 bytes + key id + plain.

    `table`, `public_key` and `purpose` name that place and must be given again to open. Raises: VaultError.
    """
    if len(plain) > LARGEST_SECRET:
        raise VaultError("This secret is larger than 1 MiB and can't be sealed.")
    place = _place(table, public_key, purpose)
    noise = random(KEY_SIZE + 2 * _NONCE)
    data_key, outer, inner = noise[:KEY_SIZE], noise[KEY_SIZE:-_NONCE], noise[-_NONCE:]
    head = _head(ring.primary)
    wrapped = crypto_aead_xchacha20poly1305_ietf_encrypt(
        data_key, head + b"key" + place, outer, ring.key(ring.primary)
    )
    sealed = crypto_aead_xchacha20poly1305_ietf_encrypt(plain.reveal(), _DATA + place, inner, data_key)
    return b"".join((head, outer, wrapped, inner, sealed))


def open_(ring: KeyRing, blob: bytes, *, table: str, public_key: str, purpose: str) -> SecretBytes:
    """Decrypt an envelope at the place for which it was sealed.

    Raises: VaultError when the ring lacks its key, or when the envelope, or where it stands, was changed.
    """
    key_id, body = _split(blob)
    place = _place(table, public_key, purpose)
    data_key = _unwrap(ring, key_id, body, place)
    inner, sealed = body[_WRAPPED : _WRAPPED + _NONCE], body[_WRAPPED + _NONCE :]
    try:
        return SecretBytes(crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, _DATA + place, inner, data_key))
    except CryptoError:
        raise _tampered(key_id) from None


def rewrap(ring: KeyRing, blob: bytes, *, table: str, public_key: str, purpose: str) -> bytes:
    """The same envelope under the ring's sealing key (unchanged if it is already); the secret itself stays sealed.

    Raises: VaultError as `open_`.
    """
    key_id, body = _split(blob)
    place = _place(table, public_key, purpose)
    data_key = _unwrap(ring, key_id, body, place)
    if key_id == ring.primary:
        return bytes(blob)
    head, outer = _head(ring.primary), random(_NONCE)
    wrapped = crypto_aead_xchacha20poly1305_ietf_encrypt(
        data_key, head + b"key" + place, outer, ring.key(ring.primary)
    )
    return b"".join((head, outer, wrapped, body[_WRAPPED:]))


def key_id_of(blob: bytes) -> str:
    """The id of the ring key under which an envelope was sealed. Raises: VaultError when it is no envelope."""
    return _split(blob)[0]


_DATA = bytes((FORMAT,)) + b"data"


def _head(key_id: str) -> bytes:
    return bytes((FORMAT, len(key_id))) + key_id.encode("ascii")


def _place(*parts: str) -> bytes:
    # Each part behind its length, so that no two places give the same bytes.
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def _split(blob: bytes) -> tuple[str, bytes]:
    blob = bytes(blob)  # a database driver may hand over a memoryview
    if len(blob) < _SHORTEST or blob[0] != FORMAT or len(blob) < _SHORTEST - 1 + blob[1]:
        raise VaultError(
            "This is no sealed secret of a format known here. It was cut off, or made by a newer version."
        )
    key_id = blob[2 : 2 + blob[1]]
    if not key_id.isascii():
        raise _tampered("?")
    return key_id.decode("ascii"), blob[2 + blob[1] :]


def _unwrap(ring: KeyRing, key_id: str, body: bytes, place: bytes) -> bytes:
    key = ring.key(key_id)
    try:
        return crypto_aead_xchacha20poly1305_ietf_decrypt(
            body[_NONCE:_WRAPPED], _head(key_id) + b"key" + place, body[:_NONCE], key
        )
    except CryptoError:
        raise _tampered(key_id) from None


def _tampered(key_id: str) -> VaultError:
    return VaultError(
        f"A sealed secret (key {key_id!r}) does not open: it was changed, it stands in the wrong row, or the master "
        "key of that name is another one. Restore the row or the key ring from a backup."
    )
