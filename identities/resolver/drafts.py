"""What a person fills in about a cluster, or about a webhook."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from identities.nkeys import SecretBytes

MOST_URLS: Final = 16
SHORTEST: Final = 0.1
LONGEST: Final = 30.0
"""Bounds of the times, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterDraft:
    """How servers are reached; times in seconds. Without a `client_key` the one that is sealed stays, as long as there
    is a `client_cert`.
    """

    name: str
    urls: tuple[str, ...]
    ca_pem: str = field(default="", repr=False)
    client_cert: str = field(default="", repr=False)
    client_key: SecretBytes | None = field(default=None, repr=False)
    tls_first: bool = False
    connect_seconds: float = 3.0
    request_seconds: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDraft:
    """Where events are posted to; no classes (beginnings of names of actions): every event. `warnings`: of expiries
    too.
    """

    name: str
    url: str
    classes: tuple[str, ...] = ()
    warnings: bool = True
