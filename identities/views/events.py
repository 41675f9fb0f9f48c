"""Pages of what happened to clients: in a cluster, of an account, of a user."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.lookup import principal_for
from identities.models import Cluster, Operator
from identities.queries import server_events
from identities.queries.server_events import Wanted
from identities.services import clock
from identities.views import clusters_shown, events_shown, guards, htmx, paging, shown, users_shown

NAV = "operators"
TABLE = "identities/events/table.html"
PAGE = "identities/events/index.html"
SORTS = {"newest": paging.Sort("at", "moment", descending=True)}


@guards.page()
def cluster(request: HttpRequest, operator_key: str, cluster_id: int) -> HttpResponse:
    """What happened to clients in a cluster."""
    principal = principal_for(request)
    row = lookup.cluster(principal, operator_key, cluster_id)
    context = {
        **shown.frame(title=f"Events: {row.name}", nav=NAV, crumbs=shown.cluster_crumbs(row, "Events")),
        **clusters_shown.page(principal, row),
        "state": clusters_shown.state(row),
        "head": "identities/clusters/_tabs.html",
        "tab_here": "Events",
        **_table(request, row.operator, cluster=row),
    }
    return htmx.render(request, PAGE, context, part=TABLE)


@guards.page()
def account(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """What happened to clients of an account."""
    row = lookup.account(principal_for(request), operator_key, account_key)
    crumbs = shown.account_crumbs(row, "Events")
    context = {
        **shown.frame(title=f"Events of {row.name}", nav=NAV, crumbs=crumbs),
        **shown.account_tabs(row),
        "head": "identities/live/head.html",
        "account": row.name,
        "key": shown.chip(row.public_key),
        **_table(request, row.operator, account=row.public_key),
    }
    return htmx.render(request, PAGE, context, part=TABLE)


@guards.page()
def user(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """What happened to a user's clients."""
    principal = principal_for(request)
    row = lookup.user(principal, operator_key, account_key, user_key)
    context = {
        **shown.frame(title=f"Events of {row.name}", nav=NAV, crumbs=shown.user_crumbs(row, "Events")),
        **users_shown.page_of(row, clock.unix()),
        "can": users_shown.can(principal, row),
        "head": "identities/users/head.html",
        "explain_url": shown.user_url("user-explain", row),
        **_table(request, row.account.operator, user=row.public_key),
    }
    return htmx.render(request, PAGE, context, part=TABLE)


def _table(
    request: HttpRequest,
    operator: Operator,
    *,
    cluster: Cluster | None = None,
    account: str = "",
    user: str = "",
) -> dict[str, Any]:
    wanted = Wanted.of(request.GET)
    found = server_events.events(operator, wanted, cluster=cluster, account=account, user=user)
    page = paging.page(found, request.GET, sorts=SORTS)
    return {
        "url": request.path,
        "page": page,
        "rows": events_shown.rows(operator, page.rows),
        "filters": events_shown.filters(wanted),
        "filtered": bool(wanted),
        "shows_account": not account and not user,
        "shows_user": not user,
    }
