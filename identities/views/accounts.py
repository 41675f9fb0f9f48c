"""Pages of accounts."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.claims.limits import OperatorLimits
from identities.forms.accounts import AccountCreateForm, AccountEditForm
from identities.forms.base import ConfirmForm
from identities.forms.limits import CONVERT, LimitsForm
from identities.lookup import principal_for
from identities.models import Account
from identities.policy.actions import Action
from identities.policy.principal import Scope
from identities.queries import deliveries
from identities.services import (
    accounts,
    activation_requests,
    changes,
    clock,
    reissuing_accounts,
    stakes,
    unsigned,
)
from identities.views import accounts_shown, editing, guards, htmx, removals_shown, shown
from identities.views import activation_requests_shown as requests_shown
from identities.views import history as histories

NAV = "operators"
TABLE = "identities/accounts/table.html"


@guards.page()
def index(request: HttpRequest, operator_key: str) -> HttpResponse:
    """The accounts of an operator."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    context = shown.frame(
        title=f"Accounts of {operator.name}",
        nav=NAV,
        crumbs=shown.operator_crumbs(operator, "Accounts"),
        can=guards.can(principal, Scope(operator=operator.pk), Action.ACCOUNT_CREATE),
        operator=operator.name,
        new_url=shown.operator_url("account-create", operator),
        **shown.operator_tabs(principal, operator),
        **accounts_shown.table(principal, operator, request.GET, clock.unix()),
    )
    return htmx.render(request, "identities/accounts/index.html", context, part=TABLE)


