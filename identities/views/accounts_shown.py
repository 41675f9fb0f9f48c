"""What the pages of accounts show, as plain strings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict
from django.urls import reverse

from identities.claims.operator import OperatorBody
from identities.lookup import principal_for
from identities.models import Account, Operator, User
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import access
from identities.queries import sharing as neighbours
from identities.services import accounts, changes
from identities.views import (
    account_settings_shown,
    deliveries,
    deliveries_shown,
    delivery,
    describing,
    paging,
    shown,
)

ACTIONS = (
    Action.ACCOUNT_EDIT,
    Action.ACCOUNT_LIMITS_EDIT,
    Action.ACCOUNT_DELETE,
    Action.ACCOUNT_SIGN_ANEW,
    Action.JWT_DOWNLOAD,
    Action.USER_CREATE,
)
SORTS = paging.both_ways(
    name=paging.Sort("name"),
    users=paging.Sort("user_count", "number", descending=True),
    changed=paging.Sort("updated_at", "moment", descending=True),
)
COLUMNS = (
    ("Name", "name", ""),
    ("Account ID", "", ""),
    ("Users", "users", "num"),
    ("JetStream", "", ""),
    ("Description", "", ""),
    ("State", "", ""),
    ("Changed", "changed", ""),
)
STILL_ON_SERVERS = (
    "Servers go on with the account until its JWT is deleted there (full and cache resolvers) or they get a "
    "configuration without it and reload (MEMORY); a URL resolver no longer finds it when it next asks."
)
NAMED = 5
"""How many users a confirmation names before it only counts."""
LONGEST_DESCRIPTION = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """One account in the list."""

    name: str
    url: str
    key: shown.Chip
    users: str
    users_url: str
    jetstream: str
    description: str
    system: bool
    state: shown.State
    delivery: shown.State | None
    changed: shown.When
    by: str


def table(principal: Principal, operator: Operator, query: QueryDict, now: int) -> dict[str, Any]:
    """Page, headings and rows of the list of accounts: three queries."""
    rows = Account.objects.visible_to(principal).live().filter(operator=operator).defer("claims")
    page = paging.page(paging.matching(rows, query.get("q", ""), folded="name_fold"), query, sorts=SORTS)
    trusted = _trusted(operator)
    marks = deliveries_shown.marks(operator, [account.public_key for account in page.rows])
    return {
        "page": page,
        "headings": paging.headings(query, SORTS, COLUMNS, page.sort),
        "rows": tuple(
            _row(account, operator, _state(account, trusted, now), marks.get(account.public_key))
            for account in page.rows
        ),
    }


def _row(account: Account, operator: Operator, state: shown.State, mark: shown.State | None) -> AccountRow:
    account.operator = operator
    text = account.description
    return AccountRow(
        name=account.name,
        url=shown.account_url("account", account),
        key=shown.chip(account.public_key),
        users=f"{account.user_count:,}",
        users_url=shown.account_url("users", account),
        jetstream="enabled" if account.jetstream else "disabled",
        description=text if len(text) <= LONGEST_DESCRIPTION else f"{text[:LONGEST_DESCRIPTION]}…",
        system=account.public_key == operator.system_account,
        state=state,
        delivery=mark,
        changed=shown.moment(account.updated_at),
        by=account.updated_by,
    )


def _trusted(operator: Operator) -> frozenset[str]:
    """The keys that sign accounts which the operator's servers go by."""
    body: OperatorBody = changes.claims_of(operator).nats
    return frozenset((*body.signing_keys, *(() if operator.strict else (operator.public_key,))))


def _state(account: Account, trusted: frozenset[str], now: int) -> shown.State:
    """Valid, or why not; what no key of the operator signed is not, whatever its times say."""
    if account.issuer in trusted:
        return shown.state(account.expires, account.not_before, now)
    title = f"signed by {account.issuer}, which is no key of the operator (any more): servers refuse it"
    return shown.State(word="Not trusted", tone="danger", icon="circle-x", title=title)


def described(account: Account, request: HttpRequest, now: int) -> dict[str, Any]:
    """The account's page: description, findings, counts, and how servers learn of a change."""
    operator = account.operator
    return {
        "operator": operator.name,
        "operator_url": shown.operator_url("operator", operator),
        **shown.account_tabs(account),
        **describing.described(account, operator, request, now),
        "settings": account_settings_shown.settings(account, principal_for(request)),
        "state": _state(account, _trusted(operator), now),
        "changed": shown.moment(account.updated_at),
        "by": account.updated_by,
        "user_count": f"{account.user_count:,}",
        "is_system": account.public_key == operator.system_account,
        "just_changed": request.GET.get("changed") == "1",
        "live": deliveries_shown.panel(account),
        **deliveries.controls(request, account),
        "ways": delivery.by_hand(principal_for(request), account),
        "urls": {
            name: shown.account_url(route, account)
            for name, route in (
                ("detail", "account"),
                ("users", "users"),
                ("new_user", "user-create"),
                ("edit", "account-edit"),
                ("limits", "account-limits"),
                ("delete", "account-delete"),
                ("jwt", "account-jwt"),
                ("history", "account-history"),
                ("reissue", "account-reissue"),
                ("sign_anew", "account-sign-anew"),
            )
        },
        "config_url": shown.operator_url("operator-config", operator),
        "why_url": f"{reverse('why')}?{urlencode({'action': Action.ACCOUNT_LIMITS_EDIT, 'where': account.public_key})}",
    }


def granted_by(principal: Principal, account: Account) -> str:
    """Who grants what an account's admins may not change."""
    found = access.why(principal, Action.ACCOUNT_LIMITS_EDIT, accounts.scope(account))
    who = access.named(found)
    return f"The operator grants it: {who} can change it." if who else "The operator grants it."


def what_goes(principal: Principal, account: Account) -> dict[str, Any]:
    """What a deletion takes with it, in words, for `components/confirm.html`."""
    names = list(
        User.objects.live().filter(account=account).order_by("name").values_list("name", flat=True)[:NAMED]
    )
    named = ", ".join(f"“{name}”" for name in names) + (", …" if account.user_count > NAMED else "")
    users = shown.plural(account.user_count, "user")
    importing = [importer.row.name for importer in neighbours.importers(principal, account)]
    lines = []
    if names:
        lines.append(f"{users}: {named}; their creds can't be downloaded any more")
    if importing:
        others = shown.plural(len(importing), "other account")
        lines.append(f"exports that {others} imports: {', '.join(importing)}")
    lines.append("the seeds of its keys: nothing can be signed for it any more")
    return {
        "name": account.name,
        "submit": "Delete account",
        "intro": f"{STILL_ON_SERVERS} Its key, name and JWTs stay on record. With it go:",
        "consequences": tuple(lines),
    }
