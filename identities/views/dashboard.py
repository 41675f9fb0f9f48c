"""The first page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from identities.lookup import principal_for
from identities.policy import decisions
from identities.policy.actions import Action
from identities.queries import dashboard as queries
from identities.queries import handed_out, reach, waiting
from identities.services import clock
from identities.views import dashboard_shown, guards, htmx, short_lived_shown, shown, waiting_shown


@guards.page()
def dashboard(request: HttpRequest) -> HttpResponse:
    """Numbers, what waits for the reader, what expires soon, what happened last, and what to do next."""
    principal = principal_for(request)
    now = clock.unix()
    may_read_audit = isinstance(reach.anywhere(principal, Action.AUDIT_VIEW), decisions.Allowed)
    found = queries.dashboard(principal, now=now, with_activity=may_read_audit)
    context = shown.frame(
        title="Dashboard",
        nav="dashboard",
        crumbs=[shown.Crumb(label="Dashboard")],
        roles=short_lived_shown.roles(handed_out.roles_of_issuer(principal)),
        can={
            "operator_create": guards.may(principal, Action.OPERATOR_CREATE),
            "audit_view": may_read_audit,
        },
        **dashboard_shown.context(principal, found, now),
        **waiting_shown.context(
            waiting.waiting(principal, proposals_wait=found.proposals_wait, requests_wait=found.requests_wait)
        ),
    )
    return htmx.render(request, "identities/dashboard/index.html", context)
