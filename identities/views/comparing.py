"""Two users or roles beside each other."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict

from identities.forms.comparing import ComparingForm
from identities.lookup import principal_for
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import comparing, reach
from identities.views import comparing_shown, guards, htmx, shown

PART = "identities/compare/compared.html"
_NAMES = ("first", "second")


@guards.page()
def compare(request: HttpRequest) -> HttpResponse:
    """What each of two may that the other may not; `?first=…&second=…` are names or public keys."""
    principal = principal_for(request)
    allowed = reach.anywhere(principal, Action.VIEW)
    if isinstance(allowed, decisions.Denied):
        raise decisions.Forbidden(allowed.reason)
    asked = request.GET if all(name in request.GET for name in _NAMES) else None
    form = ComparingForm(asked, initial={name: request.GET.get(name, "") for name in _NAMES})
    answer = _compared(principal, form, request.GET) if form.is_valid() else {}
    context = shown.frame(
        title="Compare two", nav="operators", crumbs=[shown.Crumb(label="Compare two")], form=form, **answer
    )
    return htmx.render(request, "identities/compare/index.html", context, part=PART, status=form.status)


def _compared(principal: Principal, form: ComparingForm, query: QueryDict) -> dict[str, Any]:
    """The comparison, or for a name that several have: which of them."""
    found: list[comparing.Side] = []
    candidates: list[shown.Crumb] = []
    for name in _NAMES:
        sides = comparing.sides(principal, form.cleaned_data[name])
        if not sides:
            form.add_error(name, "No user and no role of this name or key is known here.")
        elif len(sides) > 1:
            form.add_error(name, "Several are called so: choose one below.")
            candidates += comparing_shown.candidates(query, name, sides)
        else:
            found.append(sides[0])
    if len(found) < len(_NAMES):
        return {"candidates": candidates}
    return {"compared": comparing_shown.compared(comparing.of(found[0], found[1]))}
