"""The rules of jwt/v2 for auth callout requests and responses (`authorization_claims.go Validate`)."""

from __future__ import annotations

from identities.claims.authorization import AuthorizationRequestBody, AuthorizationResponseBody
from identities.claims.common import Claims
from identities.claims.validate_findings import Findings
from identities.claims.validate_text import quote
from identities.nkeys import KeyKind, is_public


def validate_request(found: Findings, body: AuthorizationRequestBody) -> None:
    """All rules of a callout request but the times."""
    if not body.user_nkey:
        found.error("nats.user_nkey", "User nkey is required")
    elif not is_public(body.user_nkey, KeyKind.USER):
        found.error("nats.user_nkey", f"User nkey {quote(body.user_nkey)} is not a valid user public key")


def validate_response(found: Findings, claims: Claims[object], body: AuthorizationResponseBody) -> None:
    """All rules of a callout response but the times."""
    if not is_public(claims.sub, KeyKind.USER):
        found.error("sub", "Subject must be a user public key")
    if not is_public(claims.aud, KeyKind.SERVER):
        found.error("aud", "Audience must be a server public key")
    if not body.jwt and not body.error:
        found.error("nats.jwt", "Error or Jwt is required")
    if body.jwt and body.error:
        found.error("nats.jwt", "Only Error or Jwt can be set")
    if body.issuer_account and not is_public(body.issuer_account, KeyKind.ACCOUNT):
        found.error("nats.issuer_account", "issuer_account is not an account public key")
