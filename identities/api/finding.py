"""What a request is about, and whether its principal may do what it asks there: unseen is 404, not allowed 403."""

from __future__ import annotations

from django.http import HttpRequest

from identities import lookup
from identities.lookup import principal_for
from identities.models import Account, Cluster, Operator, User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import accounts, clusters, users


def operator(
    request: HttpRequest, operator_key: str, action: Action = Action.VIEW
) -> tuple[Principal, Operator]:
    """The operator, on which `action` is allowed; to look at it, any role below it is enough."""
    principal = principal_for(request)
    row = lookup.operator(principal, operator_key)
    if action is not Action.VIEW:
        decisions.require(principal, action, Scope(operator=row.pk))
    return principal, row


def account(
    request: HttpRequest, operator_key: str, account_key: str, action: Action = Action.VIEW
) -> tuple[Principal, Account]:
    """The account, on which `action` is allowed."""
    principal = principal_for(request)
    row = lookup.account(principal, operator_key, account_key)
    decisions.require(principal, action, accounts.scope(row))
    return principal, row


def user(
    request: HttpRequest,
    operator_key: str,
    account_key: str,
    user_key: str,
    action: Action = Action.VIEW,
) -> tuple[Principal, User]:
    """The user, on which `action` is allowed."""
    principal = principal_for(request)
    row = lookup.user(principal, operator_key, account_key, user_key)
    decisions.require(principal, action, users.scope(row))
    return principal, row


def cluster(
    request: HttpRequest, operator_key: str, number: int, action: Action = Action.VIEW
) -> tuple[Principal, Cluster]:
    """The cluster, on which `action` is allowed."""
    principal = principal_for(request)
    row = lookup.cluster(principal, operator_key, number)
    decisions.require(principal, action, clusters.scope(row))
    return principal, row
