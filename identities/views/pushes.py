"""Pages of the account JWTs that come in over HTTP: who may push, and self-signed ones that wait to be signed."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from identities import lookup
from identities.forms.base import VersionForm
from identities.forms.pushes import PushDoorForm
from identities.lookup import principal_for
from identities.models import Account, Offer, Operator
from identities.policy.actions import Action
from identities.policy.principal import Scope
from identities.services import clock, pushes
from identities.views import editing, guards, htmx, shown

NAV = "operators"
TEMPLATE = "identities/pushes/index.html"


@guards.page()
def index(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Whether account JWTs may be pushed to an operator, and what was pushed and waits."""
    return _page(request, _operator(request, operator_key))


@guards.page("POST")
def open_door(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Let pushes in; the new password stands on the page that answers, and nowhere else."""
    operator = _operator(request, operator_key)
    form = PushDoorForm(request.POST)
    password = ""
    if form.is_valid():
        password = pushes.open_door(
            principal=principal_for(request),
            operator=operator,
            self_signed=form.cleaned_data["self_signed"],
        )
    return _page(request, operator, password=password, form=form)


@guards.page("POST")
def close_door(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Take no more pushes."""
    operator = _operator(request, operator_key)
    pushes.close_door(principal=principal_for(request), operator=operator)
    return htmx.done(request, _home(operator), f"“{operator.name}” takes no more pushes.")


@guards.page("GET", "POST")
def offer(request: HttpRequest, operator_key: str, offered_key: str) -> HttpResponse:
    """A self-signed JWT that was pushed: what it would change, and having the operator sign it."""
    operator = _operator(request, operator_key)
    waiting = _offer(operator, offered_key)
    account = pushes.account_of(waiting)
    return (
        _new_account(request, operator, waiting)
        if account is None
        else _changed_account(request, waiting, account)
    )


@guards.page("POST")
def decline(request: HttpRequest, operator_key: str, offered_key: str) -> HttpResponse:
    """Throw a pushed JWT away."""
    operator = _operator(request, operator_key)
    waiting = _offer(operator, offered_key)
    pushes.decline(principal=principal_for(request), offer=waiting)
    return htmx.done(request, _home(operator), f"Declined the pushed JWT of “{waiting.name}”.")


def _changed_account(request: HttpRequest, waiting: Offer, account: Account) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    form = VersionForm(data, initial={"version": account.version})
    form.jwt = "the account's JWT"

    def save() -> HttpResponse:
        principal = principal_for(request)
        account_now = pushes.accept(
            principal=principal, offer=waiting, version=form.version, signer=account.chosen_signer
        )
        url = f"{shown.account_url('account', account_now)}?changed=1"
        return htmx.done(request, url, f"Took the pushed JWT of “{account_now.name}”.")

    answer = editing.confirmed(
        request, form, account, plan=lambda: pushes.plan_accept(account, waiting), save=save
    )
    context = _offer_frame(
        account.operator, waiting, "The operator signs what the account signed itself, with a new issue time."
    )
    return answer or htmx.render_form(request, form, "", context)


def _new_account(request: HttpRequest, operator: Operator, waiting: Offer) -> HttpResponse:
    form = VersionForm(request.POST if request.method == "POST" else None, initial={"version": 0})
    if request.method == "POST" and form.is_valid():
        with guards.errors_on(form):
            account = pushes.accept_new(principal=principal_for(request), offer=waiting)
            said = f"Took over “{account.name}”. The operator signs it with its next edit."
            return htmx.done(request, shown.account_url("account", account), said)
    text = "This account is not here yet. It comes in as it is; the operator signs it with its first edit."
    return htmx.render_form(request, form, "", _offer_frame(operator, waiting, text))


def _offer_frame(operator: Operator, waiting: Offer, intro: str) -> dict[str, Any]:
    title = f"Take the pushed JWT of {waiting.name}"
    crumbs = (
        *shown.operator_crumbs(operator, "Pushes")[:-1],
        shown.Crumb(label="Pushes", url=_home(operator)),
        shown.Crumb(label=waiting.name),
    )
    return shown.frame(
        title=title, nav=NAV, crumbs=crumbs, cancel_url=_home(operator), submit="Take it", intro=intro
    )


def _page(
    request: HttpRequest, operator: Operator, *, password: str = "", form: PushDoorForm | None = None
) -> HttpResponse:
    door = pushes.door_of(operator.pk)
    form = form or PushDoorForm(initial={"self_signed": bool(door and door.self_signed)})
    context = shown.frame(
        title=f"Pushes to {operator.name}",
        nav=NAV,
        crumbs=shown.operator_crumbs(operator, "Pushes"),
        operator=operator.name,
        is_open=door is not None,
        opened=shown.moment(door.created_at) if door else "",
        opened_by=door.by_name if door else "",
        form=form,
        command=f"nsc push -A -u '{_url(operator, password)}'" if password else "",
        offers=[_shown(operator, one) for one in pushes.waiting(operator)],
        url=_url(operator, "PASSWORD"),
        urls={
            "open": shown.operator_url("operator-pushes-open", operator),
            "close": shown.operator_url("operator-pushes-close", operator),
        },
    )
    return htmx.render(request, TEMPLATE, context, status=form.status)


def _shown(operator: Operator, waiting: Offer) -> dict[str, Any]:
    keys = [operator.public_key, waiting.account_key]
    return {
        "name": waiting.name,
        "key": shown.chip(waiting.account_key),
        "at": shown.moment(waiting.at),
        "issued": shown.moment(clock.at(waiting.iat)),
        "address": waiting.address,
        "url": reverse("operator-offer", args=keys),
        "decline_url": reverse("operator-offer-decline", args=keys),
    }


def _url(operator: Operator, password: str) -> str:
    """What nsc is given: the password stands in the address, as HTTP clients take it."""
    parts = urlsplit(settings.NSCWEB_URL)
    return f"{parts.scheme}://push:{password}@{parts.netloc}/o/{operator.public_key}/jwt/v1"


def _offer(operator: Operator, account_key: str) -> Offer:
    found = (
        Offer.objects.select_related("operator").filter(operator=operator, account_key=account_key).first()
    )
    if found is None:
        raise lookup.NotFound("Nothing of this account waits (any more).")
    return found


def _operator(request: HttpRequest, key: str) -> Operator:
    principal = principal_for(request)
    row = lookup.operator(principal, key)
    guards.require(principal, Action.PUSH_DOOR_EDIT, Scope(operator=row.pk))
    return row


def _home(operator: Operator) -> str:
    return shown.operator_url("operator-pushes", operator)
