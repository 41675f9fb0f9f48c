"""The installation page: what `nsc env` tells, of a server."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from identities.forms.installation import DefaultOperatorForm, SecondFactorForm
from identities.lookup import principal_for
from identities.models import Operator
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.policy.second_factor import DEMAND_WORDS
from identities.services import audit_walks, second_factors
from identities.services import installation as service
from identities.views import guards, htmx, installation_shown, polling, shown

TEMPLATE = "identities/installation/index.html"
PART = "identities/installation/audit.html"
MOST_OPERATORS = 500


@guards.page("GET", "POST")
def installation(request: HttpRequest) -> HttpResponse:
    """Versions, database, keys, addresses, settings and workers; POST has the audit chain walked."""
    principal = principal_for(request)
    if request.method == "POST":
        audit_walks.start(principal=principal)
        return htmx.done(request, f"{reverse('installation')}#audit", "The audit chain is being checked.")
    can = guards.can(principal, None, Action.INSTALLATION_EDIT, Action.AUDIT_VIEW)
    check = audit_walks.latest(principal=principal) if can["audit_view"] else None
    described = service.described(principal=principal)
    form = _form(principal, described.default_operator)
    context = shown.frame(
        title="Installation",
        nav="installation",
        crumbs=[shown.Crumb(label="Installation")],
        can=can,
        form=form,
        **installation_shown.context(described, tuple(form.operators.values())),
    )
    live = context["audit"] = installation_shown.audit(described, check)
    return polling.render(request, TEMPLATE, context, part=PART, live=live)


@guards.page("GET", "POST")
def default_operator(request: HttpRequest) -> HttpResponse:
    """Choose which operator answers the bare addresses of the account server."""
    principal = principal_for(request)
    guards.require(principal, Action.INSTALLATION_EDIT)
    form = _form(principal, service.default_operator(), request)
    if form.is_valid():
        with guards.errors_on(form):
            service.choose_default_operator(principal=principal, operator=form.chosen())
            chosen = form.chosen()
            said = f"“{chosen.name}” is the default operator." if chosen else "No default operator is set."
            messages.success(request, said)
            return redirect("installation")
    url = reverse("installation")
    crumbs = [shown.Crumb(label="Installation", url=url), shown.Crumb(label="Default operator")]
    context = shown.frame(
        title="Default operator", nav="installation", crumbs=crumbs, cancel_url=url, submit="Choose"
    )
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def second_factor(request: HttpRequest) -> HttpResponse:
    """Choose of whom a second factor is demanded."""
    principal = principal_for(request)
    guards.require(principal, Action.INSTALLATION_EDIT)
    data = request.POST if request.method == "POST" else None
    form = SecondFactorForm(data, initial={"of_whom": second_factors.demanded()})
    url = reverse("installation")
    if form.is_valid():
        with guards.errors_on(form):
            chosen = form.chosen()
            second_factors.demand(principal=principal, of_whom=chosen)
            return htmx.done(request, url, f"A second factor is demanded of {DEMAND_WORDS[chosen]}.")
    crumbs = [shown.Crumb(label="Installation", url=url), shown.Crumb(label="Second factors")]
    context = shown.frame(title="Second factors", nav="installation", crumbs=crumbs, cancel_url=url)
    return htmx.render_form(request, form, "", context)


def _form(
    principal: Principal, chosen: Operator | None, request: HttpRequest | None = None
) -> DefaultOperatorForm:
    rows = Operator.objects.visible_to(principal).live().only("name", "public_key").order_by("name")
    data = request.POST if request is not None and request.method == "POST" else None
    initial = {"operator": chosen.public_key if chosen else ""}
    return DefaultOperatorForm(data, operators=list(rows[:MOST_OPERATORS]), initial=initial)
