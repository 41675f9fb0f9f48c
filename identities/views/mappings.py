"""Pages of an account's subject mappings."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.claims.handles import handle
from identities.claims.mappings import WeightedMapping
from identities.forms.base import VersionForm
from identities.forms.mappings import MORE, MappingForm
from identities.lookup import principal_for
from identities.models import Account
from identities.policy.actions import Action
from identities.services import accounts, changes, clock, mappings
from identities.views import delivery, editing, guards, htmx, mappings_shown, shown

NAV = "operators"
FIELDS = "identities/mappings/fields.html"


@guards.page()
def index(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """The mappings of an account, and where a typed subject would go."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    context = shown.frame(
        title=f"Mappings of {account.name}",
        nav=NAV,
        crumbs=shown.account_crumbs(account, "Mappings"),
        can=guards.can(principal, accounts.scope(account), Action.MAPPING_EDIT),
        account=account.name,
        new_url=shown.account_url("mapping-create", account),
        just_changed=request.GET.get("changed") == "1",
        ways=delivery.of_account(principal, account),
        **shown.account_tabs(account),
        **mappings_shown.listed(account, request.GET),
    )
    return htmx.render(request, "identities/mappings/index.html", context)


@guards.page("GET", "POST")
def create(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Add a mapping to an account."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.MAPPING_EDIT, accounts.scope(account))
    return _edited(request, account, "", ())


@guards.page("GET", "POST")
def edit(request: HttpRequest, operator_key: str, account_key: str, mapping: str) -> HttpResponse:
    """Edit a mapping: its source, and its destinations."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.MAPPING_EDIT, accounts.scope(account))
    source, targets = _found(account, mapping)
    return _edited(request, account, source, targets)


@guards.page("GET", "POST")
def delete(request: HttpRequest, operator_key: str, account_key: str, mapping: str) -> HttpResponse:
    """Delete a mapping, once what that does was shown."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.MAPPING_EDIT, accounts.scope(account))
    source, _ = _found(account, mapping)
    form = VersionForm(
        request.POST if request.method == "POST" else None, initial={"version": account.version}
    )

    def save() -> HttpResponse:
        saved = mappings.remove(principal=principal, account=account, source=source, version=form.version)
        return _saved(request, account, saved, f"Deleted the mapping of “{source}”.")

    answer = editing.confirmed(
        request,
        form,
        account,
        plan=lambda: mappings.plan_remove(account, source),
        save=save,
        can_wait=True,
    )
    if answer is not None:
        return answer
    context = {**_frame(account, "Delete", f"Delete the mapping of {source}"), "submit": "Delete mapping"}
    return htmx.render_form(request, form, "", {**context, "danger": True})


def _edited(
    request: HttpRequest, account: Account, source: str, targets: Sequence[WeightedMapping]
) -> HttpResponse:
    """The form over a mapping: a new one when `source` is ""."""
    data = request.POST if request.method == "POST" else None
    form = MappingForm.of(source, targets, data, now=clock.unix(), version=account.version)

    def save() -> HttpResponse:
        saved = mappings.put(
            principal=principal_for(request),
            account=account,
            source=form.typed_source,
            targets=form.to_targets(targets),
            replaces=source,
            version=form.version,
        )
        return _saved(request, account, saved, f"Saved the mapping of “{form.typed_source}”.")

    if data is None or MORE not in data:
        answer = editing.answer(
            request,
            form,
            account,
            plan=lambda: mappings.plan_put(
                account, form.typed_source, form.to_targets(targets), replaces=source
            ),
            save=save,
            values_of=lambda row: form.values_in(row, source),
            can_wait=True,
        )
        if answer is not None:
            return answer
    form.can_preview = True
    context = _frame(
        account, "Edit" if source else "New mapping", f"Mapping of {source}" if source else "New mapping"
    )
    context["intro"] = "Messages published on one subject are delivered on others, shared out by weight."
    return htmx.render_form(request, form, FIELDS, context)


def _found(account: Account, wanted: str) -> tuple[str, tuple[WeightedMapping, ...]]:
    held = changes.claims_of(account).nats.mappings
    for source, targets in held.items():
        if handle(source) == wanted:
            return source, targets
    raise lookup.NotFound(f"“{account.name}” has no such mapping (any more).")


def _frame(account: Account, step: str, title: str) -> dict[str, object]:
    return shown.frame(
        title=title,
        nav=NAV,
        crumbs=shown.account_crumbs(account, "Mappings", step),
        cancel_url=shown.account_url("mappings", account),
    )


def _saved(request: HttpRequest, before: Account, saved: Account, message: str) -> HttpResponse:
    url = shown.account_url("mappings", before)
    if saved.version == before.version:
        return htmx.done(request, url, "Nothing was changed, so nothing was signed.")
    return htmx.done(request, f"{url}?changed=1", message)
