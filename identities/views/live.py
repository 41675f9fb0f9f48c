"""Live pages: who is connected and what is used. They read what the worker last heard, and never wait for a server."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.lookup import principal_for
from identities.models import Account, Cluster, Operator, Snapshot, User
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import changes, clock, live, users
from identities.views import (
    clusters_shown,
    guards,
    live_shown,
    lockouts_shown,
    polling,
    servers_shown,
    shown,
    usage_shown,
    users_shown,
)

NAV = "operators"
MOST_CLUSTERS = 20
CONNECTIONS = "identities/live/connections.html"
USAGE = "identities/live/usage.html"
SERVERS = "identities/live/servers.html"


@guards.page()
def account(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Who of an account is connected, and what it uses beside its limits."""
    principal = principal_for(request)
    row = lookup.account(principal, operator_key, account_key)
    pairs = _watched(row.operator, row)
    parts, bodies = live_shown.of_account(row.operator, pairs)
    limits = changes.claims_of(row).nats.limits
    usages = tuple(
        usage_shown.of_cluster(cluster.name, limits, body)
        for (cluster, _), body in zip(pairs, bodies, strict=True)
    )
    context = {
        **shown.frame(
            title=f"Connections of {row.name}", nav=NAV, crumbs=shown.account_crumbs(row, "Connections")
        ),
        **shown.account_tabs(row),
        **_clusters(principal, row.operator),
        "account": row.name,
        "key": shown.chip(row.public_key),
        "events_url": shown.account_url("account-events", row),
        "lockouts": lockouts_shown.latest(row),
        "url": request.path,
        "parts": parts,
        "usages": usages,
        "shows_user": True,
    }
    return polling.render(request, "identities/live/account.html", context, part=USAGE, live=(parts, usages))


@guards.page()
def user(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """Whether a user is connected, and from where."""
    principal = principal_for(request)
    row = lookup.user(principal, operator_key, account_key, user_key)
    parts, _ = live_shown.of_account(row.account.operator, _watched(row.account.operator, row.account, row))
    context = {
        **shown.frame(
            title=f"Connections of {row.name}", nav=NAV, crumbs=shown.user_crumbs(row, "Connections")
        ),
        **users_shown.page_of(row, clock.unix()),
        **_clusters(principal, row.account.operator),
        "can": users_shown.can(principal, row),
        "can_disconnect": guards.may(principal, Action.USER_DISCONNECT, users.scope(row)),
        "disconnect_url": shown.user_url("user-disconnect", row),
        "tab": "connections",
        "events_url": shown.user_url("user-events", row),
        "url": request.path,
        "parts": parts,
        "shows_user": False,
    }
    return polling.render(request, "identities/live/user.html", context, part=CONNECTIONS, live=parts)


@guards.page()
def cluster(request: HttpRequest, operator_key: str, cluster_id: int) -> HttpResponse:
    """What the servers of a cluster tell of themselves."""
    principal = principal_for(request)
    row = lookup.cluster(principal, operator_key, cluster_id)
    told = servers_shown.of_cluster(row, live.watch(row))
    context = {
        **shown.frame(title=f"Live: {row.name}", nav=NAV, crumbs=shown.cluster_crumbs(row, "Live")),
        **clusters_shown.page(principal, row),
        "state": clusters_shown.state(row),
        "url": request.path,
        "told": told,
    }
    return polling.render(request, "identities/live/cluster.html", context, part=SERVERS, live=told)


def _watched(
    operator: Operator, account: Account, user: User | None = None
) -> tuple[tuple[Cluster, Snapshot], ...]:
    """Every cluster with the snapshot of what is looked at."""
    rows = Cluster.objects.live().filter(operator=operator).order_by("name_fold", "pk")[:MOST_CLUSTERS]
    user_key = user.public_key if user is not None else ""
    return tuple((row, live.watch(row, account=account.public_key, user=user_key)) for row in rows)


def _clusters(principal: Principal, operator: Operator) -> dict[str, Any]:
    """Where clusters are added, for those who see none."""
    return {
        "operator": operator.name,
        "clusters_url": shown.operator_url("clusters", operator),
        "may_add": guards.may(principal, Action.CLUSTER_CREATE),
    }
