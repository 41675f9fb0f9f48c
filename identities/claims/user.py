"""The `nats` body of a user JWT (jwt/v2 `user_claims.go`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from identities.claims.permissions import UserPermissionLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class UserBody:
    """What a user JWT says beside its common claims; `limits` is flattened into the same JSON object."""

    limits: UserPermissionLimits = field(default_factory=UserPermissionLimits.unlimited)
    issuer_account: str = ""
    tags: tuple[str, ...] = ()
    type: str = "user"
    version: int = 2
    extra: Mapping[str, object] = field(default_factory=dict)
