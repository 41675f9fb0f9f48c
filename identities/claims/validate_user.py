"""The rules of jwt/v2 for user claims (`user_claims.go Validate`)."""

from __future__ import annotations

from identities.claims.user import UserBody
from identities.claims.validate_findings import Findings, check_limits, check_permissions
from identities.nkeys import KeyKind, is_public


def validate_user(found: Findings, body: UserBody) -> None:
    """All rules of a user but the times; connection types, tags and names are not looked at, as in Go."""
    limits = body.limits
    check_permissions(found, "nats", limits)
    if limits.src or limits.times or limits.times_location:
        check_limits(found, "nats", limits)
    if body.issuer_account and not is_public(body.issuer_account, KeyKind.ACCOUNT):
        found.error("nats.issuer_account", "account_id is not an account public key")
