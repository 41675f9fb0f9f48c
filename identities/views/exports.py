"""Pages of exports, and of the revocations of their activations."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.claims import sharing as rules
from identities.claims.exports import Export
from identities.forms.base import ConfirmForm, VersionForm
from identities.forms.exports import ExportForm, RevokeForm
from identities.lookup import principal_for
from identities.models import Account
from identities.policy.actions import Action
from identities.services import accounts, activation_requests, changes, clock, exports, sharing
from identities.views import delivery, editing, exports_shown, guards, htmx, sharing_shown, shown

NAV = "operators"
TABLE = "identities/exports/table.html"


@guards.page()
def index(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """What an account offers to others."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    context = shown.frame(
        title=f"Exports of {account.name}",
        nav=NAV,
        crumbs=shown.account_crumbs(account, "Exports"),
        can=guards.can(principal, accounts.scope(account), *exports_shown.ACTIONS),
        account=account.name,
        just_changed=request.GET.get("changed") == "1",
        ways=delivery.of_account(principal, account),
        urls={
            "new": shown.account_url("export-create", account),
            "activations": shown.account_url("activations", account),
            "requests": shown.account_url("activation-requests", account),
        },
        requests=activation_requests.waiting_for(principal, account),
        **shown.account_tabs(account),
        **exports_shown.table(principal, account, request.GET, clock.unix()),
    )
    return htmx.render(request, "identities/exports/index.html", context, part=TABLE)


@guards.page()
def detail(request: HttpRequest, operator_key: str, account_key: str, export_handle: str) -> HttpResponse:
    """One export: its settings, who imports it, its activations and their revocations."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    place, export = sharing.export_of(account, export_handle)
    context = shown.frame(
        title=export.name or export.subject,
        nav=NAV,
        crumbs=sharing_shown.crumbs(account, "exports", export.name or export.subject),
        can=guards.can(principal, accounts.scope(account), *exports_shown.ACTIONS),
        just_changed=request.GET.get("changed") == "1",
        ways=delivery.of_account(principal, account),
        **shown.account_tabs(account),
        **exports_shown.described(principal, account, export_handle, place, export, clock.unix()),
    )
    return htmx.render(request, "identities/exports/detail.html", context)


@guards.page("GET", "POST")
def create(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Offer a stream or service, with the options of `nsc add export`."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.EXPORT_EDIT, accounts.scope(account))
    form = ExportForm(
        request.POST if request.method == "POST" else None,
        index=len(changes.claims_of(account).nats.exports),
        now=clock.unix(),
        initial={"type": "stream", "version": account.version},
    )

    def save() -> HttpResponse:
        export = form.to_export(None)
        saved = exports.add(principal=principal, account=account, export=export, version=form.version)
        return _saved(request, account, saved, export, f"Added the export {export.subject}.")

    answer = editing.answer(
        request,
        form,
        account,
        plan=lambda: exports.plan_add(account, form.to_export(None)),
        save=save,
        can_wait=True,
    )
    if answer is not None:
        return answer
    context = _frame(account, "New export", "New export")
    context |= {"intro": f"Of the account {account.name}.", "submit": "Add export"}
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def edit(request: HttpRequest, operator_key: str, account_key: str, export_handle: str) -> HttpResponse:
    """Edit an export; whose imports it would break is said before it is saved."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.EXPORT_EDIT, accounts.scope(account))
    place, export = sharing.export_of(account, export_handle)
    form = ExportForm(
        request.POST if request.method == "POST" else None,
        index=place,
        now=clock.unix(),
        initial={**ExportForm.values_of(export), "version": account.version},
    )

    def save() -> HttpResponse:
        wanted = form.to_export(export)
        saved = exports.edit(
            principal=principal, account=account, handle=export_handle, export=wanted, version=form.version
        )
        return _saved(request, account, saved, wanted, f"Saved the export {wanted.subject}.")

    answer = editing.answer(
        request,
        form,
        account,
        plan=lambda: exports.plan_edit(principal, account, export_handle, form.to_export(export)),
        save=save,
        values_of=lambda row: _values(row, export_handle),
        can_wait=True,
    )
    if answer is not None:
        return answer
    context = _frame(account, "Edit", f"Edit export {export.name or export.subject}", export_handle)
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def delete(request: HttpRequest, operator_key: str, account_key: str, export_handle: str) -> HttpResponse:
    """Ask for the subject, say whose imports stop, and take the export back."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.EXPORT_EDIT, accounts.scope(account))
    _, export = sharing.export_at(account, export_handle)
    name = export.subject if export is not None and export.subject else "nothing"
    data = request.POST if request.method == "POST" else None
    form = ConfirmForm(data, name=name, initial={"version": account.version})

    def save() -> HttpResponse:
        exports.delete(principal=principal, account=account, handle=export_handle, version=form.version)
        url = f"{shown.account_url('exports', account)}?changed=1"
        return htmx.done(request, url, f"Deleted the export {name}.")

    answer = editing.confirmed(
        request,
        form,
        account,
        plan=lambda: exports.plan_delete(principal, account, export_handle),
        save=save,
        can_wait=True,
    )
    if answer is not None:
        return answer
    context = _frame(account, "Delete", f"Delete export {name}", export_handle if export else "")
    context |= {"name": name, "submit": "Delete export", "intro": exports_shown.GOES}
    return htmx.render_form(request, form, "", context, panel=htmx.CONFIRM)


@guards.page("GET", "POST")
def revoke(request: HttpRequest, operator_key: str, account_key: str, export_handle: str) -> HttpResponse:
    """Refuse activations of an export by account, or all of them, issued until some time."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.ACTIVATION_REVOKE, accounts.scope(account))
    _, export = sharing.export_of(account, export_handle)
    form = RevokeForm(
        request.POST if request.method == "POST" else None,
        now=clock.unix(),
        initial={"target": request.GET.get("target", ""), "version": account.version},
    )

    def wanted() -> dict[str, Any]:
        typed = form.cleaned_data
        everybody = typed["target"] == exports.EVERYBODY
        target = typed["target"]
        if not everybody:
            target = sharing.account_named(principal, account.operator, target, field="target")
        return {"handle": export_handle, "target": target, "at": typed["at"] or clock.unix()}

    def save() -> HttpResponse:
        exports.revoke(principal=principal, account=account, version=form.version, **wanted())
        url = f"{sharing_shown.entry_url('export', account, export_handle)}?changed=1"
        return htmx.done(request, url, f"Revoked activations of {export.subject}.")

    answer = editing.answer(
        request,
        form,
        account,
        plan=lambda: exports.plan_revoke(principal, account, **wanted()),
        save=save,
    )
    if answer is not None:
        return answer
    context = _frame(account, "Revoke", f"Revoke activations of {export.subject}", export_handle)
    context |= {
        "submit": "Revoke",
        "danger": True,
        "suggestions": sharing_shown.account_names(principal, account),
    }
    return htmx.render_form(request, form, sharing_shown.WITH_ACCOUNTS, context)


