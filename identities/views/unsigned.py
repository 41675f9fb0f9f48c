"""Pages of edits that wait for a signature elsewhere: download the claims, bring the signed JWT back, or give up."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.claims.diff import FieldChange
from identities.errors import IdentityError
from identities.forms.base import VersionForm
from identities.forms.unsigned import SignedJWTForm
from identities.lookup import principal_for
from identities.models import Account, Operator
from identities.policy.actions import Action
from identities.policy.principal import Scope
from identities.services import accounts, unsigned
from identities.views import guards, htmx, lockouts, shown

NAV = "operators"
MOST_CHANGES = 200


@guards.page("GET", "POST")
def operator(request: HttpRequest, operator_key: str) -> HttpResponse:
    """What waits of an operator, and its signed JWT that comes back."""
    return _page(request, _operator(request, operator_key))


@guards.page("GET", "POST")
def account(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """What waits of an account, and its signed JWT that comes back."""
    return _page(request, _account(request, operator_key, account_key))


@guards.page()
def operator_claims(request: HttpRequest, operator_key: str) -> HttpResponse:
    """The claims of an operator that are to be signed, as a file."""
    return _claims(_operator(request, operator_key))


@guards.page()
def account_claims(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """The claims of an account that are to be signed, as a file."""
    return _claims(_account(request, operator_key, account_key))


@guards.page("POST")
def self_signed(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """The same as a JWT that the account itself has signed, which whoever runs a managed operator takes."""
    row = _account(request, operator_key, account_key)
    _found(row)
    text = unsigned.self_signed(principal=principal_for(request), account=row)
    return htmx.download(f"{row.name}-self-signed.jwt", text, "application/jwt")


@guards.page("POST")
def operator_discard(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Give up an operator's edit that waits."""
    return _discard(request, _operator(request, operator_key))


@guards.page("POST")
def account_discard(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Give up an account's edit that waits."""
    return _discard(request, _account(request, operator_key, account_key))


def _page(request: HttpRequest, row: Operator | Account) -> HttpResponse:
    kept = _found(row)
    form, text = SignedJWTForm(), ""
    if request.method == "POST":
        form = SignedJWTForm(request.POST, files=request.FILES)
        if form.is_valid():
            text, differing = form.cleaned_data["text"], form.cleaned_data["differing"]
            with guards.errors_on(form):
                unsigned.take(principal=principal_for(request), row=row, text=text, differing=differing)
                url = f"{_home(row)}?changed=1"
                if isinstance(row, Account):
                    url = lockouts.then(row, url)
                return htmx.done(request, url, f"Took the signed JWT of “{row.name}”.")
    wanted = unsigned.difference(row, kept)
    context = {
        **_frame(row),
        "row_name": row.name,
        "is_operator": isinstance(row, Operator),
        "changes": wanted[:MOST_CHANGES],
        "here": not wanted,
        "stale": row.version != kept.version,
        "kept_at": shown.moment(kept.created_at),
        "by": kept.by_name,
        "differences": _differences(row, text),
        "form": form,
        "can_self_sign": unsigned.can_self_sign(row),
        "urls": {
            "page": shown.unsigned_url(row),
            "claims": shown.unsigned_url(row, "unsigned-claims"),
            "discard": shown.unsigned_url(row, "unsigned-discard"),
            "self_signed": ""
            if isinstance(row, Operator)
            else shown.account_url("account-unsigned-self-signed", row),
        },
    }
    return htmx.render(request, "identities/unsigned/index.html", context, status=form.status)


def _differences(row: Operator | Account, text: str) -> tuple[FieldChange, ...]:
    """Where a signed JWT that was refused differs from what was wanted; nothing for what is no such JWT."""
    try:
        return unsigned.brought(row, text).differences if text else ()
    except IdentityError:
        return ()


def _claims(row: Operator | Account) -> HttpResponse:
    _found(row)
    return htmx.download(f"{row.name}.claims.json", unsigned.claims_text(row), "application/json")


def _discard(request: HttpRequest, row: Operator | Account) -> HttpResponse:
    _found(row)
    with guards.errors_on(VersionForm()):
        unsigned.discard(principal=principal_for(request), row=row)
    return htmx.done(request, _home(row), f"Gave up the edit of “{row.name}” that waited.")


def _found(row: Operator | Account) -> Any:
    kept = unsigned.waiting(row)
    if kept is None:
        raise lookup.NotFound(f"Nothing of “{row.name}” waits for a signature.")
    return kept


def _operator(request: HttpRequest, key: str) -> Operator:
    principal = principal_for(request)
    row = lookup.operator(principal, key)
    guards.require(principal, Action.OPERATOR_EDIT, Scope(operator=row.pk))
    return row


def _account(request: HttpRequest, operator_key: str, key: str) -> Account:
    principal = principal_for(request)
    row = lookup.account(principal, operator_key, key)
    guards.require(principal, Action.ACCOUNT_EDIT, accounts.scope(row))
    return row


def _home(row: Operator | Account) -> str:
    if isinstance(row, Operator):
        return shown.operator_url("operator", row)
    return shown.account_url("account", row)


def _frame(row: Operator | Account) -> dict[str, Any]:
    step = "Waiting for a signature"
    crumbs = (
        shown.operator_crumbs(row, step) if isinstance(row, Operator) else shown.account_crumbs(row, step)
    )
    return shown.frame(title=step, nav=NAV, crumbs=crumbs)