@guards.page("GET", "POST")
def create(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Add an account to an operator."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    guards.require(principal, Action.ACCOUNT_CREATE, Scope(operator=operator.pk))
    form = AccountCreateForm(request.POST if request.method == "POST" else None, now=clock.unix())
    if form.is_valid():
        with guards.errors_on(form):
            account = accounts.create(principal=principal, operator=operator, draft=form.to_draft())
            url = f"{shown.account_url('account', account)}?changed=1"
            return htmx.done(request, url, f"Created account “{account.name}”.")
    context = shown.frame(
        title="New account",
        nav=NAV,
        crumbs=shown.operator_crumbs(operator, "New account"),
        intro=f"Under the operator {operator.name}.",
        cancel_url=shown.operator_url("accounts", operator),
        submit="Create account",
    )
    return htmx.render_form(request, form, "", context)


@guards.page()
def detail(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Everything that `nsc describe account` prints, and where to go from here."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    context = shown.frame(
        title=account.name,
        nav=NAV,
        crumbs=shown.account_crumbs(account),
        can=guards.can(principal, accounts.scope(account), *accounts_shown.ACTIONS),
        can_configure=guards.may(principal, Action.CONFIG_DOWNLOAD, Scope(operator=account.operator_id)),
        can_reissue=guards.may(principal, Action.ACCOUNT_REISSUE, reissuing_accounts.scope(account)),
        **accounts_shown.described(account, request, clock.unix()),
        waits_url=shown.unsigned_url(account) if unsigned.waiting(account) else "",
        requests=requests_shown.waiting(activation_requests.waiting_for(principal, account)),
        requests_url=shown.account_url("activation-requests", account),
    )
    return htmx.render(request, "identities/accounts/detail.html", context)


@guards.page("GET", "POST")
def edit(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Edit and rename an account."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.ACCOUNT_EDIT, accounts.scope(account))
    initial = {**AccountEditForm.values_of(account), "version": account.version}
    form = AccountEditForm(
        request.POST if request.method == "POST" else None, now=clock.unix(), initial=initial
    )
    if not guards.may(principal, Action.ACCOUNT_LIMITS_EDIT, accounts.scope(account)):
        form.leave_times(accounts_shown.granted_by(principal, account))

    def save() -> HttpResponse:
        saved = accounts.update(
            principal=principal, account=account, edit=form.to_edit(), version=form.version
        )
        return _saved(request, account, saved, f"Saved account “{saved.name}”.")

    answer = editing.answer(
        request,
        form,
        account,
        plan=lambda: accounts.plan_edit(account, form.to_edit()),
        save=save,
        values_of=AccountEditForm.values_of,
        can_wait=True,
    )
    if answer is not None:
        return answer
    context = _frame(account, "Edit", f"Edit account {account.name}")
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def limits(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Edit an account's limits, JetStream included."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.ACCOUNT_LIMITS_EDIT, accounts.scope(account))
    form = LimitsForm.of(account, request.POST if request.method == "POST" else None, now=clock.unix())

    def wanted() -> OperatorLimits:
        return form.to_limits(changes.claims_of(account).nats.limits)

    def save() -> HttpResponse:
        saved = accounts.update_limits(
            principal=principal, account=account, limits=wanted(), version=form.version
        )
        return _saved(request, account, saved, f"Saved the limits of “{saved.name}”.")

    form.can_preview = True
    if CONVERT not in request.POST:
        answer = editing.answer(
            request,
            form,
            account,
            plan=lambda: accounts.plan_limits(account, wanted()),
            save=save,
            values_of=LimitsForm.values_of,
            can_wait=True,
        )
        if answer is not None:
            return answer
    context = _frame(account, "Limits", f"Limits of account {account.name}")
    context["intro"] = "“unlimited” is -1, “none” is 0; sizes as 64 KiB, 10 MB, 1.5 GiB."
    return htmx.render_form(request, form, "identities/accounts/limits_fields.html", context)


@guards.page("GET", "POST")
def delete(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Ask for the name, then delete the account with its users."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.ACCOUNT_DELETE, accounts.scope(account))
    form = ConfirmForm(
        request.POST if request.method == "POST" else None,
        name=account.name,
        initial={"version": account.version},
    )
    if form.is_valid():
        with guards.errors_on(form):
            accounts.delete(principal=principal, account=account, version=form.version)
            if removals_shown.is_offered(principal, account):
                stakes.ask(principal=principal, operator=account.operator, public_key=account.public_key)
                url = removals_shown.url(account.operator, account.public_key)
                return htmx.done(request, url, f"Deleted account “{account.name}” here.")
            return htmx.done(
                request,
                shown.operator_url("accounts", account.operator),
                f"Deleted account “{account.name}”.",
                warning=accounts_shown.STILL_ON_SERVERS,
            )
    context = _frame(account, "Delete", f"Delete account {account.name}")
    going = accounts_shown.what_goes(principal, account)
    context |= going
    if deliveries.has_clusters(account.operator):
        last = removals_shown.last_known(account)
        context |= {**last, "consequences": (*going["consequences"], *last["known"])}
    return htmx.render_form(request, form, "", context, panel=htmx.CONFIRM)


@guards.page()
def jwt(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """The account's JWT as a file, as in nsc's store."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.JWT_DOWNLOAD, accounts.scope(account))
    text = account.token.text if account.token is not None else ""
    return htmx.download(f"{account.name}.jwt", text, "application/jwt")


@guards.page()
def history(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Every JWT of the account, what changed in each, and who did what."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    context = {
        **_frame(account, "History", f"History of account {account.name}"),
        **shown.account_tabs(account),
        **histories.context(request, principal=principal, row=account, scope=accounts.scope(account)),
    }
    return htmx.render(request, "identities/shared/history.html", context)


def _frame(account: Account, step: str, title: str) -> dict[str, object]:
    return shown.frame(
        title=title,
        nav=NAV,
        crumbs=shown.account_crumbs(account, step),
        cancel_url=shown.account_url("account", account),
    )


def _saved(request: HttpRequest, before: Account, saved: Account, message: str) -> HttpResponse:
    url = shown.account_url("account", before)
    if saved.version == before.version:
        return htmx.done(request, url, "Nothing was changed, so nothing was signed.")
    return htmx.done(request, f"{url}?changed=1", message)
