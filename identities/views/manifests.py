"""An operator as a manifest: download it, paste it back, look at the plan, apply it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.forms.manifests import PLAN, PRUNE, TEXT, ManifestForm
from identities.lookup import principal_for
from identities.models import Operator
from identities.policy import decisions
from identities.services import manifests
from identities.services.manifest_plans import ManifestStale, Plan
from identities.views import guards, handouts_shown, htmx, manifests_shown, shown

NAV = "operators"
APPLY = "apply"
"""Sent by the button below a plan."""
YAML = "application/yaml; charset=utf-8"


@guards.page("GET", "POST")
def index(request: HttpRequest, operator_key: str) -> HttpResponse:
    """What a manifest would do to the operator; applied only after its plan was shown."""
    operator = lookup.operator(principal_for(request), operator_key)
    if request.method != "POST":
        return _page(request, operator, ManifestForm(), None)
    form = ManifestForm(request.POST, files=request.FILES)
    plan, status = None, 0
    if form.is_valid():
        try:
            with guards.errors_on(form):
                plan = _applied(request, operator, form) or _planned(request, operator, form)
        except decisions.Forbidden as refused:  # the text stays, to be taken to whoever may
            form.add_error(None, refused.user_message)
            status = 403
    if plan is not None and plan.applied:
        return htmx.done(
            request, shown.operator_url("operator-manifest", operator), manifests_shown.done(plan)
        )
    return _page(request, operator, form, plan, status)


@guards.page()
def download(request: HttpRequest, operator_key: str) -> HttpResponse:
    """The operator as it is, as far as it may be seen; `?keys=1` with public keys."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    form = ManifestForm()
    with guards.errors_on(form):
        text = manifests.text(principal, operator, keys=request.GET.get("keys") == "1")
        return htmx.download(handouts_shown.file_name(f"{operator.name}.yaml"), text, YAML)
    return _page(request, operator, form, None)


def _applied(request: HttpRequest, operator: Operator, form: ManifestForm) -> Plan | None:
    """What was applied; None where a plan has to be looked at first."""
    token = form.cleaned_data[PLAN]
    if APPLY not in request.POST or not token:
        return None
    try:
        return manifests.apply(
            principal=principal_for(request),
            operator=operator,
            data=form.cleaned_data[TEXT],
            prune=form.cleaned_data[PRUNE],
            token=token,
        )
    except ManifestStale as stale:
        form.add_error(None, stale.user_message)
        return None


def _planned(request: HttpRequest, operator: Operator, form: ManifestForm) -> Plan:
    plan = manifests.plan(
        principal=principal_for(request),
        operator=operator,
        data=form.cleaned_data[TEXT],
        prune=form.cleaned_data[PRUNE],
    )
    form.planned(plan.token)
    return plan


def _page(
    request: HttpRequest, operator: Operator, form: ManifestForm, plan: Plan | None, status: int = 0
) -> HttpResponse:
    context = {
        **shown.frame(
            title=f"Manifest of {operator.name}",
            nav=NAV,
            crumbs=shown.operator_crumbs(operator, "Manifest"),
            cancel_url=shown.operator_url("operator", operator),
        ),
        "form": form,
        "plan": manifests_shown.plan(plan) if plan is not None else None,
        "action": shown.operator_url("operator-manifest", operator),
        "download_url": shown.operator_url("operator-manifest-download", operator),
    }
    return htmx.render(request, "identities/manifests/index.html", context, status=status or form.status)
