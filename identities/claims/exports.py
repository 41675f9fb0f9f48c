"""Exports of an account (jwt/v2 `exports.go`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLatency:
    """Latency sampling of a service: `sampling` is a percentage 1..100, or 0 for "headers"; both fields are written."""

    sampling: int = 0
    results: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A stream or service offered to other accounts; `response_threshold` in nanoseconds."""

    name: str = ""
    subject: str = ""
    type: str = ""
    token_req: bool = False
    revocations: Mapping[str, int] = field(default_factory=dict)
    response_type: str = ""
    response_threshold: int = 0
    service_latency: ServiceLatency | None = None
    account_token_position: int = 0
    advertise: bool = False
    allow_trace: bool = False
    description: str = ""
    info_url: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)
