"""Pages of activation tokens, which open private exports to single accounts."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.claims.drafts import ActivationDraft
from identities.forms.activations import ActivationForm
from identities.forms.base import VersionForm
from identities.lookup import principal_for
from identities.models import Account, IssuedToken
from identities.policy.actions import Action
from identities.services import accounts, activations, clock, exports, sharing
from identities.views import activations_shown, editing, exports_shown, guards, htmx, sharing_shown, shown

NAV = "operators"
TABLE = "identities/activations/table.html"


@guards.page()
def index(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Every activation that an account has issued here, the latest first."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    context = shown.frame(
        title=f"Activations of {account.name}",
        nav=NAV,
        crumbs=sharing_shown.crumbs(account, "exports", "Activations"),
        can=guards.can(principal, accounts.scope(account), *exports_shown.ACTIONS),
        account=account.name,
        **shown.account_tabs(account),
        **activations_shown.table(principal, account, request.GET, clock.unix()),
    )
    return htmx.render(request, "identities/activations/index.html", context, part=TABLE)


@guards.page("GET", "POST")
def create(request: HttpRequest, operator_key: str, account_key: str, export_handle: str) -> HttpResponse:
    """Open a private export to one account, as `nsc generate activation`."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.ACTIVATION_ISSUE, accounts.scope(account))
    _, export = sharing.export_of(account, export_handle)
    form = ActivationForm(
        request.POST if request.method == "POST" else None,
        now=clock.unix(),
        initial={
            "target": request.GET.get("target", ""),
            "subject": request.GET.get("subject", export.subject),
        },
    )
    back = sharing_shown.entry_url("export", account, export_handle)
    if form.is_valid():
        with guards.errors_on(form):
            typed = form.cleaned_data
            target = sharing.account_named(principal, account.operator, typed["target"], field="target")
            draft = ActivationDraft(**{**typed, "target": target})
            activations.issue(principal=principal, account=account, handle=export_handle, draft=draft)
            message = (
                f"Issued an activation of {draft.subject}. Download it below, and hand it to the account."
            )
            return htmx.done(request, f"{back}#activations", message)
    context = sharing_shown.frame(
        account, "exports", f"New activation of {export.subject}", "New activation", back=back
    )
    context |= {
        "submit": "Issue activation",
        "intro": "Signed by a key of this account, and kept here. It opens nothing to any other account.",
        "suggestions": sharing_shown.account_names(principal, account),
    }
    return htmx.render_form(request, form, sharing_shown.WITH_ACCOUNTS, context)


@guards.page()
def jwt(request: HttpRequest, operator_key: str, account_key: str, token_id: int) -> HttpResponse:
    """An activation as a file, as nsc writes it."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.JWT_DOWNLOAD, accounts.scope(account))
    token = activations.issued(account, token_id)
    text = activations.file_text(principal=principal, account=account, token=token)
    return htmx.download(activations_shown.jwt_name(account, token), text, "application/jwt")


@guards.page("GET", "POST")
def revoke(request: HttpRequest, operator_key: str, account_key: str, token_id: int) -> HttpResponse:
    """Revoke one activation: all of its account that were issued until now."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.ACTIVATION_REVOKE, accounts.scope(account))
    token = activations.issued(account, token_id)
    data = request.POST if request.method == "POST" else None
    form = VersionForm(data, initial={"version": account.version})

    def wanted() -> dict[str, Any]:
        handle, target, at = activations.revocation_of(account, token)
        return {"handle": handle, "target": target, "at": at}

    def save() -> HttpResponse:
        which = wanted()
        exports.revoke(principal=principal, account=account, version=form.version, **which)
        url = f"{sharing_shown.entry_url('export', account, which['handle'])}?changed=1"
        return htmx.done(request, url, f"Revoked the activations of {token.name}.")

    answer = editing.confirmed(
        request,
        form,
        account,
        plan=lambda: exports.plan_revoke(principal, account, **wanted()),
        save=save,
    )
    if answer is not None:
        return answer
    return htmx.render_form(request, form, "", _revoke_frame(account, token))


def _revoke_frame(account: Account, token: IssuedToken) -> dict[str, Any]:
    back = shown.account_url("activations", account)
    frame = sharing_shown.frame(
        account, "exports", f"Revoke the activation of {token.name}", "Revoke", back=back
    )
    return {
        **frame,
        "submit": "Revoke",
        "danger": True,
        "intro": f"Every activation of this export that {shown.short(token.subject)} was given until now is refused, "
        "as soon as the servers have this account's new JWT. A newer one can be issued afterwards.",
    }
