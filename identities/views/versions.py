"""One earlier version of an operator, an account or a user: what it said, what differs, and bringing it back."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.errors import IdentityError
from identities.forms.history import RollBackForm
from identities.lookup import principal_for
from identities.models import Account, Operator
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import accounts, changes, clock, columns, granted, rolling_back, users
from identities.services.rolling_back import Row, Version
from identities.views import accounts_shown, describing, editing, guards, history, htmx, proving, shown

NAV = "operators"
STAYS = (
    "Brought back as a new version. Revocations stay as they are now, so nobody who was put out comes in again, and "
    "signing keys that were added since stay."
)


@guards.page()
def operator(request: HttpRequest, operator_key: str, number: int) -> HttpResponse:
    """A version of an operator."""
    principal = principal_for(request)
    return _shown(request, principal, lookup.operator(principal, operator_key), number)


@guards.page()
def account(request: HttpRequest, operator_key: str, account_key: str, number: int) -> HttpResponse:
    """A version of an account."""
    principal = principal_for(request)
    return _shown(request, principal, lookup.account(principal, operator_key, account_key), number)


@guards.page()
def user(
    request: HttpRequest, operator_key: str, account_key: str, user_key: str, number: int
) -> HttpResponse:
    """A version of a user."""
    principal = principal_for(request)
    return _shown(request, principal, lookup.user(principal, operator_key, account_key, user_key), number)


@guards.page("GET", "POST")
def roll_back_operator(request: HttpRequest, operator_key: str, number: int) -> HttpResponse:
    """Bring a version of an operator back."""
    principal = principal_for(request)
    row = lookup.operator(principal, operator_key)
    guards.require(principal, Action.OPERATOR_EDIT, Scope(operator=row.pk))

    def save(form: RollBackForm) -> Row:
        return rolling_back.roll_back_operator(
            principal=principal, operator=row, number=number, version=form.version, revive=form.revived
        )

    return _roll_back(request, principal, row, number, save)


@guards.page("GET", "POST")
def roll_back_account(request: HttpRequest, operator_key: str, account_key: str, number: int) -> HttpResponse:
    """Bring a version of an account back."""
    principal = principal_for(request)
    row = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.ACCOUNT_EDIT, accounts.scope(row))

    def save(form: RollBackForm) -> Row:
        return rolling_back.roll_back_account(
            principal=principal,
            account=row,
            number=number,
            version=form.version,
            revive=form.revived,
            keep_granted=not _grants(principal, row),
        )

    return _roll_back(request, principal, row, number, save)


@guards.page("GET", "POST")
def roll_back_user(
    request: HttpRequest, operator_key: str, account_key: str, user_key: str, number: int
) -> HttpResponse:
    """Bring a version of a user back; creds that are out keep the rights in them."""
    principal = principal_for(request)
    row = lookup.user(principal, operator_key, account_key, user_key)
    guards.require(principal, Action.USER_EDIT, users.scope(row))

    def save(form: RollBackForm) -> Row:
        return rolling_back.roll_back_user(principal=principal, user=row, number=number, version=form.version)

    return _roll_back(request, principal, row, number, save)


def _shown(request: HttpRequest, principal: Principal, row: Row, number: int) -> HttpResponse:
    context = {
        **_frame(row, f"Version {number}", f"Version {number} of {row.name}"),
        "history_url": history.url(row),
        "number": number,
    }
    try:
        version = rolling_back.version(row, number)
        other = _other(request, row)
    except lookup.NotFound:
        raise
    except IdentityError as unread:
        return htmx.render(
            request, "identities/shared/version.html", {**context, "unread": unread.user_message}
        )
    current = version.token.pk == row.token_id
    text = version.claims if other is None else other.claims
    before, after = (version.claims, changes.claims_of(row)) if other is None else (text, version.claims)
    context |= {
        "issued": shown.unix(version.token.iat),
        "by": version.token.by_name,
        "reason": version.token.reason,
        "current": current,
        "with": "" if other is None else f"{other.number}",
        "changes": changes.difference(before, after),
        "back_url": "" if current or not _may(principal, row) else history.url(row, "roll-back", number),
        **_described(request, row, version),
    }
    return htmx.render(request, "identities/shared/version.html", context)


def _other(request: HttpRequest, row: Row) -> Version | None:
    """The version to compare with, from `?with=`; None: the current claims."""
    asked = request.GET.get("with", "")
    if not asked:
        return None
    if not asked.isascii() or not asked.isdecimal() or len(asked) > 9:
        raise lookup.NotFound(f"“{row.name}” has no version {asked[:20]}.")
    return rolling_back.version(row, int(asked))


def _described(request: HttpRequest, row: Row, version: Version) -> dict[str, Any]:
    """What `nsc describe` would have printed of the object then."""
    then = copy(row)
    then.claims, then.name = version.payload, columns.name_of(version.claims)
    operator = row if isinstance(row, Operator) else row.operator
    return describing.described(then, operator, request, clock.unix())


def _roll_back(
    request: HttpRequest, principal: Principal, row: Row, number: int, save: Callable[[RollBackForm], Row]
) -> HttpResponse:
    try:
        version = rolling_back.version(row, number)
    except lookup.NotFound:
        raise
    except IdentityError as unread:
        raise lookup.NotFound(unread.user_message) from None
    form = RollBackForm(
        request.POST if request.method == "POST" else None,
        now=clock.unix(),
        removed=rolling_back.signing_keys_since(row, version).removed,
        initial={"version": row.version},
    )

    def plan() -> changes.Change:
        keep = not _grants(principal, row)
        return rolling_back.plan(principal, row, number, revive=form.revived, keep_granted=keep)

    def saved() -> HttpResponse:
        if isinstance(row, Operator) and form.revived and not proving.is_fresh(request):
            return proving.ask(request)  # as for any edit of an operator's keys
        before, after = row.version, save(form)
        url = history.page_url(after)
        if after.version == before:
            return htmx.done(request, url, "Nothing was changed, so nothing was signed.")
        return htmx.done(request, f"{url}?changed=1", f"Brought back version {number} of “{after.name}”.")

    answer = editing.answer(request, form, row, plan=plan, save=saved)
    if answer is not None:
        return answer
    if request.method != "POST":
        editing.preview(form, row, plan)
    signed = f"Signed {shown.unix(version.token.iat).text} by {version.token.by_name}."
    context = {
        **_frame(row, f"Version {number}", f"Bring back version {number} of {row.name}"),
        "cancel_url": history.url(row, "version", number),
        "intro": f"{signed} {STAYS}{_kept(principal, row, version)}",
        "submit": "Bring this back",
    }
    return htmx.render_form(request, form, "", context)


def _grants(principal: Principal, row: Row) -> bool:
    """Whether somebody may change what an operator grants an account; of all else there is nothing to grant."""
    return not isinstance(row, Account) or guards.may(
        principal, Action.ACCOUNT_LIMITS_EDIT, accounts.scope(row)
    )


def _kept(principal: Principal, row: Row, version: Version) -> str:
    """What does not come back since somebody else grants it, where that was otherwise then."""
    if not isinstance(row, Account) or _grants(principal, row):
        return ""
    if not granted.changed(changes.claims_of(row), version.claims):
        return ""
    by = accounts_shown.granted_by(principal, row)
    return f" Limits, times and cluster traffic were other ones, and stay as they are now. {by}"


def _may(principal: Principal, row: Row) -> bool:
    if isinstance(row, Operator):
        return guards.may(principal, Action.OPERATOR_EDIT, Scope(operator=row.pk))
    if isinstance(row, Account):
        return guards.may(principal, Action.ACCOUNT_EDIT, accounts.scope(row))
    return guards.may(principal, Action.USER_EDIT, users.scope(row))


def _frame(row: Row, step: str, title: str) -> dict[str, Any]:
    if isinstance(row, Operator):
        crumbs = shown.operator_crumbs(row, "History", step)
    elif isinstance(row, Account):
        crumbs = shown.account_crumbs(row, "History", step)
    else:
        crumbs = shown.user_crumbs(row, "History", step)
    past = shown.Crumb(label="History", url=history.url(row))
    crumbs = (*crumbs[:-2], past, crumbs[-1])
    return shown.frame(title=title, nav=NAV, crumbs=crumbs)
