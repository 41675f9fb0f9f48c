"""The three segments of a token: base64url, header, and which bytes were signed (jwt/v2 `decoder.go`, `header.go`)."""

from __future__ import annotations

import base64
import binascii
import re

from identities.claims import gojson
from identities.claims.errors import ClaimsError
from identities.nkeys import NkeyError, PublicKey

MAX_TOKEN_SIZE = 1024 * 1024
OLD_ALGORITHM = "ed25519"
ALGORITHM = "ed25519-nkey"
HEADER = {"typ": "JWT", "alg": ALGORITHM}
HEADER_SEGMENT = "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ"
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


def split(text: str) -> tuple[str, str, str]:
    """Return the three segments.

    Raises:
        ClaimsError: too long, or not three.
    """
    if len(text) > MAX_TOKEN_SIZE:
        raise ClaimsError(
            f"token size {len(text)} exceeds maximum of {MAX_TOKEN_SIZE} bytes: token too large"
        )
    parts = text.split(".")
    if len(parts) != 3:
        raise ClaimsError("expected 3 chunks")
    return parts[0], parts[1], parts[2]


def unlined(text: str) -> str:
    """Return a token without the line breaks that Go's base64 decoder ignores."""
    if "\n" in text or "\r" in text:
        return text.replace("\n", "").replace("\r", "")
    return text


def decode(segment: str) -> bytes:
    """Decode one segment as Go does: base64url, no padding, line breaks ignored, unused bits ignored.

    Raises:
        ClaimsError: not base64url.
    """
    segment = unlined(segment)
    if _BASE64URL.fullmatch(segment) is None or len(segment) % 4 == 1:
        good = _BASE64URL.match(segment)
        raise ClaimsError(f"illegal base64 data at input byte {good.end() if good else 0}")
    return binascii.a2b_base64(segment.replace("-", "+").replace("_", "/") + "=" * (-len(segment) % 4))


def encode(data: bytes) -> str:
    """Encode one segment."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def read_header(segment: str) -> dict[str, object]:
    """Return the header of a token of an algorithm that NATS knows.

    Raises:
        ClaimsError: another type or algorithm, or no header.
    """
    if segment == HEADER_SEGMENT:  # as nearly all are
        return dict(HEADER)
    tree = gojson.loads(decode(segment))
    if type(tree) is not dict:
        raise ClaimsError(f"json: cannot unmarshal {gojson.kind(tree)} into Go value of type jwt.Header")
    typ, algorithm = _entry(tree, "typ"), _entry(tree, "alg")
    if typ.upper() != "JWT":
        raise ClaimsError(f"not supported type {gojson.quoted(typ)}")
    if algorithm.lower() not in {ALGORITHM, OLD_ALGORITHM}:
        raise ClaimsError(f"unexpected {gojson.quoted(algorithm)} algorithm")
    return tree


def verify(issuer: str, signed: str, signature: bytes, *, version: int) -> None:
    """Check a signature over `signed`.

    Raises:
        ClaimsError: it is not by `issuer`.
    """
    try:
        valid = PublicKey.parse(issuer).verify(signed.encode(), signature)
    except NkeyError:
        valid = False
    if not valid:
        raise ClaimsError(f"claim failed V{version} signature verification")


def _entry(tree: dict[str, object], key: str) -> str:
    values = [value for name, value in tree.items() if name.lower() == key and value is not None]
    value = values[-1] if values else ""
    if type(value) is not str:
        raise ClaimsError(
            f"json: cannot unmarshal {gojson.kind(value)} into Go struct field Header.{key} of type string"
        )
    return value
