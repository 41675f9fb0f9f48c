"""The `nats` body of an activation JWT (jwt/v2 `activation_claims.go`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationBody:
    """A private export opened for one account: `sub` is that account, `kind` is stream or service."""

    subject: str = ""
    kind: str = ""
    issuer_account: str = ""
    tags: tuple[str, ...] = ()
    type: str = "activation"
    version: int = 2
    extra: Mapping[str, object] = field(default_factory=dict)
