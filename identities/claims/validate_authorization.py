"""The rules of jwt/v2 for auth callout requests and responses (`authorization_claims.go Validate`).

Both travel as plain objects here: nscweb signs neither, it only shows what somebody pastes.
"""

from __future__ import annotations

from collections.abc import Mapping

from identities.claims.common import Claims
from identities.claims.validate_findings import Findings
from identities.claims.validate_text import quote
from identities.nkeys import KeyKind, is_public


def validate_request(found: Findings, body: Mapping[str, object]) -> None:
    """All rules of a callout request but the times."""
    key = _text(body, "user_nkey")
    if not key:
        found.error("nats.user_nkey", "User nkey is required")
    elif not is_public(key, KeyKind.USER):
        found.error("nats.user_nkey", f"User nkey {quote(key)} is not a valid user public key")


def validate_response(found: Findings, claims: Claims[object], body: Mapping[str, object]) -> None:
    """All rules of a callout response but the times."""
    if not is_public(claims.sub, KeyKind.USER):
        found.error("sub", "Subject must be a user public key")
    if not is_public(claims.aud, KeyKind.SERVER):
        found.error("aud", "Audience must be a server public key")
    token, refusal = _text(body, "jwt"), _text(body, "error")
    if not token and not refusal:
        found.error("nats.jwt", "Error or Jwt is required")
    if token and refusal:
        found.error("nats.jwt", "Only Error or Jwt can be set")
    issuer_account = _text(body, "issuer_account")
    if issuer_account and not is_public(issuer_account, KeyKind.ACCOUNT):
        found.error("nats.issuer_account", "issuer_account is not an account public key")


def _text(body: Mapping[str, object], key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""
