"""The activity page: the audit chain, newest first."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from identities.lookup import principal_for
from identities.queries import activity as queries
from identities.views import activity_shown, guards, htmx, paging, shown

TABLE = "identities/activity/table.html"
SORTS = {"newest": paging.Sort("seq", "number", descending=True)}


@guards.page()
def activity(request: HttpRequest) -> HttpResponse:
    """Who did what to what; by person, action and object."""
    principal = principal_for(request)
    wanted = queries.Wanted.of(request.GET)
    page = paging.page(queries.events(principal, wanted), request.GET, sorts=SORTS)
    targets = queries.targets([event.pk for event in page.rows])
    context = shown.frame(
        title="Activity",
        nav="activity",
        crumbs=[shown.Crumb(label="Activity")],
        page=page,
        rows=activity_shown.rows(page.rows, targets),
        filters=activity_shown.filters(wanted, queries.actors(principal)),
        filtered=bool(wanted),
    )
    return htmx.render(request, "identities/activity/index.html", context, part=TABLE)
