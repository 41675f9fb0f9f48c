"""Decode, verify, encode and sign NATS JWTs as jwt/v2 does (`claims.go`, `decoder.go`, `header.go`, spec §2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from identities.claims import gojson
from identities.claims.account import AccountBody
from identities.claims.bodies import CLAIMS, GENERIC, KINDS, SHAPES, Kind, kind_of_body
from identities.claims.common import Claims
from identities.claims.errors import ClaimsError
from identities.claims.generic import GenericBody
from identities.claims.operator import OperatorBody
from identities.claims.patching import patch
from identities.claims.shape import Misfit, Shape
from identities.claims.upgrade import upgrade
from identities.claims.user import UserBody
from identities.nkeys import NkeyError, PublicKey, is_public, kind_of

Body = TypeVar("Body")

VERSION = 2
MAX_TOKEN_SIZE = 1024 * 1024
OLD_ALGORITHM = "ed25519"
ALGORITHM = "ed25519-nkey"
HEADER = {"typ": "JWT", "alg": ALGORITHM}
_HEADER_SEGMENT = "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ"
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SHA512_256 = hashlib.new("sha512_256")
_HASHED = ("aud", "exp", "iat", "iss", "name", "nbf", "sub")
_FLAT_JETSTREAM = (
    "mem_storage",
    "disk_storage",
    "streams",
    "consumer",
    "max_ack_pending",
    "mem_max_stream_bytes",
    "disk_max_stream_bytes",
    "max_bytes_required",
)


class Signer(Protocol):
    """What signs: a key pair here, or a key that is kept elsewhere."""

    @property
    def public(self) -> PublicKey: ...

    def sign(self, data: bytes) -> bytes: ...


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fields:
    """Go's GenericFields: what every body ends with."""

    tags: tuple[str, ...] = ()
    type: str = ""
    version: int = 0
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Identifier:
    """What tells type and version of a payload (`decoder.go`)."""

    type: str = ""
    nats: _Fields = _Fields()
    extra: Mapping[str, object] = field(default_factory=dict)


_IDENTIFIER = Shape(_Identifier, {_Fields: Shape(_Fields, {})})


def decode(text: str) -> Token:
    """Read and verify a token: form, header, types, signature, and that this kind of key may issue it.

    Whether the issuer is trusted, and whether the claims are sensible or expired, is not asked here.

    Raises:
        ClaimsError: anything else than a token that Go's `jwt.Decode` accepts; in its words where it has words.
    """
    header_part, payload_part, signature_part = _parts(text)
    header = _header(header_part)
    data = _unbase64(payload_part)
    claims, kind, version = _load(gojson.loads(data))
    signature = _unbase64(signature_part)
    # Which bytes were signed is decided by the body, never by the header (spec §2.1).
    old = version <= 1 or kind is GENERIC
    _verify(claims.iss, payload_part if old else f"{header_part}.{payload_part}", signature, old=old)
    _check_issuer(claims.iss, kind)
    return _token(text, header, data, claims, kind, version)


def decode_generic(text: str) -> Token:
    """Read and verify a token of any type as free claims, as Go's `jwt.DecodeGeneric` does.

    Raises:
        ClaimsError: not a token, or its signature is wrong.
    """
    header_part, payload_part, signature_part = _parts(text)
    header = _header(header_part)
    data = _unbase64(payload_part)
    claims = _read_claims(gojson.loads(data), GENERIC)
    old = header["alg"] == OLD_ALGORITHM
    signature = _unbase64(signature_part)
    _verify(claims.iss, payload_part if old else f"{header_part}.{payload_part}", signature, old=old)
    return _token(text, header, data, claims, GENERIC, 1 if old else VERSION)


def peek(text: str) -> Peeked:
    """Read what can be read of any text without trusting it, for the inspector; never raises."""
    errors: list[str] = []
    header: Mapping[str, object] | None = None
    payload = ""
    claims: Claims[Any] | None = None
    try:
        header_part, payload_part, _ = _parts(text)
    except ClaimsError as error:
        return Peeked(errors=(error.user_message,))
    try:
        header = _header(header_part)
    except ClaimsError as error:
        errors.append(error.user_message)
    try:
        data = _unbase64(payload_part)
        payload = data.decode(errors="replace")
        claims, _, _ = _load(gojson.loads(data))
    except ClaimsError as error:
        errors.append(error.user_message)
    if not errors:
        try:
            decode(text)
        except ClaimsError as error:
            errors.append(error.user_message)
    return Peeked(header=header, payload=payload, claims=claims, errors=tuple(errors))


def from_payload(text: str) -> Claims[Any]:
    """Return the claims of a payload text, such as a stored claims document; nothing is verified.

    Raises:
        ClaimsError: it is no payload of a NATS JWT.
    """
    return _load(gojson.loads(text.encode(errors="surrogatepass")))[0]


