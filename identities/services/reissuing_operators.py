"""Gives an operator another key, as `nsc reissue operator` does."""

from __future__ import annotations

from dataclasses import dataclass, replace

from identities.claims import diff
from identities.claims.common import Claims
from identities.claims.operator import OperatorBody
from identities.errors import IdentityError
from identities.models import IssuedToken, Job, Key, Operator, Purpose
from identities.nkeys import KeyKind
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import (
    audit,
    changes,
    clock,
    operators,
    reissue_plans,
    reissuing,
    resigning,
    signing,
    spares,
)
from identities.services.proposing import guarded

REASON = "Reissued operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reissued:
    """The operator with its new key, and the job that signs its accounts when they are many; else those it left."""

    operator: Operator
    job: Job | None = None
    left: tuple[resigning.Left, ...] = ()


@guarded
def reissue(
    *, principal: Principal, operator: Operator, public_key: str = "", convert: bool = False, version: int
) -> Reissued:
    """Give the operator a new key, or the spare key `public_key`; accounts that the present one signed follow.

    `convert`: the present key becomes a signing key, so that nothing else has to be signed.

    Raises:
        StaleWrite: somebody else changed it meanwhile. IdentityError: a key without its seed, or nobody to sign.
    """
    decisions.require(principal, Action.OPERATOR_REISSUE, Scope(operator=operator.pk))
    with changes.transaction_of_one():
        row = changes.locked(operator, version)
        reissuing.refuse_while_running(row)
        foreseen = reissue_plans.of_operator(operator=row, convert=convert)
        foreseen.refuse()
        old, before = row.public_key, changes.claims_of(row)
        key = _identity(row, public_key)
        key.operator = row
        key.save()
        row.public_key = key.public_key
        change = _change(before, _moved(before, key.public_key, convert=convert))
        row = changes.commit(row, change, principal=principal, key=key, reason=REASON)
        former = Key.objects.filter(operator=row, public_key=old, deleted_at=None)
        former.update(**({"purpose": Purpose.SIGNING} if convert else {"deleted_at": clock.now()}))
        followed = reissuing.follow_accounts(
            principal=principal, operator=row, source=old, target="", count=foreseen.followers, reason=REASON
        )
        kept = ", which stays as a signing key" if convert else ""
        audit.record(
            principal,
            Action.OPERATOR_REISSUE,
            [
                operators.target(row),
                audit.Target(kind="operator", key=old, name=row.name, operator_key=row.public_key),
                *followed.signed,
            ],
            f"Reissued operator “{row.name}”: {old}{kept} is now {row.public_key}",
        )
    return Reissued(operator=row, job=followed.job, left=followed.left)


def spare_keys(operator: Operator) -> list[Key]:
    """The spare operator keys whose seed is here: what the operator may be reissued under, beside a new key."""
    rows = Key.objects.filter(operator=operator, kind=KeyKind.OPERATOR.value, purpose=Purpose.SPARE)
    return list(rows.filter(deleted_at=None, sealed__isnull=False).order_by("pk"))


def earlier(operator: Operator) -> list[IssuedToken]:
    """The last JWT under each key that the operator had before, the latest first: what servers may still trust."""
    had = Key.objects.filter(operator=operator, account=None, kind=KeyKind.OPERATOR.value)
    subjects = had.exclude(public_key=operator.public_key).values("public_key")
    tokens = IssuedToken.objects.filter(operator=operator, kind="operator", subject__in=subjects)
    found: dict[str, IssuedToken] = {}
    for token in tokens.order_by("-iat", "-pk"):
        found.setdefault(token.subject, token)
    return list(found.values())


def _identity(operator: Operator, public_key: str) -> Key:
    if not public_key:
        key, pair = signing.new_key(KeyKind.OPERATOR, purpose=Purpose.IDENTITY)
        pair.wipe()
        return key
    spare = spares.one(operator.pk, KeyKind.OPERATOR, public_key)
    if spare is None or spare.sealed is None:
        raise IdentityError(
            f"{public_key[:60]} can't sign the operator's JWT: its seed is not here. Generate a key on the page "
            "“Keys”, or leave this to a new one.",
            field="public_key",
        )
    spare.purpose = Purpose.IDENTITY
    return spare


def _moved(claims: Claims[OperatorBody], new: str, *, convert: bool) -> Claims[OperatorBody]:
    keys = claims.nats.signing_keys
    kept = (*(key for key in keys if key != new), *([claims.sub] if convert else []))
    if kept == keys:
        return replace(claims, sub=new)
    return replace(claims, sub=new, nats=replace(claims.nats, signing_keys=kept))


def _change(before: Claims[OperatorBody], after: Claims[OperatorBody]) -> changes.Change:
    return changes.Change(
        before=before,
        after=after,
        report=changes.check(after, before, now=clock.unix()),
        diff=diff.diff(changes.document(before), changes.document(after)),
    )
