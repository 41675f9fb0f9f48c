"""Gives an account another key. To servers that is another account, so all that names the old one is signed anew."""

from __future__ import annotations

from dataclasses import dataclass, replace

from identities.claims import diff, moving
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.models import Account, Job, Key, Operator, User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import (
    account_keys,
    accounts,
    audit,
    changes,
    clock,
    reissue_plans,
    reissuing,
    resigning,
    signing,
)
from identities.services.proposing import guarded
from identities.services.renewing import Renewing

REASON = "Reissued account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reissued:
    """The account with its new key, and the job that signs its users when they are many; else those it left."""

    account: Account
    job: Job | None = None
    left: tuple[resigning.Left, ...] = ()


@guarded
def reissue(*, principal: Principal, account: Account, public_key: str = "", version: int) -> Reissued:
    """Give the account a new key, or `public_key`, and sign anew what depends on it; users follow by the worker.

    Raises:
        StaleWrite: somebody else changed it meanwhile. IdentityError: see `Plan.refusals`.
    """
    decisions.require(principal, Action.ACCOUNT_REISSUE, scope(account))
    with changes.transaction_of_one():
        operator = changes.locked(account.operator, None)
        row = changes.locked(account, version)
        row.operator = operator
        reissuing.refuse_while_running(row)
        foreseen = reissue_plans.of_account(principal=principal, account=row, public_key=public_key)
        foreseen.refuse()
        old, before = row.public_key, changes.claims_of(row)
        key = account_keys.identity(operator, public_key)
        key.operator, key.account = operator, row
        key.save()
        renewing = Renewing(principal=principal, old=old, own_seed=key.sealed is not None, new=key.public_key)
        row = _move(principal, row, before, key, renewing)
        moved = [
            _rename_in(principal, other, before, row, renewing)
            for other in reissue_plans.naming(principal, row, old)[0]
        ]
        if operator.system_account == old:
            _name_system_account(principal, operator, row)
        followed = reissuing.follow_users(
            principal=principal,
            account=row,
            wanted=resigning.Wanted(old=old),
            count=foreseen.followers,
            reason=REASON,
        )
        gone = audit.Target(kind="account", key=old, name=row.name, operator_key=operator.public_key)
        others = [accounts.target(other) for other in moved]
        audit.record(
            principal,
            Action.ACCOUNT_REISSUE,
            [accounts.target(row), gone, *others, *followed.signed],
            f"Reissued account “{row.name}”: {old} is now {row.public_key}",
        )
    return Reissued(account=row, job=followed.job, left=followed.left)


def scope(account: Account) -> Scope:
    """Where a reissue stands, for policy: it signs other accounts too, so it is the operator's."""
    return Scope(operator=account.operator_id)


def _move(
    principal: Principal, row: Account, before: Claims[AccountBody], key: Key, renewing: Renewing
) -> Account:
    """The account itself, under its new key; whoever is revoked stays so (see `resigning`)."""
    after = moving.itself(before, key.public_key, renewing.for_itself(row))
    revoked = reissue_plans.revoked(User.objects.live().filter(account=row), before)
    needed = resigning.revocations_needed(before.nats.revocations, revoked)
    if needed:
        merged = {**after.nats.revocations, **needed}
        after = replace(after, nats=replace(after.nats, revocations=merged))
    row.public_key = key.public_key
    return changes.commit(
        row, _change(before, after), principal=principal, key=accounts.signer(row), reason=REASON
    )


def _rename_in(
    principal: Principal, other: Account, before: Claims[AccountBody], row: Account, renewing: Renewing
) -> Account:
    held = changes.claims_of(other)
    renew = renewing.by_itself(row, before, other)
    after = moving.elsewhere(held, renewing.old, renewing.new, renew)
    reason = f"“{row.name}” was reissued"
    key = accounts.signer(other)
    return changes.commit(other, _change(held, after), principal=principal, key=key, reason=reason)


def _name_system_account(principal: Principal, operator: Operator, row: Account) -> None:
    change = changes.plan(operator, changes.edit_body(system_account=row.public_key), now=clock.unix())
    key = signing.operator_signer(operator)
    changes.commit(operator, change, principal=principal, key=key, reason="Reissued the system account")


def _change(before: Claims[AccountBody], after: Claims[AccountBody]) -> changes.Change:
    return changes.Change(
        before=before,
        after=after,
        report=changes.check(after, before, now=clock.unix()),
        diff=diff.diff(changes.document(before), changes.document(after)),
    )
