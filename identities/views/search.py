"""The search page: names, keys, and who may publish or subscribe."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from identities.forms.search import Look, Query, WhoseForm
from identities.lookup import principal_for
from identities.models import Operator
from identities.views import guards, htmx, search_shown, shown

PART = "identities/search/results.html"
MOST_OPERATORS = 500


@sensitive_post_parameters()
@guards.page("GET", "POST")
def whose(request: HttpRequest) -> HttpResponse:
    """What is this key? Whose the keys in a pasted text are: a key alone, a JWT, lines of a server's log."""
    form = WhoseForm(request.POST if request.method == "POST" else None)
    context = shown.frame(
        title="What is this key?",
        nav="search",
        crumbs=[shown.Crumb(label="Search", url=reverse("search")), shown.Crumb(label="What is this key?")],
    )
    if form.is_valid():
        context |= search_shown.whose(principal_for(request), form.cleaned_data["text"])
    context["form"] = form.emptied()
    return htmx.render(request, "identities/search/whose.html", context, status=form.status)


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
