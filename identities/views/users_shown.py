"""What the pages of users show, as plain strings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, QueryDict

from identities.claims import names, trust
from identities.claims.account import AccountBody
from identities.lookup import principal_for
from identities.models import Account, IssuedToken, Mode, User
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import changes, filling, system_users, users
from identities.views import (
    delivery,
    describing,
    guards,
    paging,
    presets_shown,
    roles_shown,
    shown,
    signing_keys_shown,
)

ACTIONS = (
    Action.USER_EDIT,
    Action.USER_DELETE,
    Action.USER_REVOKE,
    Action.USER_MOVE,
    Action.USER_ROTATE,
    Action.USER_SUSPEND,
    Action.JWT_DOWNLOAD,
    Action.BEARER_DOWNLOAD,
    Action.CREDS_DOWNLOAD,
    Action.CLIENT_TEST,
)
SORTS = paging.both_ways(name=paging.Sort("name"))
COLUMNS = (
    ("Name", "name", ""),
    ("User ID", "", ""),
    ("May publish", "", ""),
    ("May subscribe", "", ""),
    ("Logs in with", "", ""),
    ("State", "", ""),
    ("Changed", "", ""),
)
_MODES = {
    Mode.RULES: "listed subjects",
    Mode.OPEN: "everywhere not denied",
    Mode.REPLIES: "answers only",
    Mode.DEFAULT: "account default",
    Mode.ROLE: "as its role says",
}
_ROUTES = {
    "detail": "user",
    "edit": "user-edit",
    "delete": "user-delete",
    "revoke": "user-revoke-earlier",
    "move": "user-move",
    "rotate": "user-rotate",
    "suspend": "user-suspend",
    "lift": "user-lift",
    "history": "user-history",
    "live": "user-live",
    "creds": "user-creds",
    "links": "user-links",
    "jwt": "user-jwt",
    "context": "user-context",
    "test": "user-test",
    "explain": "user-explain",
    "allow": "user-allow",
    "preset": "user-preset",
}
_REVOKED = shown.State(
    word="Revoked",
    tone="danger",
    icon="ban",
    title="The account refuses every JWT of this user issued so far",
)
_SUSPENDED = shown.State(
    word="Suspended", tone="warn", icon="lock", title="Kept out until the suspension is lifted"
)
_ORPHANED = shown.State(
    word="Key removed",
    tone="danger",
    icon="circle-x",
    title="Servers refuse it: the key that issued it is none of its account's (any more), or may not issue users",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What an account says about its users: whom it revokes, whose signature it takes, and names of its roles."""

    revocations: Mapping[str, int]
    issuers: Mapping[str, str]

    @classmethod
    def of(cls, account: Account) -> Standing:
        """From the account's claims; its operator is loaded."""
        body: AccountBody = changes.claims_of(account).nats
        roles = {entry.key: entry.role for entry in body.signing_keys}
        own = {} if account.operator.strict else {account.public_key: ""}
        return cls(revocations=body.revocations, issuers={**own, **roles})


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    """One user in the list."""

    name: str
    url: str
    key: shown.Chip
    publish: str
    subscribe: str
    login: str
    state: shown.State
    changed: shown.When
    by: str


def table(
    account: Account, query: QueryDict, now: int, *, issuer: str = "", total: int | None = None
) -> dict[str, Any]:
    """Page, headings and rows of an account's users: one query, and one to count what a filter leaves.

    `issuer` leaves those that this key issued, `total` in number.
    """
    rows = User.objects.live().filter(account=account).defer("claims")
    if issuer:
        rows = rows.filter(issuer=issuer)
    q = query.get("q", "")
    known = account.user_count if total is None else total
    page = paging.page(paging.matching(rows, q), query, sorts=SORTS, total=None if q.strip() else known)
    standing = Standing.of(account)
    base = shown.account_url("users", account)
    return {
        "page": page,
        "headings": paging.headings(query, SORTS, COLUMNS, page.sort),
        "rows": tuple(_row(user, base, standing, now) for user in page.rows),
    }


def _row(user: User, base: str, standing: Standing, now: int) -> UserRow:
    role = standing.issuers.get(user.issuer, "")
    return UserRow(
        name=user.name,
        url=f"{base}{user.public_key}/",
        key=shown.chip(user.public_key),
        publish=_may(user.pub_mode, role),
        subscribe=_may(user.sub_mode, role),
        login="bearer JWT" if user.bearer else "creds" if user.has_seed else "its own key",
        state=_state(user, standing, now),
        changed=shown.moment(user.updated_at),
        by=user.updated_by,
    )


