"""Imports of an account (jwt/v2 `imports.go`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """A stream or service of another account; `subject` is always the exporter's, `token` an activation JWT."""

    name: str = ""
    subject: str = ""
    account: str = ""
    token: str = ""
    to: str = ""
    local_subject: str = ""
    type: str = ""
    share: bool = False
    allow_trace: bool = False
    extra: Mapping[str, object] = field(default_factory=dict)
