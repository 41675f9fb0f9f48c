"""Dialogs over what an account says for all its users: default permissions, tracing, cluster traffic, auth callout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.forms.account_settings import ClusterTrafficForm, DefaultPermissionsForm, TracingForm
from identities.forms.auth_callout import AuthCalloutForm
from identities.forms.base import EditForm
from identities.lookup import principal_for
from identities.models import Account
from identities.policy.actions import Action
from identities.services import account_settings, accounts, changes, clock
from identities.services import auth_callout as auth_callouts
from identities.views import editing, guards, htmx, shown

NAV = "operators"
RULES = "identities/accounts/default_permissions_fields.html"


@guards.page("GET", "POST")
def default_permissions(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Edit what users may do that have no permissions of their own."""
    account = _editable(request, operator_key, account_key, Action.ACCOUNT_EDIT)
    form = DefaultPermissionsForm(_data(request), now=clock.unix(), account=account)
    held = changes.claims_of(account).nats.default_permissions
    return _edited(
        request,
        account,
        form,
        plan=lambda: account_settings.plan_default_permissions(account, form.to_permissions(held)),
        save=lambda who: account_settings.update_default_permissions(
            principal=who, account=account, permissions=form.to_permissions(held), version=form.version
        ),
        values_of=DefaultPermissionsForm.values_of,
        what="Default permissions",
        intro="For users of this account that have no permissions of their own: neither they nor their role name one.",
        body=RULES,
    )


@guards.page("GET", "POST")
def tracing(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Edit where messages with a trace context are reported to."""
    account = _editable(request, operator_key, account_key, Action.ACCOUNT_EDIT)
    initial = {**TracingForm.values_of(account), "version": account.version}
    form = TracingForm(_data(request), now=clock.unix(), initial=initial)
    held = changes.claims_of(account).nats.trace
    return _edited(
        request,
        account,
        form,
        plan=lambda: account_settings.plan_tracing(account, form.to_trace(held)),
        save=lambda who: account_settings.update_tracing(
            principal=who, account=account, trace=form.to_trace(held), version=form.version
        ),
        values_of=TracingForm.values_of,
        what="Message tracing",
    )


@guards.page("GET", "POST")
def cluster_traffic(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Edit in which account the replicas of the account's streams talk to one another."""
    account = _editable(request, operator_key, account_key, Action.ACCOUNT_LIMITS_EDIT)
    initial = {**ClusterTrafficForm.values_of(account), "version": account.version}
    form = ClusterTrafficForm(_data(request), now=clock.unix(), initial=initial)
    return _edited(
        request,
        account,
        form,
        plan=lambda: account_settings.plan_cluster_traffic(account, form.cleaned_data["traffic"]),
        save=lambda who: account_settings.update_cluster_traffic(
            principal=who, account=account, traffic=form.cleaned_data["traffic"], version=form.version
        ),
        values_of=ClusterTrafficForm.values_of,
        what="Cluster traffic",
    )


@guards.page("GET", "POST")
def auth_callout(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Edit who answers for the account's logins, where clients may be placed, and what requests are sealed to."""
    principal = principal_for(request)
    account = _editable(request, operator_key, account_key, Action.AUTH_CALLOUT_EDIT)
    form = AuthCalloutForm(_data(request), now=clock.unix(), account=account, principal=principal)
    return _edited(
        request,
        account,
        form,
        plan=lambda: auth_callouts.plan_update(account, form.to_callout(), new_xkey=form.makes_xkey),
        save=lambda who: auth_callouts.update(
            principal=who,
            account=account,
            callout=form.to_callout(),
            version=form.version,
            new_xkey=form.makes_xkey,
        ),
        values_of=lambda row: AuthCalloutForm.values_of(row, principal),
        what="Auth callout",
        can_wait=False,
        intro="Servers ask a service of yours who may log in, and as what.",
    )


def _editable(request: HttpRequest, operator_key: str, account_key: str, action: Action) -> Account:
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, action, accounts.scope(account))
    return account


def _data(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _edited(
    request: HttpRequest,
    account: Account,
    form: EditForm,
    *,
    plan: Callable[[], changes.Change],
    save: Callable[[Any], Account],
    values_of: Callable[[Any], dict[str, Any]],
    what: str,
    intro: str = "",
    body: str = "",
    can_wait: bool = True,
) -> HttpResponse:
    """The dialog over one setting: `what` it is called, how a change is planned and saved, whether it may wait."""
    url = shown.account_url("account", account)

    def saved() -> HttpResponse:
        after = save(principal_for(request))
        if after.version == account.version:
            return htmx.done(request, url, "Nothing was changed, so nothing was signed.")
        return htmx.done(request, f"{url}?changed=1", f"Saved: {what.lower()} of “{after.name}”.")

    answer = editing.answer(
        request, form, account, plan=plan, save=saved, values_of=values_of, can_wait=can_wait
    )
    if answer is not None:
        return answer
    context = shown.frame(
        title=f"{what} of {account.name}",
        nav=NAV,
        crumbs=shown.account_crumbs(account, what),
        cancel_url=url,
        intro=intro,
    )
    return htmx.render_form(request, form, body, context)
