"""Read version 1 tokens as version 2 claims (jwt/v2 `decoder_*.go`, spec §4).

What version 2 dropped (`identity`, `max`, an activation's limits) goes; what neither version knows stays in `extra`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from identities.claims.account import AccountBody
from identities.claims.activation import ActivationBody
from identities.claims.bodies import FLOW, SHAPES, Kind
from identities.claims.common import Claims
from identities.claims.errors import ClaimsError
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.limits import NO_LIMIT, OperatorLimits
from identities.claims.operator import OperatorBody
from identities.claims.permissions import Permission, ResponsePermission, TimeRange, UserPermissionLimits
from identities.claims.scopes import SigningKey
from identities.claims.shape import Shape
from identities.claims.user import UserBody


@dataclass(frozen=True, slots=True, kw_only=True)
class _V1Claims:
    """The common claims of version 1, with what later moved into `nats`."""

    aud: str = ""
    exp: int = 0
    jti: str = ""
    iat: int = 0
    iss: str = ""
    name: str = ""
    nbf: int = 0
    sub: str = ""
    tags: tuple[str, ...] = ()
    type: str = ""
    nats: object = None
    issuer_account: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _V1Operator:
    signing_keys: tuple[str, ...] = ()
    account_server_url: str = ""
    operator_service_urls: tuple[str, ...] = ()
    system_account: str = ""
    identity: object = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _V1Limits:
    subs: int = 0
    data: int = 0
    payload: int = 0
    imports: int = 0
    exports: int = 0
    wildcards: bool = False
    disallow_bearer: bool = False
    conn: int = 0
    leaf: int = 0
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _V1Account:
    imports: tuple[Import | None, ...] = ()
    exports: tuple[Export | None, ...] = ()
    limits: _V1Limits = _V1Limits()
    signing_keys: tuple[str, ...] = ()
    revocations: Mapping[str, int] = field(default_factory=dict)
    identity: object = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _V1User:
    pub: Permission = Permission()
    sub: Permission = Permission()
    resp: ResponsePermission | None = None
    src: tuple[str, ...] = ()
    times: tuple[TimeRange, ...] = ()
    times_location: str = ""
    subs: int = NO_LIMIT
    data: int = NO_LIMIT
    payload: int = NO_LIMIT
    bearer_token: bool = False
    max: int = NO_LIMIT
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _V1Activation:
    subject: str = ""
    type: str = ""
    max: int = NO_LIMIT
    payload: int = NO_LIMIT
    src: str = ""
    times: tuple[TimeRange, ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)


_CLAIMS = Shape(_V1Claims, SHAPES)
_KNOWN: dict[type, Shape[Any]] = {**SHAPES, _V1Limits: Shape(_V1Limits, SHAPES)}
_UNLIMITED = {"subs": NO_LIMIT, "data": NO_LIMIT, "payload": NO_LIMIT}
_USER = Shape(
    _V1User,
    SHAPES,
    special={"src": SHAPES[UserPermissionLimits].fields["src"]},
    zeros={**_UNLIMITED, "max": NO_LIMIT},
)
_BODIES: dict[str, Shape[Any]] = {
    "operator": Shape(_V1Operator, SHAPES),
    "account": Shape(_V1Account, _KNOWN),
    "user": _USER,
    "activation": Shape(_V1Activation, SHAPES, special={"type": FLOW}),
}


def upgrade(tree: object, kind: Kind) -> Claims[Any]:
    """Return a version 1 payload as claims whose body still says version 1 (encoding makes it 2).

    Raises:
        ClaimsError: there was no such type in version 1.
        Misfit: a value has the wrong type.
    """
    shape = _BODIES.get(kind.type)
    if shape is None:
        raise ClaimsError(f"There is no version 1 of {kind.type} claims.")
    outer = _CLAIMS.read(tree)
    inner = shape.read(outer.nats if outer.nats is not None else {})
    body = _MOVES[kind.type](inner, outer)
    common = {
        item.name: getattr(outer, item.name) for item in fields(Claims) if item.name not in {"nats", "source"}
    }
    return Claims(nats=body, **common)


def _operator(old: _V1Operator, outer: _V1Claims) -> OperatorBody:
    return OperatorBody(
        signing_keys=old.signing_keys,
        account_server_url=old.account_server_url,
        operator_service_urls=old.operator_service_urls,
        system_account=old.system_account,
        tags=outer.tags,
        version=1,
        extra=_unknown(old.extra, OperatorBody),
    )


def _account(old: _V1Account, outer: _V1Claims) -> AccountBody:
    kept = {item.name: getattr(old.limits, item.name) for item in fields(old.limits)}
    return AccountBody(
        imports=old.imports,
        exports=old.exports,
        limits=OperatorLimits(**kept | {"extra": _unknown(old.limits.extra, OperatorLimits)}),
        signing_keys=tuple(SigningKey(key=key) for key in dict.fromkeys(old.signing_keys)),
        revocations=old.revocations,
        tags=outer.tags,
        version=1,
        extra=_unknown(old.extra, AccountBody),
    )


def _user(old: _V1User, outer: _V1Claims) -> UserBody:
    kept = {item.name: getattr(old, item.name) for item in fields(old) if item.name not in {"max", "extra"}}
    return UserBody(
        limits=UserPermissionLimits(**kept),
        issuer_account=outer.issuer_account,
        tags=outer.tags,
        version=1,
        extra=_unknown(old.extra, UserBody),
    )


def _activation(old: _V1Activation, outer: _V1Claims) -> ActivationBody:
    return ActivationBody(
        subject=old.subject,
        kind=old.type,
        issuer_account=outer.issuer_account,
        tags=outer.tags,
        version=1,
        extra=_unknown(old.extra, ActivationBody),
    )


_MOVES: dict[str, Callable[[Any, _V1Claims], Any]] = {
    "operator": _operator,
    "account": _account,
    "user": _user,
    "activation": _activation,
}


def _unknown(extra: Mapping[str, object], cls: type) -> dict[str, object]:
    """Leave out what only version 2 gives a meaning: a version 1 reader ignored it, so it must not come alive."""
    return {key: value for key, value in extra.items() if not SHAPES[cls].knows(key)}
