"""Pages of an account's revocations."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.claims.handles import handle
from identities.claims.revocations import EVERYONE
from identities.forms.base import VersionForm
from identities.forms.revocations import ClearAllForm, ClearForm, RevokeForm
from identities.lookup import principal_for
from identities.models import Account
from identities.policy.actions import Action
from identities.services import accounts, changes, clock, revocations
from identities.views import delivery, editing, guards, htmx, lockouts, revocations_shown, shown

NAV = "operators"
ACTIONS = (Action.USER_REVOKE, Action.REVOCATION_EDIT)


@guards.page()
def index(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Everybody who is revoked in an account, and how large its JWT has become."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    context = shown.frame(
        title=f"Revocations of {account.name}",
        nav=NAV,
        crumbs=shown.account_crumbs(account, "Revocations"),
        can=guards.can(principal, accounts.scope(account), *ACTIONS),
        account=account.name,
        new_url=shown.account_url("revocation-create", account),
        compact_url=shown.account_url("revocations-compact", account),
        just_changed=request.GET.get("changed") == "1",
        ways=delivery.of_account(principal, account),
        **shown.account_tabs(account),
        **revocations_shown.listed(principal, account, request.GET),
    )
    return htmx.render(request, "identities/revocations/index.html", context)


@guards.page("GET", "POST")
def create(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Revoke a user, or all users, up to a point in time."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.USER_REVOKE, accounts.scope(account))
    data = request.POST if request.method == "POST" else None
    form = RevokeForm(data, now=clock.unix(), initial={"version": account.version})

    def plan() -> changes.Change:
        wish = form.to_wish()
        entries = revocations.entries_for(account, **wish)
        return revocations.plan_revoke(account, entries, asked=wish["at"])

    def save() -> HttpResponse:
        entries = revocations.entries_for(account, **form.to_wish())
        saved = accounts.revoke(principal=principal, account=account, entries=entries)
        if saved.version == account.version:
            return _saved(request, account, saved, "Revoked.")
        usual = f"{shown.account_url('revocations', account)}?changed=1"
        return htmx.done(request, lockouts.then(account, usual), "Revoked.")

    answer = editing.answer(request, form, account, plan=plan, save=save, can_wait=True)
    if answer is not None:
        return answer
    context = _frame(account, "Revoke", f"Revoke in account {account.name}")
    context |= {"submit": "Revoke", "danger": True, "choices": revocations_shown.choices(account)}
    return htmx.render_form(request, form, "identities/revocations/fields.html", context)


@guards.page("GET", "POST")
def clear(request: HttpRequest, operator_key: str, account_key: str, entry: str) -> HttpResponse:
    """Clear an entry, once it was shown what works again."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.REVOCATION_EDIT, accounts.scope(account))
    key = _found(account, entry)
    data = request.POST if request.method == "POST" else None
    form = (ClearAllForm if key == EVERYONE else ClearForm)(data, initial={"version": account.version})

    def save() -> HttpResponse:
        saved = revocations.clear(
            principal=principal,
            account=account,
            key=key,
            version=form.version,
            keep_deleted=form.keeps_deleted,
        )
        return _saved(request, account, saved, "Cleared.")

    answer = editing.confirmed(
        request,
        form,
        account,
        plan=lambda: revocations.plan_clear(account, key),
        save=save,
        can_wait=True,
    )
    if answer is not None:
        return answer
    whom = (
        "all users"
        if key == EVERYONE
        else shown.names_in(principal_for(request), account.operator, key)(key) or key
    )
    context = _frame(account, "Clear", f"Clear the revocation of {whom}")
    return htmx.render_form(request, form, "", {**context, "submit": "Clear revocation", "danger": True})


@guards.page("GET", "POST")
def compact(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Drop the entries whose going lets nobody in again; which those are is shown first."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.REVOCATION_EDIT, accounts.scope(account))
    data = request.POST if request.method == "POST" else None
    form = VersionForm(data, initial={"version": account.version})
    plan = revocations.plan_compact(account)

    def save() -> HttpResponse:
        saved = revocations.compact(principal=principal, account=account, version=form.version)
        dropped = shown.plural(plan.dropped, "entry", "entries")
        return _saved(request, account, saved, f"Compacted: {dropped} dropped.")

    answer = editing.confirmed(request, form, account, plan=lambda: plan.change, save=save, can_wait=True)
    if answer is not None:
        return answer
    context = _frame(account, "Compact", f"Compact the revocations of {account.name}")
    context |= {"submit": "Compact", **revocations_shown.compaction(plan)}
    return htmx.render_form(request, form, "identities/revocations/compact.html", context)


def _found(account: Account, wanted: str) -> str:
    held = changes.claims_of(account).nats.revocations
    for key in held:
        if handle(key) == wanted:
            return str(key)
    raise lookup.NotFound(f"“{account.name}” has no such revocation (any more).")


def _frame(account: Account, step: str, title: str) -> dict[str, object]:
    return shown.frame(
        title=title,
        nav=NAV,
        crumbs=shown.account_crumbs(account, "Revocations", step),
        cancel_url=shown.account_url("revocations", account),
    )


def _saved(request: HttpRequest, before: Account, saved: Account, message: str) -> HttpResponse:
    url = shown.account_url("revocations", before)
    if saved.version == before.version:
        return htmx.done(request, url, "Nothing was changed, so nothing was signed.")
    return htmx.done(request, f"{url}?changed=1", message)
