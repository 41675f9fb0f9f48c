"""Pages of trust rules: which machines get short-lived creds of a role for a token of their own provider."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from identities import lookup
from identities.forms.base import ConfirmForm
from identities.forms.workload import RuleForm
from identities.lookup import principal_for
from identities.models import Account, Key, WorkloadRule
from identities.policy.actions import Action
from identities.services import issuing_terms, short_lived, workload_rules
from identities.views import guards, htmx, shown, signing_keys_shown

INDEX = "identities/workload/index.html"
NAV = "operators"


@guards.page()
def index(request: HttpRequest, operator_key: str, account_key: str, signing_key: str) -> HttpResponse:
    """The rules of a role, and what a job sends."""
    role = _role(request, operator_key, account_key, signing_key)
    rules = [
        {
            "name": each.name,
            "state": _state(each),
            "issuer": each.issuer,
            "audience": each.audience,
            "conditions": [f"{claim} = {pattern}" for claim, pattern in each.wanted],
            "user_name": each.user_name,
            "last": shown.moment(each.last_used_at),
            "edit_url": _url("workload-rule-edit", role, each.pk),
            "delete_url": _url("workload-rule-delete", role, each.pk),
        }
        for each in workload_rules.of(role)
    ]
    context = _frame(
        role,
        "",
        rows=rules,
        new_url=_url("workload-rule-create", role),
        role=issuing_terms.called(role),
        role_key=role.public_key,
        api_url=f"{settings.NSCWEB_URL}{reverse('api-workload-creds')}",
        **shown.account_tabs(_account(role)),
    )
    return htmx.render(request, INDEX, context)


@guards.page("GET", "POST")
def create(request: HttpRequest, operator_key: str, account_key: str, signing_key: str) -> HttpResponse:
    """Add a rule."""
    role = _role(request, operator_key, account_key, signing_key)
    initial = {
        "audience": settings.NSCWEB_URL,
        "seconds": issuing_terms.of(role).usual,
        "is_enabled": True,
        "version": 0,
    }
    form = RuleForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_valid():
        with guards.errors_on(form):
            rule = workload_rules.create(principal=principal_for(request), role=role, draft=form.to_draft())
            return htmx.done(request, _url("workload-rules", role), f"Added the rule “{rule.name}”.")
    return htmx.render_form(request, form, "", _frame(role, "New rule", submit="Add rule"))


@guards.page("GET", "POST")
def edit(
    request: HttpRequest, operator_key: str, account_key: str, signing_key: str, rule_id: int
) -> HttpResponse:
    """Edit a rule."""
    role = _role(request, operator_key, account_key, signing_key)
    rule = workload_rules.find(role, rule_id)
    form = RuleForm(
        request.POST if request.method == "POST" else None,
        initial={**RuleForm.values_of(rule), "version": rule.version},
    )
    if form.is_valid():
        with guards.errors_on(form, RuleForm.values_of):
            saved = workload_rules.update(
                principal=principal_for(request), rule=rule, draft=form.to_draft(), version=form.version
            )
            return htmx.done(request, _url("workload-rules", role), f"Saved the rule “{saved.name}”.")
    intro = "Creds that were issued before keep their time; revoke them in the ledger."
    return htmx.render_form(request, form, "", _frame(role, f"Edit {rule.name}", intro=intro))


@guards.page("GET", "POST")
def delete(
    request: HttpRequest, operator_key: str, account_key: str, signing_key: str, rule_id: int
) -> HttpResponse:
    """Remove a rule, after asking for its name."""
    role = _role(request, operator_key, account_key, signing_key)
    rule = workload_rules.find(role, rule_id)
    data = request.POST if request.method == "POST" else None
    form = ConfirmForm(data, name=rule.name, initial={"version": rule.version})
    if form.is_valid():
        with guards.errors_on(form):
            workload_rules.delete(principal=principal_for(request), rule=rule, version=form.version)
            return htmx.done(request, _url("workload-rules", role), f"Removed the rule “{rule.name}”.")
    context = _frame(
        role,
        f"Remove {rule.name}",
        name=rule.name,
        submit="Remove rule",
        intro="Machines get no more creds by it. Those that they have work until they expire.",
    )
    return htmx.render_form(request, form, "", context, panel=htmx.CONFIRM)


def _role(request: HttpRequest, operator_key: str, account_key: str, signing_key: str) -> Key:
    principal = principal_for(request)
    role = lookup.role(principal, operator_key, account_key, signing_key)
    guards.require(principal, Action.WORKLOAD_EDIT, short_lived.scope(role))
    return role


def _state(rule: WorkloadRule) -> shown.State:
    if rule.is_enabled:
        return shown.State(word="In force", tone="ok", icon="circle-check")
    return shown.State(word="Off", tone="muted", icon="circle-dashed")


def _account(role: Key) -> Account:
    assert role.account is not None  # noqa: S101 - a role has one, and `lookup.role` loads it
    return role.account


def _url(name: str, role: Key, *more: object) -> str:
    return shown.account_url(name, _account(role), role.public_key, *more)


def _frame(role: Key, step: str, /, **more: Any) -> dict[str, Any]:
    account = _account(role)
    rules = _url("workload-rules", role)
    crumbs = [
        *shown.account_crumbs(account, "")[:4],
        *signing_keys_shown.crumbs(account, "")[:1],
        shown.Crumb(
            label=role.role or shown.short(role.public_key),
            url=shown.account_url("signing-key", account, role.public_key),
        ),
        shown.Crumb(label="Machines", url=rules if step else ""),
    ]
    crumbs += [shown.Crumb(label=step)] if step else []
    title = f"{step}: {issuing_terms.called(role)}" if step else f"Machines of {issuing_terms.called(role)}"
    return shown.frame(title=title, nav=NAV, crumbs=crumbs, cancel_url=rules, **more)
