"""What an account says for all its users at once: default permissions, message tracing, cluster traffic."""

from __future__ import annotations

from dataclasses import replace

from identities.claims.account import AccountBody, MsgTrace
from identities.claims.permissions import Permissions
from identities.models import Account, Mode, User
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, changes, clock
from identities.services.proposing import guarded


@guarded
def update_default_permissions(
    *, principal: Principal, account: Account, permissions: Permissions, version: int
) -> Account:
    """Replace what users without permissions of their own may do.

    Raises:
        StaleWrite: somebody else changed it meanwhile. InvalidClaims: what the Go library or nats-server refuses.
    """
    return accounts.rewrite(
        principal=principal,
        account=account,
        plan=lambda row: plan_default_permissions(row, permissions),
        version=version,
        done="Edited default permissions of account",
    )


def plan_default_permissions(account: Account, permissions: Permissions) -> changes.Change:
    """What `permissions` would change; servers apply it to connections as they are (spec §8.7)."""
    change = changes.plan(account, changes.edit_body(default_permissions=permissions), now=clock.unix())
    number = without_own_permissions(account)
    if change.is_empty or not number:
        return change
    whom = "the one user" if number == 1 else f"the {number:,} users"
    line = f"It applies at once, without a new login, to {whom} of this account without permissions of their own."
    return replace(change, consequences=(line,))


def without_own_permissions(account: Account) -> int:
    """How many users the default permissions apply to: neither they nor their role say what they may do."""
    users = User.objects.live().filter(account=account)
    body: AccountBody = changes.claims_of(account).nats
    silent = [
        key.key
        for key in body.signing_keys
        if key.template is not None
        and key.template.pub.is_empty
        and key.template.sub.is_empty
        and key.template.resp is None
    ]
    of_roles = users.filter(pub_mode=Mode.ROLE, issuer__in=silent).count() if silent else 0
    return users.filter(pub_mode=Mode.DEFAULT).count() + of_roles


@guarded
def update_tracing(
    *, principal: Principal, account: Account, trace: MsgTrace | None, version: int
) -> Account:
    """Set where messages with a trace context are reported to; None ends it.

    Raises:
        StaleWrite: somebody else changed it meanwhile. InvalidClaims: no subject that can be published on.
    """
    return accounts.rewrite(
        principal=principal,
        account=account,
        plan=lambda row: plan_tracing(row, trace),
        version=version,
        done="Edited message tracing of account",
    )


def plan_tracing(account: Account, trace: MsgTrace | None) -> changes.Change:
    """What `trace` would change."""
    return changes.plan(account, changes.edit_body(trace=trace), now=clock.unix())


@guarded
def update_cluster_traffic(*, principal: Principal, account: Account, traffic: str, version: int) -> Account:
    """Set in which account the replicas of the account's streams talk to one another: system, owner, "" = not set.

    Raises:
        StaleWrite: somebody else changed it meanwhile. InvalidClaims: another word.
    """
    return accounts.rewrite(
        principal=principal,
        account=account,
        plan=lambda row: plan_cluster_traffic(row, traffic),
        version=version,
        done="Edited cluster traffic of account",
        action=Action.ACCOUNT_LIMITS_EDIT,
    )


def plan_cluster_traffic(account: Account, traffic: str) -> changes.Change:
    """What `traffic` would change."""
    return changes.plan(account, changes.edit_body(cluster_traffic=traffic), now=clock.unix())
