"""The `nats` body of an account JWT (jwt/v2 `account_claims.go`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.limits import OperatorLimits
from identities.claims.mappings import WeightedMapping
from identities.claims.permissions import Permissions
from identities.claims.scopes import SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalAuthorization:
    """Auth callout settings; always written, `{}` when unused."""

    auth_users: tuple[str, ...] = ()
    allowed_accounts: tuple[str, ...] = ()
    xkey: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MsgTrace:
    """Message tracing: destination subject and sampling percentage (0 reads as 100 in `Validate`)."""

    dest: str = ""
    sampling: int = 0
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBody:
    """What an account JWT says beside its common claims. Exports and imports are sorted by subject and
    signing keys by key when encoded; `revocations` maps a user key or `*` to unix seconds."""

    imports: tuple[Import | None, ...] = ()
    exports: tuple[Export | None, ...] = ()
    limits: OperatorLimits = field(default_factory=OperatorLimits)
    signing_keys: tuple[SigningKey, ...] = ()
    revocations: Mapping[str, int] = field(default_factory=dict)
    default_permissions: Permissions = Permissions()
    mappings: Mapping[str, tuple[WeightedMapping, ...]] = field(default_factory=dict)
    authorization: ExternalAuthorization = ExternalAuthorization()
    trace: MsgTrace | None = None
    cluster_traffic: str = ""
    description: str = ""
    info_url: str = ""
    tags: tuple[str, ...] = ()
    type: str = "account"
    version: int = 2
    extra: Mapping[str, object] = field(default_factory=dict)
