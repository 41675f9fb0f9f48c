"""Signs anew what one key signed, by another one: after a signing key was replaced, and before it is taken away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count

from identities.errors import IdentityError
from identities.models import Account, Operator, User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import (
    accounts,
    audit,
    changes,
    operator_keys,
    operators,
    reissue_plans,
    reissuing,
    resigning,
    resigning_accounts,
)
from identities.services.proposing import guarded
from identities.services.reissuing import Followed, Plan

REASON = "Signed anew by another key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """A key that signed something below: how much, and whether it may still do so."""

    key: str
    number: int
    known: bool


def issuers_of_users(account: Account) -> list[Issuer]:
    """The keys that signed the account's users, with what is known of them."""
    known = {account.public_key, *(key.key for key in changes.claims_of(account).nats.signing_keys)}
    rows = User.objects.live().filter(account=account).order_by("issuer").values_list("issuer")
    return [
        Issuer(key=key, number=number, known=key in known)
        for key, number in rows.annotate(number=Count("pk"))
    ]


def issuers_of_accounts(operator: Operator) -> list[Issuer]:
    """The keys that signed the operator's accounts, likewise."""
    known = {operator.public_key, *changes.claims_of(operator).nats.signing_keys}
    rows = Account.objects.live().filter(operator=operator).order_by("issuer").values_list("issuer")
    return [
        Issuer(key=key, number=number, known=key in known)
        for key, number in rows.annotate(number=Count("pk"))
    ]


def plan_users(account: Account, *, source: str, target: str) -> Plan:
    """What signing the users of `source` by `target` would do."""
    wanted = resigning.Wanted(source=source, target=target)
    claims = changes.claims_of(account)
    number = wanted.rows(account).count()
    refusals = []
    try:
        resigning.refuse_other(account, claims, wanted)
    except IdentityError as refused:
        refusals.append(refused.user_message)
    if source == target:
        refusals.append("That key signed them already. Choose another one.")
    if not number:
        refusals.append(f"Nobody in “{account.name}” was signed by {source[:60]}.")
    known = source in {account.public_key, *(key.key for key in claims.nats.signing_keys)}
    revoked = sum(1 for _ in reissue_plans.revoked(wanted.rows(account), claims))
    return Plan(
        moves=tuple(_moves(number, "user", revoked)),
        stays=tuple(_users_stay(known=known)),
        refusals=tuple(refusals),
        followers=number,
    )


def plan_accounts(operator: Operator, *, source: str, target: str) -> Plan:
    """What signing the accounts of `source` by `target` would do."""
    number = resigning_accounts.rows(operator, source).count()
    refusals = []
    try:
        resigning_accounts.signer_of(operator, target)
    except IdentityError as refused:
        refusals.append(refused.user_message)
    if source == target:
        refusals.append("That key signed them already. Choose another one.")
    if not number:
        refusals.append(f"No account of “{operator.name}” was signed by {source[:60]}.")
    if lacking := operator_keys.lacking_servers(operator, target):
        refusals.append(lacking)
    return Plan(
        moves=tuple(_moves(number, "account", 0)),
        stays=tuple(_accounts_stay()),
        refusals=tuple(refusals),
        followers=number,
    )


@guarded
def users(*, principal: Principal, account: Account, source: str, target: str) -> Followed:
    """Sign the users that `source` signed by `target`: what was signed and what was left, or the job that does it
    where they are many.

    Raises:
        IdentityError: see `plan_users`; or all of them were left.
    """
    decisions.require(principal, Action.ACCOUNT_SIGN_ANEW, accounts.scope(account))
    wanted = resigning.Wanted(source=source, target=target)
    with transaction.atomic():
        row = changes.locked(account, None)
        reissuing.refuse_while_running(row)
        foreseen = plan_users(row, source=source, target=target)
        foreseen.refuse()
        claims = changes.claims_of(row)
        revoked = reissue_plans.revoked(wanted.rows(row), claims)
        entries = resigning.revocations_needed(claims.nats.revocations, revoked)
        if entries:
            row = accounts.revoke_unaudited(principal=principal, account=row, entries=entries, reason=REASON)
        followed = reissuing.follow_users(
            principal=principal, account=row, wanted=wanted, count=foreseen.followers, reason=REASON
        )
        followed.refuse_nothing()
        audit.record(
            principal,
            Action.ACCOUNT_SIGN_ANEW,
            [accounts.target(row), *followed.signed],
            f"Users of “{row.name}” that {source} signed are signed by {target}",
        )
    return followed


@guarded
def accounts_of(*, principal: Principal, operator: Operator, source: str, target: str) -> Followed:
    """Sign the accounts that `source` signed by `target`: what was signed and what was left, or the job that does it
    where they are many.

    Raises:
        IdentityError: see `plan_accounts`; or all of them were left.
    """
    decisions.require(principal, Action.OPERATOR_REISSUE, Scope(operator=operator.pk))
    with transaction.atomic():
        row = changes.locked(operator, None)
        reissuing.refuse_while_running(row)
        foreseen = plan_accounts(row, source=source, target=target)
        foreseen.refuse()
        followed = reissuing.follow_accounts(
            principal=principal,
            operator=row,
            source=source,
            target=target,
            count=foreseen.followers,
            reason=REASON,
        )
        followed.refuse_nothing()
        audit.record(
            principal,
            Action.OPERATOR_REISSUE,
            [operators.target(row), *followed.signed],
            f"Accounts of “{row.name}” that {source} signed are signed by {target}",
        )
    return followed


def _moves(number: int, what: str, revoked: int) -> Iterator[str]:
    plural = "" if number == 1 else "s"
    yield f"Signed anew, with the same rights and names: {number:,} {what}{plural}."
    if revoked:
        yield f"Revoked, and staying so: {revoked:,} of them."


def _users_stay(*, known: bool) -> Iterator[str]:
    if known:
        yield (
            "Creds that were handed out go on working until the key that signed them is taken out of the account, or "
            "until they are revoked. Hand out the new ones first."
        )
    else:
        yield (
            "That key is none of the account's (any more), so servers let in nobody who has creds of it. Whoever gets "
            "the new creds comes in again."
        )


def _accounts_stay() -> Iterator[str]:
    yield (
        "Servers trust the new signatures once they know the key: one that was added lately needs the operator's new "
        "JWT in their configuration, and a restart."
    )
    yield "Users and their creds stay as they are."
