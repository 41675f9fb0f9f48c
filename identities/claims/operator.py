"""The `nats` body of an operator JWT (jwt/v2 `operator_claims.go`); every field is dropped when empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorBody:
    """What an operator JWT says beside its common claims."""

    signing_keys: tuple[str, ...] = ()
    account_server_url: str = ""
    operator_service_urls: tuple[str, ...] = ()
    system_account: str = ""
    assert_server_version: str = ""
    strict_signing_key_usage: bool = False
    tags: tuple[str, ...] = ()
    type: str = "operator"
    version: int = 2
    extra: Mapping[str, object] = field(default_factory=dict)
