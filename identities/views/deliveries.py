"""Pages of deliveries: where an account stands on every server, sending it again, choosing between two JWTs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.claims import codec
from identities.claims.errors import ClaimsError
from identities.forms.base import VersionForm
from identities.forms.deliveries import THEIRS, ChooseForm
from identities.lookup import principal_for
from identities.models import Account, Cluster, Delivery, DeliveryState
from identities.policy.actions import Action
from identities.services import accounts, changes, choosing
from identities.services.delivering_checks import digest
from identities.views import deliveries_shown, guards, htmx, polling, shown

NAV = "operators"
PANEL = "identities/deliveries/panel.html"


@guards.page()
def detail(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """What every server of every cluster holds of the account."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    live = deliveries_shown.panel(account)
    context = shown.frame(
        title=f"Delivery of {account.name}",
        nav=NAV,
        crumbs=shown.account_crumbs(account, "Delivery"),
        clusters_url=shown.operator_url("clusters", account.operator),
        live=live,
        **controls(request, account),
        **shown.account_tabs(account),
    )
    return polling.render(request, "identities/deliveries/index.html", context, part=PANEL, live=live)


@guards.page("POST")
def now(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Deliver the account again, to every cluster."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    with guards.errors_on(VersionForm()):
        choosing.deliver_now(principal=principal, account=account)
    url = shown.account_url("account-delivery", account)
    return htmx.done(request, url, f"“{account.name}” is delivered again.")


@guards.page("GET", "POST")
def choose(request: HttpRequest, operator_key: str, account_key: str, cluster_id: int) -> HttpResponse:
    """Show the other JWT that servers hold beside ours, and ask which one is to stand."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    cluster = lookup.cluster(principal, operator_key, cluster_id)
    guards.require(principal, Action.ACCOUNT_DELIVER, accounts.scope(account))
    held = _held(account, cluster)
    form = ChooseForm(
        request.POST if request.method == "POST" else None, initial={"found": digest(held.found)}
    )
    if form.is_valid():
        act = choosing.keep_theirs if form.cleaned_data["keep"] == THEIRS else choosing.replace_theirs
        with guards.errors_on(form):
            act(principal=principal, account=account, cluster=cluster, found=form.cleaned_data["found"])
            url = shown.account_url("account-delivery", account)
            return htmx.done(request, url, f"It is settled which JWT of “{account.name}” stands.")
    context = shown.frame(
        title=f"Another JWT of {account.name} is on the servers",
        nav=NAV,
        crumbs=shown.account_crumbs(account, "Delivery"),
        cancel_url=shown.account_url("account-delivery", account),
        submit="Let this one stand",
        intro=f"The servers of “{cluster.name}” hold a JWT of this account that was not made here. Nothing was "
        "overwritten. What it changes:",
        changes=_difference(account, held),
        taking=_taking(account, held),
    )
    return htmx.render_form(request, form, "identities/deliveries/choose_fields.html", context)


def controls(request: HttpRequest, account: Account) -> dict[str, Any]:
    """The addresses of the panel, and what may be done there."""
    scope = accounts.scope(account)
    return {
        "delivery_url": shown.account_url("account-delivery", account),
        "now_url": shown.account_url("account-delivery-now", account),
        "can_deliver": guards.may(principal_for(request), Action.ACCOUNT_DELIVER, scope),
    }


def _held(account: Account, cluster: Cluster) -> Delivery:
    row = Delivery.objects.filter(
        cluster=cluster, account_key=account.public_key, state=DeliveryState.HELD
    ).first()
    if row is None or not row.found:
        raise lookup.NotFound("No server holds another JWT of this account (any more).")
    return row


def _difference(account: Account, held: Delivery) -> tuple[object, ...]:
    try:
        theirs = codec.from_payload(codec.payload_of(held.found))
    except ClaimsError:
        return ()
    return changes.difference(changes.claims_of(account), theirs)


def _taking(account: Account, held: Delivery) -> tuple[str, ...]:
    """What taking theirs over would mean, where it is not taken over to the byte."""
    try:
        return choosing.plan_taking(account, held.found).said
    except ClaimsError as unreadable:
        return (unreadable.user_message,)
