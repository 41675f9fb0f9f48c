"""Pages of the keys that sign an operator's accounts."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.forms.operator_keys import AddKeyForm, RemoveKeyForm
from identities.lookup import principal_for
from identities.models import Operator
from identities.policy.actions import Action
from identities.policy.principal import Scope
from identities.services import clock, operator_keys
from identities.views import delivery, editing, guards, htmx, operator_keys_shown, shown

NAV = "operators"


@guards.page()
def index(request: HttpRequest, operator_key: str) -> HttpResponse:
    """The keys of an operator, and how many accounts each signed."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    context = shown.frame(
        title=f"Signing keys of {operator.name}",
        nav=NAV,
        crumbs=shown.operator_crumbs(operator, "Signing keys"),
        can=guards.can(
            principal, Scope(operator=operator.pk), Action.OPERATOR_KEY_EDIT, Action.OPERATOR_REISSUE
        ),
        operator=operator.name,
        new_url=shown.operator_url("operator-key-create", operator),
        anew_url=shown.operator_url("operator-sign-anew", operator),
        just_changed=request.GET.get("changed") == "1",
        ways=delivery.of_operator(principal, operator),
        **shown.operator_tabs(principal, operator),
        **operator_keys_shown.listed(principal, operator),
    )
    return htmx.render(request, "identities/operator_keys/index.html", context)


@guards.page("GET", "POST")
def create(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Add a signing key, made here or brought."""
    operator = _editable(request, operator_key)
    data = request.POST if request.method == "POST" else None
    form = AddKeyForm(data, now=clock.unix(), initial={"version": operator.version})

    def save() -> HttpResponse:
        operator_keys.add(
            principal=principal_for(request),
            operator=operator,
            version=form.version,
            public_key=form.cleaned_data["public_key"],
        )
        return _saved(request, operator, "Added a signing key.")

    answer = editing.answer(
        request,
        form,
        operator,
        plan=lambda: operator_keys.plan_add(operator, form.cleaned_data["public_key"]),
        save=save,
    )
    if answer is not None:
        return answer
    context = _frame(operator, "Add", f"Add a signing key to {operator.name}")
    context |= {
        "submit": "Add signing key",
        "intro": "A key that signs accounts in the identity key's place. Servers trust it after a restart with the "
        "operator's new JWT.",
    }
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def remove(request: HttpRequest, operator_key: str, operator_signing_key: str) -> HttpResponse:
    """Remove a signing key, once it was shown which accounts it signed."""
    operator = _editable(request, operator_key)
    key = _found(operator, operator_signing_key)
    data = request.POST if request.method == "POST" else None
    others = (
        operator_keys_shown.choices(operator, key) if operator_keys.signed_by(operator, key).exists() else ()
    )
    form = RemoveKeyForm(data, choices=others, initial={"version": operator.version})

    def save() -> HttpResponse:
        operator_keys.remove(
            principal=principal_for(request),
            operator=operator,
            public_key=key,
            version=form.version,
            resign_by=form.by,
        )
        return _saved(request, operator, f"Removed the signing key {shown.short(key)}.")

    answer = editing.confirmed(
        request, form, operator, plan=lambda: operator_keys.plan_remove(operator, key), save=save
    )
    if answer is not None:
        return answer
    context = _frame(operator, "Remove", f"Remove the signing key {shown.short(key)}")
    return htmx.render_form(request, form, "", {**context, "submit": "Remove signing key", "danger": True})


def _editable(request: HttpRequest, operator_key: str) -> Operator:
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    guards.require(principal, Action.OPERATOR_KEY_EDIT, Scope(operator=operator.pk))
    return operator


def _found(operator: Operator, wanted: str) -> str:
    key = operator_keys_shown.key_called(operator, wanted)
    if not key:
        raise lookup.NotFound(f"“{operator.name}” has no such key (any more).")
    return key


def _frame(operator: Operator, step: str, title: str) -> dict[str, object]:
    return shown.frame(
        title=title,
        nav=NAV,
        crumbs=shown.operator_crumbs(operator, "Signing keys", step),
        cancel_url=shown.operator_url("operator-keys", operator),
    )


def _saved(request: HttpRequest, operator: Operator, message: str) -> HttpResponse:
    return htmx.done(request, f"{shown.operator_url('operator-keys', operator)}?changed=1", message)
