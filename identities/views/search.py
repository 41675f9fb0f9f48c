"""The search page: names, keys, and who may publish or subscribe."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from identities.forms.search import Look, Query
from identities.lookup import principal_for
from identities.models import Operator
from identities.views import guards, htmx, search_shown, shown

PART = "identities/search/results.html"
MOST_OPERATORS = 500


@guards.page()
def search(request: HttpRequest) -> HttpResponse:
    """One box over operators, accounts, users, public keys and permission subjects."""
    principal = principal_for(request)
    query = Query.of(request.GET)
    operators = tuple(
        Operator.objects.visible_to(principal)
        .live()
        .only("name", "public_key")
        .order_by("name", "pk")[:MOST_OPERATORS]
    )
    chosen = tuple(each for each in operators if each.public_key == query.operator) or operators
    context = shown.frame(
        title="Search",
        nav="search",
        crumbs=[shown.Crumb(label="Search")],
        query=query,
        search_text=query.text,
        looks=search_shown.looks(query),
        operators=search_shown.operator_choices(operators, query),
    )
    if query.text and not query.problem and chosen:
        if query.look in (Look.PUBLISH, Look.SUBSCRIBE):
            context |= search_shown.holders(principal, query, chosen)
        else:
            context |= search_shown.found(principal, query, chosen)
    status = 422 if query.problem else 200
    return htmx.render(request, "identities/search/index.html", context, part=PART, status=status)
