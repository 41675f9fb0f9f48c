"""Pages of imports."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.claims import sharing as rules
from identities.claims.drafts import ImportDraft
from identities.claims.imports import Import
from identities.forms.base import VersionForm
from identities.forms.imports import ImportForm, RenewForm
from identities.lookup import principal_for
from identities.models import Account, ActivationRequest
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import sharing as neighbours
from identities.services import accounts, changes, clock, imports, sharing
from identities.views import (
    delivery,
    editing,
    guards,
    htmx,
    imports_check,
    imports_shown,
    offers_shown,
    sharing_shown,
    shown,
)

NAV = "operators"
TABLE = "identities/imports/table.html"
OFFERS = "identities/imports/offers.html"


@guards.page()
def index(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """What an account takes from others, each beside the export that it names."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    context = shown.frame(
        title=f"Imports of {account.name}",
        nav=NAV,
        crumbs=shown.account_crumbs(account, "Imports"),
        can=guards.can(principal, accounts.scope(account), *imports_shown.ACTIONS),
        account=account.name,
        just_changed=request.GET.get("changed") == "1",
        ways=delivery.of_account(principal, account),
        urls=_urls(account),
        requests=ActivationRequest.objects.asked_by(account).waiting().count(),
        **shown.account_tabs(account),
        **imports_shown.table(principal, account, request.GET, clock.unix()),
    )
    return htmx.render(request, "identities/imports/index.html", context, part=TABLE)


