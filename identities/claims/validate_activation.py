"""The rules of jwt/v2 for activation tokens (`activation_claims.go Validate`)."""

from __future__ import annotations

from identities.claims.activation import ActivationBody
from identities.claims.validate_findings import Findings
from identities.nkeys import KeyKind, is_public


def validate_activation(found: Findings, body: ActivationBody) -> None:
    """All rules of an activation token but the times."""
    check_activation(found, "", body)


def check_activation(found: Findings, path: str, body: ActivationBody) -> None:
    """All rules of an activation but the times, each at its own path or, when the token stands in an import, at that
    import's `path`.
    """
    if body.kind not in ("stream", "service"):
        found.error(path or "nats.kind", 'invalid import type: "unknown"')
    found.subject(path or "nats.subject", body.subject)
    if body.issuer_account and not is_public(body.issuer_account, KeyKind.ACCOUNT):
        found.error(path or "nats.issuer_account", "account_id is not an account public key")
