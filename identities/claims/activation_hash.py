"""The hash by which account servers and nsc know an activation token (jwt/v2 `activation_claims.go HashID`)."""

from __future__ import annotations

import base64
import hashlib

from identities.claims.errors import ClaimsError


def activation_hash(iss: str, sub: str, subject: str) -> str:
    """Base32, padded to 56 characters, of SHA-256 over `iss.sub.subject` without the subject's wildcard part.

    `iss` is who signed (a signing key hashes differently from the account's identity), `sub` the target account.

    Raises:
        ClaimsError: one of them is empty.
    """
    if not (iss and sub and subject):
        raise ClaimsError("not enough data in the activaion claims to create a hash")
    text = f"{iss}.{sub}.{_before_wildcards(subject)}"
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()


def _before_wildcards(subject: str) -> str:
    tokens = subject.split(".")
    for index, token in enumerate(tokens):
        if token in ("*", ">"):
            return ".".join(tokens[:index]) or ("_" if index == 0 else subject)
    return subject
