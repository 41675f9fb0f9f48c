"""Who may sign for whom: an operator for its accounts, an account for its users and activations (spec §3.8, §3.9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from identities.claims.account import AccountBody
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.operator import OperatorBody
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.claims.scopes import SigningKey
from identities.claims.user import UserBody

_ZERO = UserPermissionLimits()
_NO_SUBJECTS = Permission()
_LISTS = ("src", "times", "allowed_connection_types")


def did_sign(signer: Claims[object], claims: Claims[object]) -> bool:
    """True when `signer`, an operator's or account's claims, stands behind `claims` (Go's `DidSign`).

    A strict operator's identity key counts only for its own JWT. What an account's signing key signed counts only
    when its `issuer_account` names the account. Scoped keys are not told apart: see `scoped_signer_issues`.
    """
    body = signer.nats
    if isinstance(body, OperatorBody):
        if claims.iss == signer.sub:
            return not body.strict_signing_key_usage or claims.sub == signer.sub
        return claims.iss in body.signing_keys
    if isinstance(body, AccountBody):
        return _account_did_sign(signer.sub, body, claims)
    return False


def _account_did_sign(account: str, body: AccountBody, claims: Claims[object]) -> bool:
    if claims.iss == account:
        return True
    signed = claims.nats
    if not isinstance(signed, UserBody | ActivationBody) or signed.issuer_account != account:
        return False
    return signing_key(body, claims.iss) is not None


def signing_key(account: AccountBody, public_key: str) -> SigningKey | None:
    """The account's signing key of that public key, plain or scoped; None when it has none."""
    return next((key for key in account.signing_keys if key.key == public_key), None)


def scoped_signer_issues(scope: SigningKey, claims: Claims[object]) -> list[str]:
    """Why a server would refuse `claims` signed by the scoped key `scope`, in the Go library's words; [] = accepted.

    A role's user must carry no permissions and no limits of its own, not even the empty lists that Go tells apart from
    absent ones (`ValidateScopedSigner`): those are looked for in the payload that the claims were read from.
    """
    body = claims.nats
    if not isinstance(body, UserBody):
        return ["not an user claim - scoped signing key requires user claim"]
    found = []
    if claims.iss != scope.key:
        found.append("issuer not the scoped signer")
    if not has_empty_permissions(claims):
        found.append("scoped users require no permissions or limits set")
    return found


def has_empty_permissions(claims: Claims[object]) -> bool:
    """True for a user with no permissions and limits at all, as users of roles must be (Go's `HasEmptyPermissions`)."""
    body = claims.nats
    if not isinstance(body, UserBody) or not (body.limits.pub.is_empty and body.limits.sub.is_empty):
        return False
    if replace(body.limits, pub=_NO_SUBJECTS, sub=_NO_SUBJECTS, extra={}) != _ZERO:
        return False
    return claims.source is None or not _empties(claims.source.get("nats"))


def _empties(nats: object) -> bool:
    """Whether the JSON holds an empty list where Go's zero value has none; Go does not mind the case of keys."""
    if not isinstance(nats, Mapping):
        return False
    for key, value in nats.items():
        name = str(key).lower()
        if name in _LISTS and (value == [] or value == ""):
            return True
        if name in ("pub", "sub") and isinstance(value, Mapping) and _holds_empty_list(value):
            return True
    return False


def _holds_empty_list(permission: Mapping[str, object]) -> bool:
    return any(key.lower() in ("allow", "deny") and value == [] for key, value in permission.items())
