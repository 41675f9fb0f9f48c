"""Keys that verify, sign and seal: Ed25519, and X25519 for curve keys (nkeys `keypair.go`, `xkeys.go`)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Self

from nacl import bindings
from nacl.exceptions import CryptoError

from identities.nkeys.encoding import (
    KeyKind,
    NkeyError,
    decode_public,
    decode_seed,
    encode_public,
    encode_seed,
    refusal,
)
from identities.nkeys.secret import SecretBytes

SEALED_PREFIX = b"xkv1"
_NONCE_BYTES = bindings.crypto_box_NONCEBYTES
_SIGNATURE_BYTES = bindings.crypto_sign_BYTES


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key: its 56 characters, its kind, its 32 raw bytes."""

    text: str
    kind: KeyKind = field(compare=False)
    raw: bytes = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: str, *kinds: KeyKind) -> Self:
        """Read a public key; with `kinds`, only of one of these.

        Raises:
            NkeyError: it is none. The message repeats the text unless it may be a secret.
        """
        found = decode_public(text)
        if found is None or (kinds and found[0] not in kinds):
            raise refusal(text, kinds)
        return cls(text, *found)

    def verify(self, data: bytes, signature: bytes) -> bool:
        """Tell whether `signature` (64 bytes) over `data` was made by this key; a curve key's never was."""
        if self.kind is KeyKind.CURVE or len(signature) != _SIGNATURE_BYTES:
            return False
        try:
            bindings.crypto_sign_open(signature + data, self.raw)
        except CryptoError:
            return False
        return True

    def __str__(self) -> str:
        return self.text


class KeyPair:
    """A key with its secret half, which is wiped by `wipe()`; not comparable, not printable, not picklable."""

    __slots__ = ("_raw", "_signing", "public")

    def __init__(self, kind: KeyKind, raw: bytes) -> None:
        """Make the pair of 32 raw seed bytes."""
        self._raw = SecretBytes(raw)
        if kind is KeyKind.CURVE:
            public, signing = bindings.crypto_scalarmult_base(raw), b""
        else:
            public, signing = bindings.crypto_sign_seed_keypair(raw)
        self._signing = SecretBytes(signing)
        self.public = PublicKey(encode_public(kind, public), kind, public)

    @classmethod
    def create(cls, kind: KeyKind) -> Self:
        """Make a new key from the operating system's random source."""
        return cls(kind, os.urandom(32))

    @classmethod
    def from_seed(cls, seed: SecretBytes | str | bytes) -> Self:
        """Read a seed (58 characters, nothing around them).

        Raises:
            NkeyError: it is none; the message does not repeat it.
        """
        value = seed.reveal() if isinstance(seed, SecretBytes) else seed
        text = value if isinstance(value, str) else value.decode("latin-1")
        return cls(*decode_seed(text))

    def seed(self) -> SecretBytes:
        """Return the 58 characters (ASCII) from which this pair can be made again."""
        return SecretBytes(encode_seed(self.public.kind, self._raw.reveal()))

    def sign(self, data: bytes) -> bytes:
        """Return the 64 bytes of the Ed25519 signature over `data`.

        Raises:
            NkeyError: this is a curve key, which cannot sign.
        """
        if self.public.kind is KeyKind.CURVE:
            raise NkeyError("A curve key encrypts; it cannot sign.")
        return bindings.crypto_sign(data, self._signing.reveal())[:_SIGNATURE_BYTES]

    def seal(self, plain: bytes, recipient: PublicKey) -> bytes:
        """Encrypt for `recipient`: `xkv1`, a fresh 24-byte nonce, and the NaCl box (spec §1.2).

        Raises:
            NkeyError: one of the two is no curve key.
        """
        nonce = os.urandom(_NONCE_BYTES)
        return (
            SEALED_PREFIX
            + nonce
            + bindings.crypto_box(plain, nonce, recipient.raw, self._box_secret(recipient))
        )

    def open(self, sealed: bytes, sender: PublicKey) -> bytes:
        """Decrypt what `sender` sealed for this key.

        Raises:
            NkeyError: one of the two is no curve key, or this is not what that sender sealed for this key.
        """
        secret = self._box_secret(sender)
        start = len(SEALED_PREFIX) + _NONCE_BYTES
        if not sealed.startswith(SEALED_PREFIX) or len(sealed) < start:
            raise NkeyError("This was not encrypted by a NATS curve key (xkv1).")
        try:
            return bindings.crypto_box_open(
                sealed[start:], sealed[len(SEALED_PREFIX) : start], sender.raw, secret
            )
        except CryptoError:
            raise NkeyError(
                f"This cannot be decrypted as a message from {sender} to {self.public}."
            ) from None

    def wipe(self) -> None:
        """Zero the secret half; the pair cannot sign afterwards."""
        self._raw.wipe()
        self._signing.wipe()

    def __repr__(self) -> str:
        return f"KeyPair({self.public.text})"

    def _box_secret(self, other: PublicKey) -> bytes:
        if self.public.kind is not KeyKind.CURVE or other.kind is not KeyKind.CURVE:
            raise NkeyError("Only curve keys (X…) can encrypt and decrypt.")
        return self._raw.reveal()