def _may(mode: str, role: str) -> str:
    return f"as role “{role}” says" if mode == Mode.ROLE and role else _MODES[Mode(mode)]


def described(user: User, request: HttpRequest, now: int) -> dict[str, Any]:
    """The user's page: description, findings, what was handed out before, and where to go from here."""
    account = user.account
    standing = Standing.of(account)
    entry = trust.signing_key(changes.claims_of(account).nats, user.issuer)
    role = entry if entry is not None and entry.is_scoped else None
    template = role.template if role is not None else None
    whom = roles_shown.of_user(user)
    return {
        **page_of(user, now),
        **describing.described(user, account.operator, request, now, scope=role),
        "origin": presets_shown.origin(filling.of_user(user)),
        "becomes": roles_shown.becomes(account, template, whom) if template is not None else None,
        **signing_keys_shown.issuer_of(user, entry),
        "state": _state(user, standing, now),
        "account": account.name,
        "account_url": shown.account_url("account", account),
        "login": "its JWT alone (bearer)"
        if user.bearer
        else "creds"
        if user.has_seed
        else "its own key, whose seed is not here",
        "changed": shown.moment(user.updated_at),
        "by": user.updated_by,
        "issued": shown.unix(user.last_iat),
        "earlier": _earlier(user, _revoked_at(user, standing), now),
        "just_created": request.GET.get("created") == "1",
        "just_edited": request.GET.get("changed") == "1",
        "just_changed": request.GET.get("revoked") == "1",
        "ways": delivery.of_account(principal_for(request), account),
    }


def page_of(user: User, now: int) -> dict[str, Any]:
    """What the head and the tabs of every page of a user need."""
    return {
        "user_name": user.name,
        "key": shown.chip(user.public_key),
        "state": _state(user, Standing.of(user.account), now),
        "has_seed": user.has_seed,
        "bearer": user.bearer,
        "secret_jwt": user.jwt_is_secret,
        "suspended": shown.moment(user.suspended_at),
        "urls": {name: shown.user_url(route, user) for name, route in _ROUTES.items()},
    }


def form_frame(user: User, step: str, title: str) -> dict[str, Any]:
    """What a form about a user stands in; cancelling leads back to it."""
    url = shown.user_url("user", user)
    return shown.frame(title=title, nav="operators", crumbs=shown.user_crumbs(user, step), cancel_url=url)


def can(principal: Principal, user: User) -> dict[str, bool]:
    """What to offer on a user's pages."""
    return guards.can(principal, users.scope(user), *ACTIONS)


def what_goes(user: User) -> dict[str, Any]:
    """What deleting a user means, in words, for `components/confirm.html`."""
    clusters = system_users.told_of(user)
    return {
        "name": user.name,
        "submit": "Delete user",
        "intro": f"Deleting “{user.name}” takes away its creds here, and its seed for good. A deletion alone does not "
        "stop creds that were handed out: revoking the key in the account does.",
        "consequences": (
            *clusters,
            "With revoking (usual): the account's JWT changes, and servers refuse the user as soon as they have it.",
            "Without: whoever holds the creds can go on connecting until they expire.",
        )
        if user.suspended_at is None
        else (*clusters, "It is suspended: its key stands revoked in the account, and stays so."),
    }


def warned(name: str, tags: tuple[str, ...]) -> str:
    """What a name or tag could do inside a role's template, as one sentence; "" for nothing."""
    found = [*names.name_warnings(name), *(warning for tag in tags for warning in names.tag_warnings(tag))]
    text = "; ".join(found)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _state(user: User, standing: Standing, now: int) -> shown.State:
    if user.suspended_at is not None:
        return _SUSPENDED
    if user.last_iat <= _revoked_at(user, standing):
        return _REVOKED
    if user.issuer not in standing.issuers:
        return _ORPHANED
    return shown.state(user.expires, user.not_before, now)


def _revoked_at(user: User, standing: Standing) -> int:
    """Every JWT of the user issued at or before this second is refused; 0 when none is."""
    return max(standing.revocations.get(user.public_key, 0), standing.revocations.get("*", 0))


def _earlier(user: User, revoked_at: int, now: int) -> str:
    """How many JWTs of the user before the current one still log in, in words; "" for none."""
    number = (
        IssuedToken.objects.filter(operator=user.operator_id, subject=user.public_key, iat__gt=revoked_at)
        .filter(Q(exp=0) | Q(exp__gt=now), iat__lt=user.last_iat)
        .count()
    )
    return shown.plural(number, "earlier version") if number else ""
