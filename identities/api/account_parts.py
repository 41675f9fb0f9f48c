"""What an account says beside its name: limits, default permissions, tracing, cluster traffic."""

from __future__ import annotations

from typing import Literal

from django.http import HttpRequest

from identities.api import editing, finding
from identities.api.accounts import ONE, TAG, AccountOut, shown
from identities.api.claims import LimitsIn, PermissionsIn, TraceIn, over
from identities.api.operations import Answer, operation
from identities.api.schemas import AccountKey, OperatorKey, Taken
from identities.claims.account import AccountBody, MsgTrace
from identities.models import Account
from identities.policy.actions import Action
from identities.services import account_settings, accounts


class TracingIn(Taken):
    """Message tracing; null ends it."""

    trace: TraceIn | None


class ClusterTrafficIn(Taken):
    """In which account the replicas of the account's streams talk to one another; "" is not set."""

    cluster_traffic: Literal["", "system", "owner"]


@operation("edit-account-limits", "PATCH", ONE + "/limits", AccountOut, tag=TAG, versioned=True)
def limits(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, sent: LimitsIn
) -> Answer:
    """Edit an account's limits, JetStream included

    Only who may edit the operator's accounts may: they are what the operator grants.
    """
    principal, account = finding.account(request, operator_key, account_key, Action.ACCOUNT_LIMITS_EDIT)
    wanted = over(_body(account).limits, sent)
    return editing.written(
        request,
        account,
        plan=lambda: accounts.plan_limits(account, wanted),
        save=lambda version: shown(
            accounts.update_limits(principal=principal, account=account, limits=wanted, version=version)
        ),
    )


@operation(
    "edit-default-permissions", "PATCH", ONE + "/default-permissions", AccountOut, tag=TAG, versioned=True
)
def default_permissions(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, sent: PermissionsIn
) -> Answer:
    """Edit what users without permissions of their own may do"""
    principal, account = finding.account(request, operator_key, account_key, Action.ACCOUNT_EDIT)
    wanted = over(_body(account).default_permissions, sent)
    return editing.written(
        request,
        account,
        plan=lambda: account_settings.plan_default_permissions(account, wanted),
        save=lambda version: shown(
            account_settings.update_default_permissions(
                principal=principal, account=account, permissions=wanted, version=version
            )
        ),
    )


@operation("edit-tracing", "PATCH", ONE + "/tracing", AccountOut, tag=TAG, versioned=True)
def tracing(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, sent: TracingIn
) -> Answer:
    """Set where messages with a trace context are reported to"""
    principal, account = finding.account(request, operator_key, account_key, Action.ACCOUNT_EDIT)
    held = _body(account).trace or MsgTrace()
    wanted = None if sent.trace is None else over(held, sent.trace)
    return editing.written(
        request,
        account,
        plan=lambda: account_settings.plan_tracing(account, wanted),
        save=lambda version: shown(
            account_settings.update_tracing(
                principal=principal, account=account, trace=wanted, version=version
            )
        ),
    )


@operation("edit-cluster-traffic", "PATCH", ONE + "/cluster-traffic", AccountOut, tag=TAG, versioned=True)
def cluster_traffic(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, sent: ClusterTrafficIn
) -> Answer:
    """Set in which account the replicas of streams talk"""
    principal, account = finding.account(request, operator_key, account_key, Action.ACCOUNT_LIMITS_EDIT)
    wanted = sent.cluster_traffic
    return editing.written(
        request,
        account,
        plan=lambda: account_settings.plan_cluster_traffic(account, wanted),
        save=lambda version: shown(
            account_settings.update_cluster_traffic(
                principal=principal, account=account, traffic=wanted, version=version
            )
        ),
    )


def _body(account: Account) -> AccountBody:
    body: AccountBody = account.document().nats
    return body
