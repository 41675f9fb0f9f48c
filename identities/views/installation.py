"""The installation page: what `nsc env` tells, of a server."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from identities.forms.installation import DefaultOperatorForm
from identities.lookup import principal_for
from identities.models import Operator
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import installation as service
from identities.views import guards, htmx, installation_shown, shown

TEMPLATE = "identities/installation/index.html"
MOST_OPERATORS = 500


@guards.page("GET", "POST")
def installation(request: HttpRequest) -> HttpResponse:
    """Versions, database, keys, addresses, settings and workers; POST walks the audit chain."""
    principal = principal_for(request)
    checked = None
    if request.method == "POST":
        broken = service.check_audit_chain(principal=principal)
        checked = installation_shown.chain(broken)
    described = service.described(principal=principal)
    form = _form(principal, described.default_operator)
    context = shown.frame(
        title="Installation",
        nav="installation",
        crumbs=[shown.Crumb(label="Installation")],
        can=guards.can(principal, None, Action.INSTALLATION_EDIT, Action.AUDIT_VIEW),
        form=form,
        checked=checked,
        **installation_shown.context(described, tuple(form.operators.values())),
    )
    return htmx.render(request, TEMPLATE, context)


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


def _form(
    principal: Principal, chosen: Operator | None, request: HttpRequest | None = None
) -> DefaultOperatorForm:
    rows = Operator.objects.visible_to(principal).live().only("name", "public_key").order_by("name")
    data = request.POST if request is not None and request.method == "POST" else None
    initial = {"operator": chosen.public_key if chosen else ""}
    return DefaultOperatorForm(data, operators=list(rows[:MOST_OPERATORS]), initial=initial)
