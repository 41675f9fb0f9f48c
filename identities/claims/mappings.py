"""Subject mappings of an account (jwt/v2 `account_claims.go`)."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedMapping:
    """One destination of a mapped subject; weight 0 means 100."""

    subject: str = ""
    weight: int = 0
    cluster: str = ""
    extra: MappingType[str, object] = field(default_factory=dict)
