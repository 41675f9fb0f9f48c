"""The activity page: the audit chain, newest first; each event with what it changed, and the way out as JSON Lines."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse

from identities.lookup import NotFound, principal_for
from identities.policy.actions import Action
from identities.policy.decisions import Allowed
from identities.queries import activity as queries
from identities.queries import reach
from identities.services import audit_exporting
from identities.views import activity_shown, guards, htmx, paging, shown

TABLE = "identities/activity/table.html"
SORTS = {"newest": paging.Sort("seq", "number", descending=True)}
JSON_LINES = "application/jsonl"
OBJECTS = 200


@guards.page()
def activity(request: HttpRequest) -> HttpResponse:
    """Who did what to what; by person, action, object, way and time."""
    principal = principal_for(request)
    wanted = queries.Wanted.of(request.GET)
    page = paging.page(queries.events(principal, wanted), request.GET, sorts=SORTS)
    targets = queries.targets(principal, [event.pk for event in page.rows])
    context = shown.frame(
        title="Activity",
        nav="activity",
        crumbs=[shown.Crumb(label="Activity")],
        page=page,
        rows=activity_shown.rows(page.rows, targets),
        filters=activity_shown.filters(wanted, queries.actors(principal)),
        filtered=bool(wanted),
        wanted=wanted.query(),
        may_webhooks=isinstance(reach.anywhere(principal, Action.WEBHOOK_EDIT), Allowed),
        may_export=isinstance(reach.anywhere(principal, Action.AUDIT_EXPORT), Allowed),
    )
    return htmx.render(request, "identities/activity/index.html", context, part=TABLE)


@guards.page()
def event(request: HttpRequest, seq: int) -> HttpResponse:
    """One event: what it changed, all that it is about, and how it is sealed."""
    principal = principal_for(request)
    found = queries.event(principal, seq)
    if found is None:
        raise NotFound(f"There is no event {seq}.")
    targets = queries.targets(principal, [found.pk], most=OBJECTS).get(found.pk)
    whole = found.pk in queries.whole(principal, [found.pk])
    context = shown.frame(
        title=f"Event {found.seq}",
        nav="activity",
        crumbs=[
            shown.Crumb(label="Activity", url=reverse("activity")),
            shown.Crumb(label=f"Event {found.seq}"),
        ],
        event=activity_shown.event(found, targets, whole=whole),
    )
    return htmx.render(request, "identities/activity/event.html", context)


@guards.page("POST")
def export(request: HttpRequest) -> HttpResponseBase:
    """The events that fit the filter, oldest first, a JSON object a line; that they were taken is an event too."""
    principal = principal_for(request)
    lines = audit_exporting.export(principal=principal, wanted=queries.Wanted.of(request.POST))
    return htmx.stream("audit.jsonl", lines, JSON_LINES)
