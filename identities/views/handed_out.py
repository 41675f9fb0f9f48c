"""The ledger: every credential that was handed out, to whom, by which way, and what has become of it."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse

from identities.lookup import principal_for
from identities.policy.actions import Action
from identities.policy.decisions import Allowed
from identities.policy.principal import Principal
from identities.queries import handed_out as queries
from identities.queries import reach
from identities.services import clock, ledger_exporting
from identities.views import guards, handed_out_shown, htmx, paging, shown

NAV = "activity"
TABLE = "identities/handed_out/table.html"
SORTS = {"newest": paging.Sort("at", "moment", descending=True)}
JSON_LINES = "application/jsonl"


@guards.page()
def index(request: HttpRequest) -> HttpResponse:
    """Who received what; by person, account, role and state."""
    principal = principal_for(request)
    wanted = queries.Wanted.of(request.GET)
    page = paging.page(queries.handovers(principal, wanted, now=clock.unix()), request.GET, sorts=SORTS)
    recipients = queries.recipients(principal)
    whom = page.rows[0].recipient_name if page.rows else wanted.to
    context = shown.frame(
        title="Issued creds",
        nav=NAV,
        crumbs=[shown.Crumb(label="Activity", url=reverse("activity")), shown.Crumb(label="Issued creds")],
        page=page,
        rows=handed_out_shown.rows(page.rows, queries.last_seen(page.rows)),
        filters=handed_out_shown.filters(wanted, recipients, whom=whom),
        filtered=bool(wanted),
        wanted=wanted.query(),
        whom=whom,
        revoke_url=f"{reverse('take-back')}?{urlencode({'to': wanted.to})}"
        if wanted.to and _may(principal, Action.USER_REVOKE)
        else "",
        may_export=_may(principal, Action.AUDIT_EXPORT),
    )
    return htmx.render(request, "identities/handed_out/index.html", context, part=TABLE)


@guards.page("POST")
def export(request: HttpRequest) -> HttpResponseBase:
    """What fits the filter, oldest first, a JSON object a line; that it was taken is in the audit."""
    principal = principal_for(request)
    lines = ledger_exporting.export(principal=principal, wanted=queries.Wanted.of(request.POST))
    return htmx.stream("issued-creds.jsonl", lines, JSON_LINES)


def _may(principal: Principal, action: Action) -> bool:
    return isinstance(reach.anywhere(principal, action), Allowed)
