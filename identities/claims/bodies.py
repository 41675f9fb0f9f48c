"""Every body that a NATS JWT can have: its shape on the wire, who may issue it, and whom it may be about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from identities.claims import gojson
from identities.claims.account import AccountBody, ExternalAuthorization, MsgTrace
from identities.claims.activation import ActivationBody
from identities.claims.authorization import (
    AuthorizationRequestBody,
    AuthorizationResponseBody,
    ClientInformation,
    ClientTls,
    ConnectOptions,
    ServerId,
)
from identities.claims.common import Claims
from identities.claims.errors import ClaimsError
from identities.claims.exports import Export, ServiceLatency
from identities.claims.generic import GenericBody
from identities.claims.imports import Import
from identities.claims.limits import NO_LIMIT, JetStreamLimits, OperatorLimits
from identities.claims.mappings import WeightedMapping
from identities.claims.operator import OperatorBody
from identities.claims.permissions import (
    Permission,
    Permissions,
    ResponsePermission,
    TimeRange,
    UserPermissionLimits,
)
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.claims.shape import (
    FREE,
    TEXT,
    UINT8,
    UINT64,
    Field,
    Misfit,
    Shape,
    listing,
    mismatch,
)
from identities.claims.user import UserBody
from identities.nkeys import KeyKind

SHAPES: dict[type, Shape[Any]] = {}
"""The shape of every dataclass that claims are made of."""

_STRINGS = listing(TEXT)


def _shape(cls: type, **options: Any) -> Shape[Any]:
    SHAPES[cls] = Shape(cls, SHAPES, **options)
    return SHAPES[cls]


def _read_flow(value: Any) -> str:
    if value is not None and type(value) is not str:
        raise mismatch(value, "string")
    if value not in {"stream", "service"}:
        raise Misfit(f'unknown export type "{value or ""}"')
    return str(value)


def _write_flow(value: str) -> str:
    if value not in {"stream", "service"}:
        raise ClaimsError("unknown export type")
    return value


FLOW = Field(zero="", read=_read_flow, write=_write_flow, reads_null=True)
"""`stream` or `service`: Go's ExportType, which is never null but may be absent (`types.go`)."""


def _read_sampling(value: Any) -> int:
    if value is None or (type(value) is str and value.lower() == "headers"):
        return 0
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise mismatch(value, "int")
    return value


def _write_sampling(value: int) -> int | str:
    if not 0 <= value <= 100:
        raise ClaimsError("unknown sampling rate")
    return value or "headers"


def _read_networks(value: Any) -> tuple[str, ...]:
    """Read the array, or the comma-separated string of older tokens (`CIDRList.UnmarshalJSON`)."""
    if type(value) is str:
        found = (part.strip() for part in value.lower().split(","))
        return tuple(dict.fromkeys(part for part in found if part))
    networks: tuple[str, ...] = _STRINGS.read(value)
    return networks


def read_signing_key(value: Any) -> SigningKey | None:
    """Read one entry of an account's list; None for what Go skips.

    Raises:
        Misfit: a scope of a kind that nobody knows, or a value of the wrong type.
    """
    if type(value) is str:
        return SigningKey(key=value)
    if type(value) is not dict:  # Go skips what is neither
        return None
    if value.get("kind") != USER_SCOPE:
        raise Misfit(f"unknown signing key scope {gojson.dumps(value.get('kind'))}")
    scope: SigningKey = SHAPES[SigningKey].read(gojson.through_float(value))
    return scope


def _read_signing_keys(value: Any) -> tuple[SigningKey, ...]:
    """Read a list that Go keeps as a map: of two entries with one key, the later stays."""
    found: dict[str, SigningKey] = {}
    for item in listing(Field(zero=None, read=read_signing_key)).read(value):
        if item is not None:
            found[item.key] = item
    return tuple(found.values())


def _write_signing_keys(value: tuple[SigningKey, ...]) -> list[Any]:
    return [SHAPES[SigningKey].write(item) if item.is_scoped else item.key for item in value]


_NO_LIMITS = {"subs": NO_LIMIT, "data": NO_LIMIT, "payload": NO_LIMIT}
_NETWORKS = Field(zero=(), read=_read_networks, write=list)