@guards.page("GET", "POST")
def clear(
    request: HttpRequest, operator_key: str, account_key: str, export_handle: str, revoked: str
) -> HttpResponse:
    """Take a revocation back."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.ACTIVATION_REVOKE, accounts.scope(account))
    _, export = sharing.export_of(account, export_handle)
    data = request.POST if request.method == "POST" else None
    form = VersionForm(data, initial={"version": account.version})

    def save() -> HttpResponse:
        exports.clear(
            principal=principal, account=account, handle=export_handle, target=revoked, version=form.version
        )
        url = f"{sharing_shown.entry_url('export', account, export_handle)}?changed=1"
        return htmx.done(request, url, "Cleared the revocation.")

    answer = editing.confirmed(
        request,
        form,
        account,
        plan=lambda: exports.plan_clear(principal, account, export_handle, revoked),
        save=save,
    )
    if answer is not None:
        return answer
    title = f"Clear a revocation of {export.subject}"
    context = {**_frame(account, "Clear revocation", title, export_handle), "submit": "Clear revocation"}
    return htmx.render_form(request, form, "", context)


def _values(row: Account, handle: str) -> dict[str, Any]:
    """The values of this export in another version of the account; nothing where it has gone."""
    try:
        _, export = sharing.export_of(row, handle)
    except lookup.NotFound:
        return {}
    return ExportForm.values_of(export)


def _frame(account: Account, step: str, title: str, handle: str = "") -> dict[str, Any]:
    back = (
        sharing_shown.entry_url("export", account, handle)
        if handle
        else shown.account_url("exports", account)
    )
    return sharing_shown.frame(account, "exports", title, step, back=back)


def _saved(
    request: HttpRequest, before: Account, saved: Account, wanted: Export, message: str
) -> HttpResponse:
    """On to the page of the export, which may have another address now."""
    held = changes.claims_of(saved).nats.exports
    handle = rules.export_handles((wanted,))[0]
    known = handle in rules.export_handles(held)
    url = sharing_shown.entry_url("export", before, handle) if known else shown.account_url("exports", before)
    if saved.version == before.version:
        return htmx.done(request, url, "Nothing was changed, so nothing was signed.")
    return htmx.done(request, f"{url}?changed=1", message)
