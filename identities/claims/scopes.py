"""Signing keys of an account: plain ones, and scoped ones ("roles") with a template (jwt/v2 `signingkeys.go`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from identities.claims.permissions import UserPermissionLimits

USER_SCOPE = "user_scope"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """One entry of `signing_keys`: a plain key is written as a string, a scoped one as an object whose
    fields are all written, always. `template` is None for a plain key."""

    kind: str = ""
    key: str = ""
    role: str = ""
    template: UserPermissionLimits | None = None
    description: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_scoped(self) -> bool:
        """True for a role: users signed with this key get the template."""
        return self.kind == USER_SCOPE