_shape(JetStreamLimits)
_shape(OperatorLimits)
for _plain in (
    Permission,
    TimeRange,
    ExternalAuthorization,
    MsgTrace,
    OperatorBody,
    ClientInformation,
    ClientTls,
):
    _shape(_plain, special={"id": UINT64} if _plain is ClientInformation else None)
_shape(ResponsePermission, always=("max", "ttl"))
_shape(Permissions)
_shape(UserPermissionLimits, special={"src": _NETWORKS})
_shape(UserBody, embedded="limits")
_template = Shape(UserPermissionLimits, SHAPES, special={"src": _NETWORKS}, zeros=_NO_LIMITS)
_shape(
    SigningKey,
    special={"template": _template.field()},
    always=("kind", "key", "role", "template", "description"),
)
_shape(
    ServiceLatency,
    special={"sampling": Field(zero=0, read=_read_sampling, write=_write_sampling, reads_null=True)},
    always=("sampling", "results"),
)
_shape(Export, special={"type": FLOW, "account_token_position": UINT64})
_shape(Import, special={"type": FLOW})
_shape(WeightedMapping, special={"weight": UINT8}, always=("subject",))
SIGNING_KEYS = Field(zero=(), read=_read_signing_keys, write=_write_signing_keys)
_shape(AccountBody, special={"signing_keys": SIGNING_KEYS})
_shape(ActivationBody, special={"kind": FLOW})
_shape(ServerId, always=("name", "host", "id"))
_shape(ConnectOptions, always=("protocol",))
_shape(AuthorizationRequestBody, always=("user_nkey",))
_shape(AuthorizationResponseBody)


def write_body(body: Any) -> dict[str, Any]:
    """Return the `nats` object of a body, keys in Go's order."""
    if isinstance(body, GenericBody):
        data = gojson.sort_maps(body.data)
        return data if isinstance(data, dict) else {}
    return SHAPES[type(body)].write(body)


CLAIMS: Shape[Claims[Any]] = Shape(
    Claims,
    SHAPES,
    special={"nats": Field(zero=None, read=FREE.read, write=write_body, always=True)},
    last="nats",
    zeros={"nats": None},
)
"""The common claims; `nats` is read as it is, and written by its own shape."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of token: who may issue it (empty = anybody), and what its subject must be when it is signed."""

    type: str
    cls: Any
    issuers: tuple[KeyKind, ...] = ()
    subject: KeyKind | None = None
    subject_words: str = ""

    @property
    def versioned(self) -> bool:
        """Whether Go looks at the version of such a token, and knows a version 1 of it."""
        return self.subject is not None

    def read(self, tree: Any) -> Any:
        """Return the body of a `nats` object.

        Raises:
            Misfit: some value has the wrong type.
        """
        if self.cls is GenericBody:
            if type(tree) is not dict:
                raise mismatch(tree, "map")
            return GenericBody(data=tree)
        return SHAPES[self.cls].read(tree)


_O, _A, _U, _N = KeyKind.OPERATOR, KeyKind.ACCOUNT, KeyKind.USER, KeyKind.SERVER
KINDS = {
    kind.type: kind
    for kind in (
        Kind("operator", OperatorBody, (_O,), _O, "an operator public key"),
        Kind("account", AccountBody, (_A, _O), _A, "account public key"),
        Kind("user", UserBody, (_A,), _U, "user public key"),
        Kind("activation", ActivationBody, (_A, _O), _A, "an account"),
        Kind("authorization_request", AuthorizationRequestBody, (_N,)),
        Kind("authorization_response", AuthorizationResponseBody, (_A,)),
    )
}
"""The typed tokens, by `nats.type`."""

GENERIC = Kind("generic", GenericBody)
_KIND_OF_CLASS: dict[type, Kind] = {kind.cls: kind for kind in (*KINDS.values(), GENERIC)}


def kind_of_body(body: object) -> Kind:
    """Return the kind of a body.

    Raises:
        ClaimsError: it is no body of a NATS token.
    """
    kind = _KIND_OF_CLASS.get(type(body))
    if kind is None:
        raise ClaimsError(f"{type(body).__name__} is not the body of a NATS token.")
    return kind
