"""Pages of operators."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from identities import lookup
from identities.forms.base import ConfirmForm, VersionForm
from identities.forms.operator_keys import SystemAccountForm
from identities.forms.operators import OperatorCreateForm, OperatorEditForm
from identities.lookup import principal_for
from identities.models import Operator
from identities.policy.actions import Action
from identities.policy.principal import Scope
from identities.services import clock, operators, system_accounts, unsigned
from identities.views import editing, guards, htmx, operators_shown, shown
from identities.views import history as histories

NAV = "operators"
TABLE = "identities/operators/table.html"


@guards.page()
def index(request: HttpRequest) -> HttpResponse:
    """Every operator that the reader may see."""
    principal = principal_for(request)
    context = shown.frame(
        title="Operators",
        nav=NAV,
        crumbs=[shown.Crumb(label="Operators")],
        can=guards.can(principal, None, Action.OPERATOR_CREATE, Action.JWT_ADOPT),
        **operators_shown.table(principal, request.GET, clock.unix()),
    )
    return htmx.render(request, "identities/operators/index.html", context, part=TABLE)


@guards.page("GET", "POST")
def create(request: HttpRequest) -> HttpResponse:
    """Add an operator, with the options of `nsc add operator`."""
    principal = principal_for(request)
    guards.require(principal, Action.OPERATOR_CREATE)
    form = OperatorCreateForm(request.POST if request.method == "POST" else None, now=clock.unix())
    if form.is_valid():
        with guards.errors_on(form):
            operator = operators.create(principal=principal, draft=form.to_draft())
            return htmx.done(
                request, shown.operator_url("operator", operator), f"Created operator “{operator.name}”."
            )
    crumbs = [shown.Crumb(label="Operators", url=reverse("operators")), shown.Crumb(label="New operator")]
    context = shown.frame(
        title="New operator",
        nav=NAV,
        crumbs=crumbs,
        cancel_url=reverse("operators"),
        submit="Create operator",
    )
    return htmx.render_form(request, form, "", context)


@guards.page()
def detail(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Everything that `nsc describe operator` prints, and where to go from here."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    context = shown.frame(
        title=operator.name,
        nav=NAV,
        crumbs=shown.operator_crumbs(operator),
        can=guards.can(principal, _scope(operator), *operators_shown.ACTIONS),
        **operators_shown.described(operator, request, clock.unix()),
        waits_url=shown.unsigned_url(operator) if unsigned.waiting(operator) else "",
    )
    return htmx.render(request, "identities/operators/detail.html", context)


@guards.page("GET", "POST")
def edit(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Edit and rename an operator."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    guards.require(principal, Action.OPERATOR_EDIT, _scope(operator))
    initial = {**OperatorEditForm.values_of(operator), "version": operator.version}
    form = OperatorEditForm(
        request.POST if request.method == "POST" else None, now=clock.unix(), initial=initial
    )

    def save() -> HttpResponse:
        saved = operators.update(
            principal=principal, operator=operator, edit=form.to_edit(), version=form.version
        )
        return _saved(request, saved, operator.version, f"Saved operator “{saved.name}”.")

    answer = editing.answer(
        request,
        form,
        operator,
        plan=lambda: operators.plan_edit(operator, form.to_edit()),
        save=save,
        values_of=OperatorEditForm.values_of,
        can_wait=True,
    )
    if answer is not None:
        return answer
    context = _frame(operator, "Edit", f"Edit operator {operator.name}")
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def delete(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Ask for the name, then delete the operator with everything below it."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    guards.require(principal, Action.OPERATOR_DELETE, _scope(operator))
    form = ConfirmForm(
        request.POST if request.method == "POST" else None,
        name=operator.name,
        initial={"version": operator.version},
    )
    if form.is_valid():
        with guards.errors_on(form):
            operators.delete(principal=principal, operator=operator, version=form.version)
            return htmx.done(request, reverse("operators"), f"Deleted operator “{operator.name}”.")
    context = _frame(operator, "Delete", f"Delete operator {operator.name}")
    context |= operators_shown.what_goes(operator)
    return htmx.render_form(request, form, "", context, panel=htmx.CONFIRM)


@guards.page("GET", "POST")
def add_system_account(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Give an operator without a system account one later."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    guards.require(principal, Action.OPERATOR_EDIT, _scope(operator))
    form = VersionForm(
        request.POST if request.method == "POST" else None, initial={"version": operator.version}
    )
    if form.is_valid():
        with guards.errors_on(form):
            saved = operators.add_system_account(principal=principal, operator=operator, version=form.version)
            return _saved(request, saved, operator.version, f"Added a system account to “{saved.name}”.")
    context = _frame(operator, "System account", f"Add a system account to {operator.name}")
    context |= {"submit": "Add system account", "intro": operators_shown.LATER_SYSTEM_ACCOUNT}
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def choose_system_account(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Choose another account as the system account, or none."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    guards.require(principal, Action.OPERATOR_EDIT, _scope(operator))
    initial = {**SystemAccountForm.values_of(operator), "version": operator.version}
    form = SystemAccountForm(request.POST if request.method == "POST" else None, initial=initial)

    def wanted() -> str:
        return system_accounts.key_of(operator, form.cleaned_data["account"])

    def save() -> HttpResponse:
        saved = system_accounts.choose(
            principal=principal, operator=operator, account=wanted(), version=form.version
        )
        return _saved(request, saved, operator.version, f"Saved the system account of “{saved.name}”.")

    answer = editing.answer(
        request,
        form,
        operator,
        plan=lambda: system_accounts.plan_choose(operator, wanted()),
        save=save,
        values_of=SystemAccountForm.values_of,
        can_wait=True,
    )
    if answer is not None:
        return answer
    context = _frame(operator, "System account", f"System account of {operator.name}")
    context["choices"] = operators_shown.account_names(operator)
    return htmx.render_form(request, form, "identities/operators/system_account_fields.html", context)


@guards.page()
def jwt(request: HttpRequest, operator_key: str) -> HttpResponse:
    """The operator's JWT as a file, as in nsc's store."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    guards.require(principal, Action.JWT_DOWNLOAD, _scope(operator))
    text = operator.token.text if operator.token is not None else ""
    return htmx.download(f"{operator.name}.jwt", text, "application/jwt")


@guards.page()
def history(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Every JWT of the operator, what changed in each, and who did what."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    context = {
        **_frame(operator, "History", f"History of operator {operator.name}"),
        **shown.operator_tabs(principal, operator),
        **histories.context(request, principal=principal, row=operator, scope=_scope(operator)),
    }
    return htmx.render(request, "identities/shared/history.html", context)


def _scope(operator: Operator) -> Scope:
    return Scope(operator=operator.pk)


def _frame(operator: Operator, step: str, title: str) -> dict[str, object]:
    return shown.frame(
        title=title,
        nav=NAV,
        crumbs=shown.operator_crumbs(operator, step),
        cancel_url=shown.operator_url("operator", operator),
    )


def _saved(request: HttpRequest, operator: Operator, before: int, message: str) -> HttpResponse:
    url = shown.operator_url("operator", operator)
    if operator.version == before:
        return htmx.done(request, url, "Nothing was changed, so nothing was signed.")
    return htmx.done(request, f"{url}?changed=1", message)