@guards.page()
def available(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """What other accounts offer, to choose from."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    context = shown.frame(
        title="Exports to import",
        nav=NAV,
        crumbs=sharing_shown.crumbs(account, "imports", "Exports to import"),
        can=guards.can(principal, accounts.scope(account), *imports_shown.ACTIONS),
        account=account.name,
        urls=_urls(account),
        **shown.account_tabs(account),
        **offers_shown.table(principal, account, request.GET),
    )
    return htmx.render(request, "identities/imports/available.html", context, part=OFFERS)


@guards.page()
def detail(request: HttpRequest, operator_key: str, account_key: str, import_handle: str) -> HttpResponse:
    """One import: its settings, what its exporter says to it, and its token."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    page = imports_shown.described(principal, account, import_handle, clock.unix())
    context = shown.frame(
        title=page["one"],
        nav=NAV,
        crumbs=sharing_shown.crumbs(account, "imports", page["one"]),
        can=guards.can(principal, accounts.scope(account), *imports_shown.ACTIONS),
        just_changed=request.GET.get("changed") == "1",
        ways=delivery.of_account(principal, account),
        **shown.account_tabs(account),
        **page,
    )
    return htmx.render(request, "identities/imports/detail.html", context)


@guards.page("GET", "POST")
def create(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Import something, with the options of `nsc add import`; `?from` and `?export` name a chosen export."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.IMPORT_EDIT, accounts.scope(account))
    chosen = offers_shown.chosen(principal, account, request.GET)
    form = ImportForm(
        **_sent(request),
        before=None,
        index=len(changes.claims_of(account).nats.imports),
        now=clock.unix(),
        initial={"type": "stream", **chosen, "version": account.version},
    )

    def wanted() -> ImportDraft:
        return _wanted(principal, account, form, request)

    def save() -> HttpResponse:
        draft = wanted()
        saved = imports.add(principal=principal, account=account, draft=draft, version=form.version)
        return _saved(request, account, saved, draft.imported, f"Added the import {draft.imported.subject}.")

    answer = editing.answer(
        request, form, account, plan=lambda: imports.plan_add(principal, account, wanted()), save=save
    )
    if answer is not None:
        return answer
    context = _frame(account, "New import", "New import")
    context |= {"intro": f"Of the account {account.name}.", "submit": "Add import"}
    return _form_page(request, principal, account, form, context)


@guards.page("GET", "POST")
def edit(request: HttpRequest, operator_key: str, account_key: str, import_handle: str) -> HttpResponse:
    """Edit an import; its token is kept, issued anew, replaced or cleared."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.IMPORT_EDIT, accounts.scope(account))
    place, before = sharing.import_of(account, import_handle)
    known = neighbours.known(principal, [before.account], operator=account.operator).get(before.account)
    form = ImportForm(
        **_sent(request),
        before=before,
        held=imports_shown.held_token(before, known, clock.unix()),
        index=place,
        now=clock.unix(),
        initial={**ImportForm.values_of(before), "version": account.version},
    )

    def wanted() -> ImportDraft:
        return _wanted(principal, account, form, request)

    def save() -> HttpResponse:
        draft = wanted()
        saved = imports.edit(
            principal=principal, account=account, handle=import_handle, draft=draft, version=form.version
        )
        return _saved(request, account, saved, draft.imported, f"Saved the import {draft.imported.subject}.")

    answer = editing.answer(
        request,
        form,
        account,
        plan=lambda: imports.plan_edit(principal, account, import_handle, wanted()),
        save=save,
        values_of=lambda row: _values(row, import_handle),
    )
    if answer is not None:
        return answer
    context = _frame(account, "Edit", f"Edit import {before.name or before.subject}", import_handle)
    return _form_page(request, principal, account, form, context)


@guards.page("GET", "POST")
def renew(request: HttpRequest, operator_key: str, account_key: str, import_handle: str) -> HttpResponse:
    """Issue a new token for an import, where its exporter stands here."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.IMPORT_EDIT, accounts.scope(account))
    _, before = sharing.import_of(account, import_handle)
    data = request.POST if request.method == "POST" else None
    form = RenewForm(data, now=clock.unix(), initial={"version": account.version})

    def wanted() -> ImportDraft:
        return imports.renewal(account, import_handle, form.cleaned_data["token_expires"])

    def save() -> HttpResponse:
        saved = imports.edit(
            principal=principal, account=account, handle=import_handle, draft=wanted(), version=form.version
        )
        return _saved(request, account, saved, before, f"Renewed the token of {before.subject}.")

    answer = editing.answer(
        request,
        form,
        account,
        plan=lambda: imports.plan_edit(principal, account, import_handle, wanted()),
        save=save,
    )
    if answer is not None:
        return answer
    title = f"Renew the token of {before.name or before.subject}"
    context = {**_frame(account, "Renew token", title, import_handle), "submit": "Renew token"}
    context["intro"] = (
        "A new activation token is issued by the exporting account, and takes the place of this one."
    )
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def delete(request: HttpRequest, operator_key: str, account_key: str, import_handle: str) -> HttpResponse:
    """Show what goes, and take the import out."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.IMPORT_EDIT, accounts.scope(account))
    _, before = sharing.import_at(account, import_handle)
    data = request.POST if request.method == "POST" else None
    form = VersionForm(data, initial={"version": account.version})
    name = (before.name or before.subject) if before is not None else "nothing"

    def save() -> HttpResponse:
        imports.delete(principal=principal, account=account, handle=import_handle, version=form.version)
        url = f"{shown.account_url('imports', account)}?changed=1"
        return htmx.done(request, url, f"Deleted the import {name}.")

    answer = editing.confirmed(
        request, form, account, plan=lambda: imports.plan_delete(account, import_handle), save=save
    )
    if answer is not None:
        return answer
    context = _frame(account, "Delete", f"Delete import {name}", import_handle if before else "")
    return htmx.render_form(request, form, "", {**context, "submit": "Delete import", "danger": True})


def _sent(request: HttpRequest) -> dict[str, Any]:
    if request.method != "POST":
        return {}
    return {"data": request.POST, "files": request.FILES}


def _wanted(principal: Principal, account: Account, form: ImportForm, request: HttpRequest) -> ImportDraft:
    """What was filled in; a token is fetched once, when it is saved, and from then on held as if it were pasted."""
    key = sharing.account_named(principal, account.operator, form.cleaned_data["account"], field="account")
    if form.url and editing.PREVIEW not in request.POST:
        form.take(imports.fetch_token(principal=principal, account=account, url=form.url))
    return form.to_draft(key)


def _form_page(
    request: HttpRequest, principal: Principal, account: Account, form: ImportForm, context: dict[str, Any]
) -> HttpResponse:
    form.check = imports_check.of_form(principal, account, form, clock.unix())
    context["suggestions"] = sharing_shown.account_names(principal, account)
    return htmx.render_form(request, form, sharing_shown.WITH_ACCOUNTS, context)


def _values(row: Account, handle: str) -> dict[str, Any]:
    """The values of this import in another version of the account; nothing where it has gone."""
    try:
        _, imported = sharing.import_of(row, handle)
    except lookup.NotFound:
        return {}
    return ImportForm.values_of(imported)


def _urls(account: Account) -> dict[str, str]:
    return {
        "new": shown.account_url("import-create", account),
        "available": shown.account_url("imports-available", account),
        "requests": shown.account_url("activation-requests", account),
    }


def _frame(account: Account, step: str, title: str, handle: str = "") -> dict[str, Any]:
    back = (
        sharing_shown.entry_url("import", account, handle)
        if handle
        else shown.account_url("imports", account)
    )
    return sharing_shown.frame(account, "imports", title, step, back=back)


def _saved(
    request: HttpRequest, before: Account, saved: Account, wanted: Import, message: str
) -> HttpResponse:
    """On to the page of the import, which may have another address now."""
    held = changes.claims_of(saved).nats.imports
    handle = rules.import_handles((wanted,))[0]
    known = handle in rules.import_handles(held)
    url = sharing_shown.entry_url("import", before, handle) if known else shown.account_url("imports", before)
    if saved.version == before.version:
        return htmx.done(request, url, "Nothing was changed, so nothing was signed.")
    return htmx.done(request, f"{url}?changed=1", message)
