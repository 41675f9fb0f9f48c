"""NATS's keys: Ed25519 and X25519 keys in NATS's text form, and the wrapper that keeps secrets out of sight."""

from __future__ import annotations

from identities.nkeys.encoding import KeyKind, NkeyError, is_public, kind_of, looks_like_seed
from identities.nkeys.keypair import KeyPair, PublicKey
from identities.nkeys.secret import SecretBytes

__all__ = [
    "KeyKind",
    "KeyPair",
    "NkeyError",
    "PublicKey",
    "SecretBytes",
    "is_public",
    "kind_of",
    "looks_like_seed",
]
