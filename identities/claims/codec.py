"""Decode, verify, encode and sign NATS JWTs as jwt/v2 does (`claims.go`, `decoder.go`, spec §2)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from identities.claims import documents, gojson, segments
from identities.claims.bodies import CLAIMS, GENERIC, SHAPES, Kind, kind_of_body
from identities.claims.common import Claims
from identities.claims.documents import VERSION, from_payload, payload_text
from identities.claims.errors import ClaimsError
from identities.claims.operator import OperatorBody
from identities.nkeys import PublicKey, is_public, kind_of

__all__ = [
    "ClaimsError",
    "Peeked",
    "Signer",
    "Token",
    "decode",
    "decode_generic",
    "encode",
    "encode_checked",
    "from_payload",
    "payload_of",
    "payload_text",
    "peek",
]

Body = TypeVar("Body")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SHA512_256 = hashlib.new("sha512_256")
_HASHED = ("aud", "exp", "iat", "iss", "name", "nbf", "sub")


class Signer(Protocol):
    """What signs: a key pair here, or a key that is kept elsewhere."""

    @property
    def public(self) -> PublicKey:
        """The issuer of what this signs."""

    def sign(self, data: bytes) -> bytes:
        """Return the 64 bytes of the signature over `data`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A signed JWT: its canonical text, header, exact payload text, and claims. `type` is `nats.type`, or generic;
    `version` is the token's own, 1 or 2 (claims of version 1 are already in version 2's form)."""

    text: str
    header: Mapping[str, object]
    payload: str
    claims: Claims[Any]
    type: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Peeked:
    """What could be read of a token that may be bad, and everything that is wrong with it. Never trust it."""

    header: Mapping[str, object] | None = None
    payload: str = ""
    claims: Claims[Any] | None = None
    errors: tuple[str, ...] = ()


def decode(text: str) -> Token:
    """Read and verify a token: form, header, types, signature, and that this kind of key may issue it.

    Whether the issuer is trusted, and whether the claims are sensible or expired, is not asked here.

    Raises:
        ClaimsError: anything else than a token that Go's `jwt.Decode` accepts; in its words where it has words.
    """
    header_part, payload_part, signature_part = segments.split(text)
    header = segments.read_header(header_part)
    data = segments.decode(payload_part)
    claims, kind, version = documents.load(gojson.loads(data))
    signature = segments.decode(signature_part)
    # Which bytes were signed is decided by the body, never by the header (spec §2.1).
    signed_as = 1 if version <= 1 or kind is GENERIC else VERSION
    _verify(claims.iss, header_part, payload_part, signature, signed_as)
    _check_issuer(claims.iss, kind)
    return _token(text, header, data, claims, kind, version)


def decode_generic(text: str) -> Token:
    """Read and verify a token of any type as free claims, as Go's `jwt.DecodeGeneric` does.

    Raises:
        ClaimsError: not a token, or its signature is wrong.
    """
    header_part, payload_part, signature_part = segments.split(text)
    header = segments.read_header(header_part)
    data = segments.decode(payload_part)
    claims = documents.read(gojson.loads(data), GENERIC)
    signature = segments.decode(signature_part)
    version = 1 if header.get("alg") == segments.OLD_ALGORITHM else VERSION
    _verify(claims.iss, header_part, payload_part, signature, version)
    return _token(text, header, data, claims, GENERIC, version)


def payload_of(text: str) -> str:
    """The exact payload text of a token that was verified before. Raises: ClaimsError."""
    return segments.decode(segments.split(text)[1]).decode(errors="replace")


def peek(text: str) -> Peeked:
    """Read what can be read of any text without trusting it, for the inspector; never raises."""
    errors: list[str] = []
    header: Mapping[str, object] | None = None
    payload = ""
    claims: Claims[Any] | None = None
    try:
        header_part, payload_part, _ = segments.split(text)
    except ClaimsError as error:
        return Peeked(errors=(error.user_message,))
    try:
        header = segments.read_header(header_part)
    except ClaimsError as error:
        errors.append(error.user_message)
    try:
        data = segments.decode(payload_part)
        payload = data.decode(errors="replace")
        claims, _, _ = documents.load(gojson.loads(data))
    except ClaimsError as error:
        errors.append(error.user_message)
    if not errors:
        try:
            decode(text)
        except ClaimsError as error:
            errors.append(error.user_message)
    return Peeked(header=header, payload=payload, claims=claims, errors=tuple(errors))


def encode(claims: Claims[Body], signer: Signer, now: int) -> Token:
    """Sign claims. `iss`, `iat` (= `now`), `jti`, and the body's type and version are set; lists that were edited are
    sorted as Go sorts them; claims that were read from a token change in nothing but that and their edits.

    Raises:
        ClaimsError: subject or issuer is of the wrong kind, or some value cannot be written.
    """
    kind = kind_of_body(claims.nats)
    issuer = signer.public.text
    _check_subject(claims, kind)
    _check_issuer(issuer, kind)
    before = documents.read_source(claims)
    body = documents.canonical(claims.nats, None if before is None else before.nats, kind)
    finished: Claims[Any] = Claims(
        nats=body,
        aud=claims.aud,
        exp=claims.exp,
        jti=_jti(claims, issuer, now),
        iat=now,
        iss=issuer,
        name=claims.name,
        nbf=claims.nbf,
        sub=claims.sub,
        extra=claims.extra,
        source=claims.source,
    )
    payload = gojson.dumps(documents.tree_of(finished, before))
    signed = f"{segments.HEADER_SEGMENT}.{segments.encode(payload.encode())}"
    return Token(
        text=f"{signed}.{segments.encode(signer.sign(signed.encode()))}",
        header=segments.HEADER,
        payload=payload,
        claims=finished,
        type=kind.type,
        version=VERSION,
    )


def encode_checked(claims: Claims[Body], signer: Signer, now: int) -> Token:
    """Sign claims, then read our own output as a stranger would: signature, issuer, and every claim must be what was
    meant. The only call that services make.

    Raises:
        ClaimsError: see `encode`; or the token would not say what was meant.
    """
    token = encode(claims, signer, now)
    header_part, payload_part, signature_part = token.text.split(".")
    _verify(signer.public.text, header_part, payload_part, segments.decode(signature_part), VERSION)
    read, kind, version = documents.load(gojson.loads(segments.decode(payload_part)))
    if header_part != segments.HEADER_SEGMENT or (version != VERSION and kind is not GENERIC):
        raise ClaimsError("The token would be read as one of an older version.")
    if read != token.claims or kind.type != token.type:
        raise ClaimsError(f"The token would not say what was meant: {_first_difference(token.claims, read)}")
    return token


def _verify(issuer: str, header_part: str, payload_part: str, signature: bytes, version: int) -> None:
    """Check a signature; version 1 signed the payload alone."""
    signed = payload_part if version == 1 else f"{header_part}.{payload_part}"
    segments.verify(issuer, signed, signature, version=version)


def _token(
    text: str, header: Mapping[str, object], data: bytes, claims: Claims[Any], kind: Kind, version: int
) -> Token:
    return Token(
        text=segments.unlined(text),
        header=header,
        payload=data.decode(errors="replace"),
        claims=claims,
        type=kind.type,
        version=version,
    )


def _check_issuer(issuer: str, kind: Kind) -> None:
    if kind.issuers and kind_of(issuer) not in kind.issuers:
        raise ClaimsError(f"unable to validate expected prefixes - [{' '.join(kind.issuers)}]")


def _check_subject(claims: Claims[Any], kind: Kind) -> None:
    if kind.subject is not None and not is_public(claims.sub, kind.subject):
        raise ClaimsError(f"expected subject to be {kind.subject_words}")
    if not claims.sub:
        raise ClaimsError("subject is not set")
    body = claims.nats
    if (
        isinstance(body, OperatorBody)
        and body.account_server_url
        and not _SCHEME.match(body.account_server_url)
    ):
        raise ClaimsError(f"account server url {gojson.quoted(body.account_server_url)} requires a protocol")


def _jti(claims: Claims[Any], issuer: str, now: int) -> str:
    """Return the hash over the common claims alone, the body not among them (`claims.go`, spec §2.2)."""
    values = (claims.aud, claims.exp, now, issuer, claims.name, claims.nbf, claims.sub)
    hashed = {key: value for key, value in zip(_HASHED, values, strict=True) if value}
    digest = _SHA512_256.copy()
    digest.update(gojson.dumps(hashed).encode())
    return base64.b32encode(digest.digest()).rstrip(b"=").decode()


def _first_difference(meant: Claims[Any], read: Claims[Any]) -> str:
    """Return where two claims differ, for the message; values are left out, as they may be credentials."""
    if type(meant.nats) is not type(read.nats):
        return "it would be of another type."
    for name in (*CLAIMS.fields, "extra"):
        if name != "nats" and getattr(meant, name) != getattr(read, name):
            return f"“{name}” would read back differently."
    shape = SHAPES.get(type(meant.nats))
    for name in (*shape.fields, "extra") if shape else ():
        if getattr(meant.nats, name) != getattr(read.nats, name):
            return f"“nats.{name}” would read back differently."
    return "its limits would read back differently." if shape else "its data would read back differently."
