"""Who may sign for whom: an operator for its accounts, an account for its users and activations (spec §3.8, §3.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def without_rights(claims: Claims[UserBody]) -> Claims[UserBody]:
    """A user's claims without permissions and limits, as users of roles must be; unknown fields stay.

    The empty lists that Go tells apart from absent ones go too, from the payload that the claims were read from.
    """
    limits, source = claims.nats.limits, claims.source
    bare = replace(
        _ZERO,
        pub=replace(_NO_SUBJECTS, extra=limits.pub.extra),
        sub=replace(_NO_SUBJECTS, extra=limits.sub.extra),
        extra=limits.extra,
    )
    nats = source.get("nats") if source is not None else None
    if source is not None and isinstance(nats, Mapping):
        source = {**source, "nats": _without_empties(nats)}
    return replace(claims, nats=replace(claims.nats, limits=bare), source=source)


def _empties(nats: object) -> bool:
    """Whether the JSON holds an empty list where Go's zero value has none; Go does not mind the case of keys."""
    return isinstance(nats, Mapping) and _without_empties(nats) != nats


def _without_empties(nats: Mapping[str, object]) -> dict[str, object]:
    left = {str(key): value for key, value in nats.items() if not _is_empty(key, value, _LISTS)}
    for key, value in left.items():
        if key.lower() in ("pub", "sub") and isinstance(value, Mapping):
            left[key] = {
                name: held for name, held in value.items() if not _is_empty(name, held, ("allow", "deny"))
            }
    return left


def _is_empty(key: object, value: object, lists: Sequence[str]) -> bool:
    return str(key).lower() in lists and (value == [] or value == "")
