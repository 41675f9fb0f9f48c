"""What the permissions of an account get wrong, and where that is mended."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from identities import lookup
from identities.claims.account import AccountBody
from identities.claims.findings import Kind
from identities.claims.sharing import export_handles
from identities.lookup import principal_for
from identities.models import Account
from identities.policy.actions import Action
from identities.queries import findings
from identities.queries.findings import Found
from identities.services import accounts, changes, clock
from identities.views import guards, htmx, shown

MOST = 200
_TONES = {Kind.OPEN: "warn", Kind.WIDE_STAR: "warn", Kind.DEAD_DENY: "muted", Kind.UNJUDGED: "muted"}
_INDEX = re.compile(r"\[(\d+)\]")


@guards.page()
def index(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Every finding with the page on which its field stands."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    may_edit = guards.may(principal, Action.ACCOUNT_EDIT, accounts.scope(account))
    found = list(findings.of(principal, account, now=clock.unix()))
    context = shown.frame(
        title=f"What permissions of {account.name} get wrong",
        nav="operators",
        crumbs=shown.account_crumbs(account, "Findings"),
        account=account.name,
        rows=[_row(account, one, may_edit=may_edit) for one in found[:MOST]],
        more=max(0, len(found) - MOST),
        who_can_url=shown.account_url("who-can", account),
        **shown.account_tabs(account),
    )
    return htmx.render(request, "identities/who_can/findings.html", context)


def _row(account: Account, one: Found, *, may_edit: bool) -> dict[str, object]:
    kind = one.finding.kind
    return {
        "state": shown.State(
            word=kind.value[0].upper() + kind.value[1:],
            tone=_TONES.get(kind, "danger"),
            icon="triangle-alert" if kind in _TONES else "circle-alert",
        ),
        "holder": one.holder,
        "text": one.finding.text,
        "url": _url(account, one, may_edit=may_edit),
    }


def _url(account: Account, one: Found, *, may_edit: bool) -> str:
    """The page of the field: where it is edited, or where it is shown."""
    keys = [account.operator.public_key, account.public_key]
    if one.key != account.public_key:
        return reverse("user", args=[*keys, one.key])
    body: AccountBody = changes.claims_of(account).nats
    number = int(found[1]) if (found := _INDEX.search(one.path)) else -1
    if one.path.startswith("nats.exports"):
        return reverse("export", args=[*keys, export_handles(body.exports)[number]])
    if one.path.startswith("nats.signing_keys"):
        return reverse("signing-key", args=[*keys, body.signing_keys[number].key])
    if one.path.startswith("nats.default_permissions"):
        return reverse("account-default-permissions" if may_edit else "account", args=keys)
    asked = urlencode({"deed": "subscribe", "subject": one.finding.entry})
    return f"{reverse('who-can', args=keys)}?{asked}"