def payload_text(claims: Claims[Any]) -> str:
    """Return the payload as Go would write it; of claims that were read from somewhere, with only the edits changed.

    Raises:
        ClaimsError: some value cannot be written (a sampling rate over 100, say).
    """
    return gojson.dumps(_tree(claims, _read_source(claims)))


def encode(claims: Claims[Body], signer: Signer, now: int) -> Token:
    """Sign claims. `iss`, `iat` (= `now`), `jti`, and the body's type and version are set; lists that were edited are
    sorted as Go sorts them.

    Raises:
        ClaimsError: subject or issuer is of the wrong kind, or some value cannot be written.
    """
    kind = kind_of_body(claims.nats)
    _check_subject(claims, kind)
    issuer = signer.public.text
    _check_issuer(issuer, kind)
    before = _read_source(claims)
    body = _canonical(claims.nats, None if before is None else before.nats, kind)
    jti = _jti(replace(claims, iss=issuer, iat=now))
    finished = replace(claims, iss=issuer, iat=now, jti=jti, nats=body)
    tree = _tree(finished, before)
    payload = gojson.dumps(tree)
    signed = f"{_HEADER_SEGMENT}.{_base64(payload.encode())}"
    return Token(
        text=f"{signed}.{_base64(signer.sign(signed.encode()))}",
        header=HEADER,
        payload=payload,
        claims=replace(finished, source=tree),
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
    _verify(signer.public.text, f"{header_part}.{payload_part}", _unbase64(signature_part), old=False)
    if header_part != _HEADER_SEGMENT:
        raise ClaimsError("The token's header is not the one that was meant.")
    read, kind, version = _load(gojson.loads(_unbase64(payload_part)))
    if version != VERSION and kind is not GENERIC:
        raise ClaimsError("The token would be read as an older version.")
    if read != token.claims or kind.type != token.type:
        raise ClaimsError(f"The token would not say what was meant: {_first_difference(token.claims, read)}")
    return token


def _parts(text: str) -> tuple[str, str, str]:
    if len(text) > MAX_TOKEN_SIZE:
        raise ClaimsError(
            f"token size {len(text)} exceeds maximum of {MAX_TOKEN_SIZE} bytes: token too large",
        )
    parts = text.split(".")
    if len(parts) != 3:
        raise ClaimsError("expected 3 chunks")
    return parts[0], parts[1], parts[2]


def _unbase64(part: str) -> bytes:
    """Decode one segment as Go does: base64url, no padding, line breaks ignored, unused bits ignored."""
    if "\n" in part or "\r" in part:
        part = part.replace("\n", "").replace("\r", "")
    if _BASE64URL.fullmatch(part) is None or len(part) % 4 == 1:
        bad = next(
            (index for index, letter in enumerate(part) if not _BASE64URL.fullmatch(letter)), len(part)
        )
        raise ClaimsError(f"illegal base64 data at input byte {bad}")
    return binascii.a2b_base64(part.replace("-", "+").replace("_", "/") + "=" * (-len(part) % 4))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _header(part: str) -> dict[str, object]:
    tree = gojson.loads(_unbase64(part))
    if type(tree) is not dict:
        raise ClaimsError(f"json: cannot unmarshal {gojson.kind(tree)} into Go value of type jwt.Header")
    typ, alg = tree.get("typ", ""), tree.get("alg", "")
    if type(typ) is not str or typ.upper() != "JWT":
        raise ClaimsError(f"not supported type {_quoted(typ)}")
    if type(alg) is not str or alg.lower() not in {ALGORITHM, OLD_ALGORITHM}:
        raise ClaimsError(f"unexpected {_quoted(alg)} algorithm")
    return tree


def _quoted(value: object) -> str:
    return gojson.dumps(value)[:80]


def _load(tree: object) -> tuple[Claims[Any], Kind, int]:
    """Return claims, kind and version of a payload (`loadClaims`)."""
    try:
        found = _IDENTIFIER.read(tree)
    except Misfit as misfit:
        raise ClaimsError(misfit.words) from None
    name, version = (found.type, 1) if found.type else (found.nats.type, found.nats.version)
    if version > VERSION:
        raise ClaimsError("JWT was generated by a newer version ")
    if name in {"cluster", "server"}:
        raise ClaimsError(f"{name.title()}Claims are not supported")
    kind = KINDS.get(name, GENERIC)
    versioned = kind is not GENERIC and not name.startswith("authorization_")
    if versioned and version not in {1, 2}:
        raise ClaimsError(f"library supports version {VERSION} or less - received {version}")
    if versioned and version == 1:
        try:
            return upgrade(tree, kind), kind, version
        except Misfit as misfit:
            raise ClaimsError(misfit.words) from None
    return _read_claims(tree, kind), kind, version


def _read_claims(tree: Any, kind: Kind) -> Claims[Any]:
    try:
        values = CLAIMS.values(tree)
        raw = values["nats"]
        if kind is GENERIC:
            if raw is not None and type(raw) is not dict:
                raise Misfit("cannot unmarshal nats into Go value of type map")
            values["nats"] = GenericBody(data=raw or {})
        else:
            try:
                values["nats"] = kind.read(raw or {})
            except Misfit as misfit:
                raise misfit.within("nats") from None
    except Misfit as misfit:
        raise ClaimsError(misfit.words) from None
    claims: Claims[Any] = Claims(**values, source=tree)
    if type(claims.nats) is AccountBody and claims.nats.limits.tiered_limits:
        return _without_flat_jetstream(claims)
    return claims


def _without_flat_jetstream(claims: Claims[AccountBody]) -> Claims[AccountBody]:
    """Drop the flat JetStream limits beside tiers, as every Go reader does (`decoder_account.go`)."""
    zeros = dict.fromkeys(_FLAT_JETSTREAM, 0) | {"max_bytes_required": False}
    limits = replace(claims.nats.limits, **zeros)
    source: Any = claims.source
    for key in _FLAT_JETSTREAM:
        source["nats"]["limits"].pop(key, None)
    return replace(claims, nats=replace(claims.nats, limits=limits))


def _verify(issuer: str, signed: str, signature: bytes, *, old: bool) -> None:
    try:
        valid = PublicKey.parse(issuer).verify(signed.encode(), signature)
    except NkeyError:
        valid = False
    if not valid:
        raise ClaimsError(f"claim failed V{1 if old else 2} signature verification")


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
        raise ClaimsError(f"account server url {_quoted(body.account_server_url)} requires a protocol")


def _token(
    text: str, header: Mapping[str, object], data: bytes, claims: Claims[Any], kind: Kind, version: int
) -> Token:
    if "\n" in text or "\r" in text:
        text = text.replace("\n", "").replace("\r", "")
    payload = data.decode(errors="replace")
    return Token(text=text, header=header, payload=payload, claims=claims, type=kind.type, version=version)


def _read_source(claims: Claims[Any]) -> Claims[Any] | None:
    """Return what the document said that these claims were read from."""
    if claims.source is None:
        return None
    kind = kind_of_body(claims.nats)
    return _read_claims(claims.source, kind)


def _tree(claims: Claims[Any], before: Claims[Any] | None) -> dict[str, Any]:
    tree = CLAIMS.write(claims)
    if isinstance(claims.nats, GenericBody) and not tree["nats"]:
        del tree["nats"]
    if before is None:
        return tree
    patched: dict[str, Any] = patch(claims.source, CLAIMS.write(before), tree)
    return patched


def _canonical(body: Any, before: Any, kind: Kind) -> Any:
    """Return the body as the encoder leaves it: type, version, sorted lists, no unknown fields in embedded limits."""
    if isinstance(body, GenericBody):
        return GenericBody(data={**body.data, "version": VERSION})
    changes: dict[str, Any] = {}
    if body.type != kind.type or body.version != VERSION:
        changes = {"type": kind.type, "version": VERSION}
    if isinstance(body, AccountBody):
        changes |= _sorted_lists(body, before)
    elif isinstance(body, UserBody) and body.limits.extra:
        changes |= {"limits": replace(body.limits, extra={}), "extra": {**body.limits.extra, **body.extra}}
    return replace(body, **changes) if changes else body


def _sorted_lists(body: AccountBody, before: AccountBody | None) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name in ("exports", "imports"):
        items = getattr(body, name)
        if len(items) > 1 and (before is None or getattr(before, name) != items):
            changes[name] = tuple(sorted(items, key=lambda item: item.subject if item else ""))
    keys = body.signing_keys
    if len(keys) > 1 and (before is None or before.signing_keys != keys):
        unique = {key.key: key for key in keys}
        changes["signing_keys"] = tuple(unique[key] for key in sorted(unique))
    return changes


def _jti(claims: Claims[Any]) -> str:
    """Return the hash over the common claims alone, the body not among them (`claims.go`, spec §2.2)."""
    hashed = {key: value for key in _HASHED if (value := getattr(claims, key))}
    digest = _SHA512_256.copy()
    digest.update(gojson.dumps(hashed).encode())
    return base64.b32encode(digest.digest()).rstrip(b"=").decode()


def _first_difference(meant: Claims[Any], read: Claims[Any]) -> str:
    """Return where two claims differ, for the message; values are left out, as they may be credentials."""
    if type(meant.nats) is not type(read.nats):
        return "it would be of another type."
    for name in CLAIMS.fields:
        if name != "nats" and getattr(meant, name) != getattr(read, name):
            return f"“{name}” would read back differently."
    shape = SHAPES.get(type(meant.nats))
    for name in shape.fields if shape else ():
        if getattr(meant.nats, name) != getattr(read.nats, name):
            return f"“nats.{name}” would read back differently."
    return "some field would read back differently."
