"""The expirations report."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from identities.lookup import principal_for
from identities.models import Operator
from identities.queries import expirations as queries
from identities.services import clock
from identities.views import expirations_shown, guards, htmx, shown

TABLE = "identities/expirations/table.html"
PAGE = 50
MOST_OPERATORS = 500


@guards.page()
def expirations(request: HttpRequest) -> HttpResponse:
    """What expired and what will: operators, accounts, users and their creds, soonest first."""
    principal = principal_for(request)
    now = clock.unix()
    operators = tuple(
        Operator.objects.visible_to(principal)
        .live()
        .only("name", "public_key", "expires")
        .order_by("name")[:MOST_OPERATORS]
    )
    asked = expirations_shown.Asked.of(request.GET, operators, now)
    found = queries.soonest(
        principal,
        asked.window,
        operators=operators,
        kinds=asked.kinds,
        operator=asked.operator,
        after=asked.after,
        size=PAGE + 1,
    )
    number = (
        None  # everything is not counted: pages of it would cost more for their number than for their rows
    )
    if not asked.window.never:
        number = queries.counted(
            principal, asked.window, operators=operators, kinds=asked.kinds, operator=asked.operator
        )
    context = shown.frame(
        title="Expirations",
        nav="expirations",
        crumbs=[shown.Crumb(label="Expirations")],
        rows=expirations_shown.rows(found[:PAGE], now),
        page=asked.page(found, PAGE, number),
        filters=asked.filters(operators),
    )
    return htmx.render(request, "identities/expirations/index.html", context, part=TABLE)
