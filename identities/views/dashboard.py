"""The first page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from identities.lookup import principal_for
from identities.policy.actions import Action
from identities.queries import dashboard as queries
from identities.services import clock
from identities.views import dashboard_shown, guards, htmx, shown


@guards.page()
def dashboard(request: HttpRequest) -> HttpResponse:
    """Numbers, what expires soon, what happened last, and what to do next."""
    principal = principal_for(request)
    now = clock.unix()
    may_read_audit = guards.may(principal, Action.AUDIT_VIEW)
    found = queries.dashboard(principal, now=now, with_activity=may_read_audit)
    may_create = guards.may(principal, Action.OPERATOR_CREATE)
    context = shown.frame(
        title="Dashboard",
        nav="dashboard",
        crumbs=[shown.Crumb(label="Dashboard")],
        can=guards.can(principal, None, Action.OPERATOR_CREATE, Action.AUDIT_VIEW),
        **dashboard_shown.context(found, now, may_create=may_create),
    )
    return htmx.render(request, "identities/dashboard/index.html", context)
