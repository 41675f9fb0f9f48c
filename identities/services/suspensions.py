"""Suspending users: locked out for as long as somebody wants, and let in again as if nothing had been."""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction

from identities.claims.account import AccountBody
from identities.errors import IdentityError
from identities.models import User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, audit, changes, clock, system_users, users
from identities.services.four_eyes import exempted
from identities.services.proposing import guarded


@exempted("it locks somebody out, which must not wait")
def suspend(*, principal: Principal, user: User, version: int) -> User:
    """Revoke the user's key in its account now, so that lifting the suspension gives back what stood there before.

    Until then nothing is signed or handed out for the user. Never blocked by what else is wrong with the account.

    Raises:
        StaleWrite: somebody else changed it meanwhile. IdentityError: it is suspended already.
    """
    decisions.require(principal, Action.USER_SUSPEND, users.scope(user))
    with transaction.atomic():
        account = changes.locked(user.account, None)
        row = changes.locked(user, version)
        row.account = account
        change = plan_suspend(row)
        revocations = changes.claims_of(account).nats.revocations
        row.suspended_at = clock.at(clock.unix())
        row.revoked_before = revocations.get(row.public_key, 0)
        _save(row, principal)
        accounts.commit_revocations(account, change, principal=principal, reason=f"Suspended user {row.name}")
        audit.record(
            principal,
            Action.USER_SUSPEND,
            [users.target(row, account), accounts.target(account)],
            f"Suspended user “{row.name}” of “{account.name}”",
        )
    return row


def plan_suspend(user: User) -> changes.Change:
    """What suspending the user changes in its account.

    Raises:
        IdentityError: it is suspended already.
    """
    if user.suspended_at is not None:
        raise IdentityError(f"“{user.name}” was suspended by {user.updated_by} already.")
    body: AccountBody = changes.claims_of(user.account).nats
    held = body.revocations
    entry = max(held.get(user.public_key, 0), _moment(user, clock.unix()))
    told = [
        (
            f"Who is connected as “{user.name}” is dropped, and nobody can log in as it, as soon as servers have the "
            "account's new JWT."
        ),
        "Until the suspension is lifted its creds can't be downloaded here, and it can't be edited.",
    ]
    told.extend(system_users.told_of(user))
    if user.public_key in body.authorization.auth_users:
        told.append("It is an auth user of the account's auth callout: without it, nobody else can log in.")
    change = accounts.plan_revocations(user.account, {**held, user.public_key: entry})
    return replace(change, consequences=tuple(told))


@guarded
def lift(*, principal: Principal, user: User, version: int) -> User:
    """Let a suspended user in again: the account's entry for its key becomes what it was before, or goes.

    What was revoked meanwhile stays revoked. Never blocked by what else is wrong with the account.

    Raises:
        StaleWrite: somebody else changed it meanwhile. IdentityError: it is not suspended.
    """
    decisions.require(principal, Action.USER_SUSPEND, users.scope(user))
    with transaction.atomic():
        account = changes.locked(user.account, None)
        row = changes.locked(user, version)
        row.account = account
        change = plan_lift(row)
        row.suspended_at, row.revoked_before = None, 0
        _save(row, principal)
        accounts.commit_revocations(
            account, change, principal=principal, reason=f"Lifted the suspension of user {row.name}"
        )
        audit.record(
            principal,
            Action.USER_SUSPEND,
            [users.target(row, account), accounts.target(account)],
            f"Lifted the suspension of user “{row.name}” of “{account.name}”",
        )
    return row


def plan_lift(user: User) -> changes.Change:
    """What lifting the suspension changes in the user's account.

    Raises:
        IdentityError: it is not suspended.
    """
    if user.suspended_at is None:
        raise IdentityError(f"“{user.name}” is not suspended (any more).")
    held = changes.claims_of(user.account).nats.revocations
    entry = held.get(user.public_key, 0)
    if entry <= _moment(user, int(user.suspended_at.timestamp())):  # nobody revoked it later than that
        entry = user.revoked_before
    others = {key: at for key, at in held.items() if key != user.public_key}
    change = accounts.plan_revocations(user.account, {**others, user.public_key: entry} if entry else others)
    told = (
        f"“{user.name}” stays out all the same, as it was revoked before or meanwhile: any edit gives it a new JWT, "
        "which is let in."
        if max(entry, held.get("*", 0)) >= user.last_iat
        else f"“{user.name}” can log in again, with the creds it has, as soon as servers have the account's new JWT."
    )
    return replace(change, consequences=(told,))


def _moment(user: User, suspended: int) -> int:
    """The entry of a user suspended at that second: what was issued then or before is refused."""
    return max(suspended, user.last_iat)


def _save(row: User, principal: Principal) -> None:
    row.updated_at, row.updated_by = clock.now(), principal.name
    row.save(update_fields=["suspended_at", "revoked_before", "updated_at", "updated_by"])
