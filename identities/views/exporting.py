"""Taking along: an operator as nsc's store, all creds of an account; plain downloads that are made while they leave."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.debug import sensitive_post_parameters

from identities import lookup
from identities.forms.keys import ExportStoreForm
from identities.lookup import principal_for
from identities.policy.actions import Action
from identities.policy.principal import Scope
from identities.services import account_creds, export_archives, exporting
from identities.views import guards, handouts_shown, htmx, passwords, shown

NAV = "operators"
ZIP = "application/zip"


@sensitive_post_parameters()
@guards.page("GET", "POST")
def store(request: HttpRequest, operator_key: str) -> HttpResponseBase:
    """The operator with everything below it; its keys only for whoever knows their password once more."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    scope = Scope(operator=operator.pk)
    guards.require(principal, Action.JWT_DOWNLOAD, scope)
    may_keys = guards.may(principal, Action.STORE_EXPORT, scope)
    form = passwords.form(request, ExportStoreForm, may_keys=may_keys)
    if form.is_valid():
        with guards.errors_on(form):
            plan = exporting.prepare(
                principal=principal, operator=operator, with_keys=form.with_keys, flat=form.flat
            )
            name = handouts_shown.file_name(f"{operator.name}{'-keys' if form.flat else '-nsc'}.zip")
            return htmx.stream(name, export_archives.store(plan), ZIP)
    context = {
        **shown.frame(
            title=f"Take {operator.name} along",
            nav=NAV,
            crumbs=shown.operator_crumbs(operator, "Take along"),
            cancel_url=shown.operator_url("operator", operator),
        ),
        "form": form,
        "may_keys": may_keys,
        "action": request.path,
    }
    return htmx.render(request, "identities/operators/store.html", context, status=form.status)


@guards.page("POST")
def creds(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponseBase:
    """The creds of every user of an account, each with a context of the `nats` command line."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    found = account_creds.prepare(principal=principal, account=account)
    name = handouts_shown.file_name(f"{account.name}-creds.zip")
    return htmx.stream(name, export_archives.creds(found, name), ZIP)
