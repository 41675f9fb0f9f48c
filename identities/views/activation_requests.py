"""Pages of requests for activations: what an account asked others for, and what others asked of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.formats.decorated import decorated_jwt
from identities.forms.asking import AskForm, GrantForm, RefuseForm
from identities.forms.base import BaseForm
from identities.lookup import principal_for
from identities.models import Account, ActivationRequest
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, activation_requests, clock, sharing
from identities.views import activation_requests_shown as requests_shown
from identities.views import guards, htmx, sharing_shown, shown

NAV = "operators"
ASKED = "Asked. Whoever may answer sees it."
"""Said whether or not there is anybody: an account that one may not see is not there."""
_GIVEN = ("account", "type", "subject", "local_subject", "name")


@guards.page()
def index(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """What was asked of an account, and what it asked: what waits, or all of it."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    everything = request.GET.get("all") == "1"
    url = shown.account_url("activation-requests", account)
    context = shown.frame(
        title=f"Requests of {account.name}",
        nav=NAV,
        crumbs=sharing_shown.crumbs(account, "imports", "Requests"),
        can=guards.can(principal, accounts.scope(account), Action.ACTIVATION_ASK),
        account=account.name,
        everything=everything,
        url=url,
        all_url=f"{url}?all=1",
        new_url=shown.account_url("activation-request-create", account),
        sides=requests_shown.sides(principal, account, everything=everything),
        **shown.account_tabs(account),
    )
    return htmx.render(request, "identities/activation_requests/index.html", context)


@guards.page("GET", "POST")
def create(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Ask for a token that one may not issue; the address may say for which import."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.ACTIVATION_ASK, accounts.scope(account))
    given = {name: request.GET[name][:2048] for name in _GIVEN if request.GET.get(name)}
    form = AskForm(
        request.POST if request.method == "POST" else None,
        now=clock.unix(),
        initial={"type": "stream", **given},
    )
    if form.is_valid():
        with guards.errors_on(form):
            typed = form.cleaned_data
            key = sharing.account_named(principal, account.operator, typed["account"], field="account")
            made = activation_requests.ask(
                principal=principal, account=account, imported=form.to_import(key), reason=typed["reason"]
            )
            return htmx.done(request, requests_shown.url(account, made), ASKED)
    back = shown.account_url("activation-requests", account)
    context = sharing_shown.frame(account, "imports", "Ask for a token", "Ask for a token", back=back)
    context |= {
        "submit": "Ask",
        "intro": f"For {account.name}. Whoever may issue tokens of the exporting account answers; granted, the import "
        "is put here with its token.",
        "suggestions": sharing_shown.account_names(principal, account),
    }
    return htmx.render_form(request, form, sharing_shown.WITH_ACCOUNTS, context)


@guards.page()
def detail(request: HttpRequest, operator_key: str, account_key: str, request_id: int) -> HttpResponse:
    """One request, as the side of this account sees it."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    return _page(request, principal, account, request_id)


@guards.page("POST")
def grant(request: HttpRequest, operator_key: str, account_key: str, request_id: int) -> HttpResponse:
    """Issue the token, and put the import into the account that asked."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.ACTIVATION_ISSUE, accounts.scope(account))
    asked = activation_requests.find(account, request_id, of_us=True)

    def work(form: BaseForm) -> str:
        done = activation_requests.grant(
            principal=principal,
            account=account,
            request=asked,
            expires=form.cleaned_data["expires"],
            note=form.cleaned_data["words_along"],
        )
        if done.placed:
            return "Granted: the token is issued, and stands in the import of the account that asked."
        return "Granted: the token is issued and handed over. Who asked adds the import."

    return _done(request, principal, account, asked, GrantForm(request.POST, now=clock.unix()), work)


@guards.page("POST")
def decline(request: HttpRequest, operator_key: str, account_key: str, request_id: int) -> HttpResponse:
    """Say no."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.ACTIVATION_ANSWER, accounts.scope(account))
    asked = activation_requests.find(account, request_id, of_us=True)

    def work(form: BaseForm) -> str:
        note = form.cleaned_data["note"]
        activation_requests.decline(principal=principal, account=account, request=asked, note=note)
        return "Declined."

    return _done(request, principal, account, asked, RefuseForm(request.POST), work)


@guards.page("POST")
def withdraw(request: HttpRequest, operator_key: str, account_key: str, request_id: int) -> HttpResponse:
    """Take it back."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.ACTIVATION_ASK, accounts.scope(account))
    asked = activation_requests.find(account, request_id, of_us=False)

    def work(_: BaseForm) -> str:
        activation_requests.withdraw(principal=principal, request=asked)
        return "Withdrawn."

    return _done(request, principal, account, asked, BaseForm(request.POST), work)


@guards.page()
def jwt(request: HttpRequest, operator_key: str, account_key: str, request_id: int) -> HttpResponse:
    """The token that was granted, for the account that asked; it opens nothing to any other."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.JWT_DOWNLOAD, accounts.scope(account))
    asked = activation_requests.find(account, request_id, of_us=False)
    if asked.token is None:
        raise lookup.NotFound(f"Request {asked.pk} has no token.")
    text = decorated_jwt(asked.token.text, "activation")
    return htmx.download(f"{account.name}-{asked.pk}.jwt", text, "application/jwt")


def _done(
    request: HttpRequest,
    principal: Principal,
    account: Account,
    asked: ActivationRequest,
    form: BaseForm,
    work: Callable[[BaseForm], str],
) -> HttpResponse:
    if form.is_valid():
        with guards.errors_on(form):
            return htmx.done(request, requests_shown.url(account, asked), work(form))
    return _page(request, principal, account, asked.pk, form)


def _page(
    request: HttpRequest, principal: Principal, account: Account, number: int, form: BaseForm | None = None
) -> HttpResponse:
    told = _told(principal, account, number)
    home = "exports" if told["side"] == "of" else "imports"
    context: dict[str, Any] = {
        **shown.frame(
            title=f"Request {number:,}",
            nav=NAV,
            crumbs=(
                *sharing_shown.crumbs(account, home),
                shown.Crumb(label="Requests", url=shown.account_url("activation-requests", account)),
                shown.Crumb(label=f"{number:,}"),
            ),
        ),
        **shown.account_tabs(account),
        **told,
        "tab": home.capitalize(),
        "form": form,
        "grant_form": form if isinstance(form, GrantForm) else GrantForm(),
        "decline_form": form if isinstance(form, RefuseForm) else RefuseForm(),
        "urls": {
            name: shown.account_url(f"activation-request-{name}", account, number)
            for name in ("grant", "decline", "withdraw")
        },
    }
    status = form.status if form is not None else 200
    return htmx.render(request, "identities/activation_requests/detail.html", context, status=status)


def _told(principal: Principal, account: Account, number: int) -> dict[str, Any]:
    """The request as this account's side sees it; what was asked of it is for those who may answer."""
    try:
        asked = activation_requests.find(account, number, of_us=False)
        return requests_shown.asked_by(principal, account, asked)
    except lookup.NotFound:
        if not guards.may(principal, Action.ACTIVATION_ANSWER, accounts.scope(account)):
            raise
    return requests_shown.asked_of(principal, account, activation_requests.find(account, number, of_us=True))
