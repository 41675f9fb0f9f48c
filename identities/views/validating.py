"""The page that validates an operator with all that is below it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.lookup import principal_for
from identities.services import clock, validating
from identities.views import guards, htmx, shown, validating_shown

RESULT = "identities/validate/result.html"


@guards.page()
def index(request: HttpRequest, operator_key: str) -> HttpResponse:
    """What nsc would say, what servers would, and where each is mended."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    checked = validating.check(principal=principal, operator=operator, now=clock.unix())
    context = shown.frame(
        title=f"Validate {operator.name}",
        nav="operators",
        crumbs=shown.operator_crumbs(operator, "Validate"),
        operator=operator.name,
        **shown.operator_tabs(principal, operator),
        **validating_shown.result(principal, operator, checked, request.GET),
    )
    return htmx.render(request, "identities/validate/index.html", context, part=RESULT)
