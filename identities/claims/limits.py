"""Limits of accounts, of JetStream, and of users, as a JWT holds them (jwt/v2 `account_claims.go`, `types.go`).

-1 is unlimited (`NO_LIMIT`). 0 is omitted on the wire and means none for the NATS limits; for JetStream storage 0 means
disabled, and for the JetStream counts anything <= 0 means unlimited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NO_LIMIT = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class JetStreamLimits:
    """JetStream limits of one tier, or of the whole account when flat. Sizes are bytes."""

    mem_storage: int = 0
    disk_storage: int = 0
    streams: int = 0
    consumer: int = 0
    max_ack_pending: int = 0
    mem_max_stream_bytes: int = 0
    disk_max_stream_bytes: int = 0
    max_bytes_required: bool = False
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLimits:
    """The `limits` object of an account: NATS, account and JetStream limits in one flat object."""

    subs: int = 0
    data: int = 0
    payload: int = 0
    imports: int = 0
    exports: int = 0
    wildcards: bool = False
    disallow_bearer: bool = False
    conn: int = 0
    leaf: int = 0
    mem_storage: int = 0
    disk_storage: int = 0
    streams: int = 0
    consumer: int = 0
    max_ack_pending: int = 0
    mem_max_stream_bytes: int = 0
    disk_max_stream_bytes: int = 0
    max_bytes_required: bool = False
    tiered_limits: Mapping[str, JetStreamLimits] = field(default_factory=dict)
    extra: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def unlimited(cls) -> OperatorLimits:
        """What `NewAccountClaims` and nsc give a new account: everything unlimited, JetStream off."""
        return cls(
            subs=NO_LIMIT,
            data=NO_LIMIT,
            payload=NO_LIMIT,
            imports=NO_LIMIT,
            exports=NO_LIMIT,
            wildcards=True,
            conn=NO_LIMIT,
            leaf=NO_LIMIT,
        )

    @property
    def jetstream_enabled(self) -> bool:
        """True when any storage of any tier (or the flat storage) is not 0 (spec §2.6)."""
        tiers = self.tiered_limits.values() or (self,)
        return any(tier.mem_storage != 0 or tier.disk_storage != 0 for tier in tiers)
