"""Signs accounts anew, a chunk a transaction: for a new operator key, or after a signing key was replaced."""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction
from django.db.models import QuerySet

from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.report import Report
from identities.errors import IdentityError
from identities.models import Account, Key, Operator
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, audit, changes, clock, operators, signing
from identities.services.resigning import TOO_SOON, Chunk, Left

CHUNK = 50


def rows(operator: Operator, source: str) -> QuerySet[Account]:
    """The accounts that `source` issued, in order."""
    return Account.objects.live().filter(operator=operator, issuer=source).order_by("pk")


def sign_chunk(
    *, principal: Principal, operator: Operator, source: str, target: str = "", after: int = 0, reason: str
) -> Chunk | None:
    """Sign the next accounts behind the one with id `after`; None when there are none left. It may be run again.

    Raises:
        StaleWrite: the operator was deleted. NoSigner: no key to sign with is here.
    """
    with transaction.atomic():
        chunk = sign_unaudited(
            principal=principal, operator=operator, source=source, target=target, after=after, reason=reason
        )
        if chunk is not None and chunk.signed:
            summary = f"{reason}: signed {len(chunk.signed)} accounts of “{operator.name}” anew"
            targets = [operators.target(operator), *chunk.signed]
            audit.record(principal, Action.OPERATOR_REISSUE, targets, summary)
    return chunk


def sign_unaudited(
    *, principal: Principal, operator: Operator, source: str, target: str, after: int, reason: str
) -> Chunk | None:
    """The work of `sign_chunk`, for a service that audits a larger whole; runs in its transaction.

    Nothing else in the accounts changes, so nothing else can stand against it; revocations stay as they are.
    """
    parent = changes.locked(operator, None)
    found = list(rows(parent, source).filter(pk__gt=after).select_for_update(no_key=True)[:CHUNK])
    if not found:
        return None
    key = signer_of(parent, target)
    signed: list[audit.Target] = []
    left: list[Left] = []
    for row in found:
        row.operator = parent
        change = replace(changes.plan(row, _as_it_is, now=clock.unix()), report=Report())
        try:
            changes.commit(row, change, principal=principal, key=key, reason=reason, unchanged=True)
        except signing.TooSoon:
            left.append(Left(row.name, TOO_SOON))
        else:
            signed.append(accounts.target(row))
    return Chunk(last=found[-1].pk, signed=tuple(signed), left=tuple(left))


def signer_of(operator: Operator, target: str) -> Key:
    """The key that signs accounts: `target`, or the operator's first that may.

    Raises:
        IdentityError: `target` is none of the operator's keys. NoSigner: its seed is not here.
    """
    claims = changes.claims_of(operator)
    if not target:
        return signing.account_signer(operator, claims)
    strict = claims.nats.strict_signing_key_usage
    if target not in claims.nats.signing_keys and (strict or target != operator.public_key):
        raise IdentityError(
            f"{target} is no key of “{operator.name}” that may sign accounts. Choose another one.",
            field="target",
        )
    key = Key.objects.filter(operator=operator, public_key=target, deleted_at=None).first()
    if key is None or key.sealed is None:
        raise signing.NoSigner(f"The seed of {target} is not here. {signing.where_to_add(operator)}")
    return key


def _as_it_is(claims: Claims[AccountBody]) -> Claims[AccountBody]:
    return claims
