"""Permissions and limits that a user JWT or a role template carries (jwt/v2 `types.go`, `user_claims.go`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from identities.claims.limits import NO_LIMIT

CONNECTION_TYPES = ("STANDARD", "WEBSOCKET", "LEAFNODE", "LEAFNODE_WS", "MQTT", "MQTT_WS", "IN_PROCESS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Allowed and denied subjects; entries of a subscribe list may be "subject queue"."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """True when nothing is listed, which allows everything."""
        return not (self.allow or self.deny)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsePermission:
    """May answer requests: `max` replies (0 = 1 on the server, negative = unlimited), `ttl` in nanoseconds
    (0 = 2 minutes on the server, negative = never expires). Both fields are always written."""

    max: int = 0
    ttl: int = 0
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """`default_permissions` of an account."""

    pub: Permission = Permission()
    sub: Permission = Permission()
    resp: ResponsePermission | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRange:
    """A daily window, both ends `HH:MM:SS` in the user's `times_location`."""

    start: str = ""
    end: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPermissionLimits:
    """What a user may do and how much: inside a user JWT (flattened into `nats`) and as a role's template.

    The defaults here are Go's zero value, which is exactly what a user issued by a role must carry;
    `unlimited()` is what a plain user starts from.
    """

    pub: Permission = Permission()
    sub: Permission = Permission()
    resp: ResponsePermission | None = None
    src: tuple[str, ...] = ()
    times: tuple[TimeRange, ...] = ()
    times_location: str = ""
    subs: int = 0
    data: int = 0
    payload: int = 0
    bearer_token: bool = False
    proxy_required: bool = False
    allowed_connection_types: tuple[str, ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def unlimited(cls) -> UserPermissionLimits:
        """What `NewUserClaims` and nsc give a new plain user."""
        return cls(subs=NO_LIMIT, data=NO_LIMIT, payload=NO_LIMIT)
