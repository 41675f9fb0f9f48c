"""What the pages of users show, as plain strings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, QueryDict

from identities.claims import names
from identities.forms.users import Signer
from identities.models import Account, IssuedToken, Key, Mode, Purpose, User
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import changes, users
from identities.views import delivery, describing, guards, paging, shown

ACTIONS = (
    Action.USER_EDIT,
    Action.USER_DELETE,
    Action.USER_REVOKE,
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
    "history": "user-history",
    "creds": "user-creds",
    "jwt": "user-jwt",
    "context": "user-context",
    "test": "user-test",
}
_REVOKED = shown.State(
    word="Revoked",
    tone="danger",
    icon="ban",
    title="The account refuses every JWT of this user issued so far",
)


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


def table(account: Account, query: QueryDict, now: int) -> dict[str, Any]:
    """Page, headings and rows of an account's users: one query, and one to count what a filter leaves."""
    rows = User.objects.live().filter(account=account).defer("claims")
    q = query.get("q", "")
    page = paging.page(
        paging.matching(rows, q), query, sorts=SORTS, total=None if q.strip() else account.user_count
    )
    revocations = _revocations(account)
    base = shown.account_url("users", account)
    return {
        "page": page,
        "headings": paging.headings(query, SORTS, COLUMNS, page.sort),
        "rows": tuple(_row(user, base, revocations, now) for user in page.rows),
    }


def _row(user: User, base: str, revocations: Mapping[str, int], now: int) -> UserRow:
    return UserRow(
        name=user.name,
        url=f"{base}{user.public_key}/",
        key=shown.chip(user.public_key),
        publish=_MODES[Mode(user.pub_mode)],
        subscribe=_MODES[Mode(user.sub_mode)],
        login="bearer JWT" if user.bearer else "creds" if user.has_seed else "its own key",
        state=_state(user, revocations, now),
        changed=shown.moment(user.updated_at),
        by=user.updated_by,
    )


def described(user: User, request: HttpRequest, now: int) -> dict[str, Any]:
    """The user's page: description, findings, what was handed out before, and where to go from here."""
    account = user.account
    claims = changes.claims_of(account)
    revocations: Mapping[str, int] = claims.nats.revocations
    role = next((key for key in claims.nats.signing_keys if key.key == user.issuer and key.is_scoped), None)
    return {
        **page_of(user, now),
        **describing.described(user, account.operator, request, now, scope=role),
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
        "earlier": _earlier(user, _revoked_at(user, revocations), now),
        "just_created": request.GET.get("created") == "1",
        "just_edited": request.GET.get("changed") == "1",
        "just_changed": request.GET.get("revoked") == "1",
        "ways": delivery.of_account(account),
    }


def page_of(user: User, now: int) -> dict[str, Any]:
    """What the head and the tabs of every page of a user need."""
    return {
        "user_name": user.name,
        "key": shown.chip(user.public_key),
        "state": _state(user, _revocations(user.account), now),
        "has_seed": user.has_seed,
        "bearer": user.bearer,
        "urls": {name: shown.user_url(route, user) for name, route in _ROUTES.items()},
    }


def can(principal: Principal, user: User) -> dict[str, bool]:
    """What to offer on a user's pages."""
    return guards.can(principal, users.scope(user), *ACTIONS)


def signers(account: Account) -> list[Signer]:
    """The keys whose seed is here and that may sign users of the account; one query."""
    rows = Key.objects.filter(account=account, user=None, deleted_at=None, sealed__isnull=False)
    found = []
    for key in rows.order_by("purpose", "role", "pk").only("public_key", "purpose", "role"):
        short = shown.short(key.public_key)
        if key.purpose == Purpose.IDENTITY and not account.operator.strict:
            found.append(Signer(key=key.public_key, label=f"identity key {short}"))
        elif key.purpose == Purpose.SIGNING:
            found.append(Signer(key=key.public_key, label=f"signing key {short}"))
        elif key.purpose == Purpose.ROLE:
            found.append(
                Signer(
                    key=key.public_key,
                    label=f"role “{key.role}” {short}" if key.role else f"role {short}",
                    role=True,
                )
            )
    return found


def what_goes(user: User) -> dict[str, Any]:
    """What deleting a user means, in words, for `components/confirm.html`."""
    return {
        "name": user.name,
        "submit": "Delete user",
        "intro": f"Deleting “{user.name}” takes away its creds here, and its seed for good. A deletion alone does not "
        "stop creds that were handed out: revoking the key in the account does.",
        "consequences": (
            "With revoking (usual): the account's JWT changes, and servers refuse the user as soon as they have it.",
            "Without: whoever holds the creds can go on connecting until they expire.",
        ),
    }


def warned(name: str, tags: tuple[str, ...]) -> str:
    """What a name or tag could do inside a role's template, as one sentence; "" for nothing."""
    found = [*names.name_warnings(name), *(warning for tag in tags for warning in names.tag_warnings(tag))]
    text = "; ".join(found)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _state(user: User, revocations: Mapping[str, int], now: int) -> shown.State:
    if user.last_iat <= _revoked_at(user, revocations):
        return _REVOKED
    return shown.state(user.expires, user.not_before, now)


def _revocations(account: Account) -> Mapping[str, int]:
    held: Mapping[str, int] = changes.claims_of(account).nats.revocations
    return held


def _revoked_at(user: User, revocations: Mapping[str, int]) -> int:
    """Every JWT of the user issued at or before this second is refused; 0 when none is."""
    return max(revocations.get(user.public_key, 0), revocations.get("*", 0))


def _earlier(user: User, revoked_at: int, now: int) -> str:
    """How many JWTs of the user before the current one still log in, in words; "" for none."""
    number = (
        IssuedToken.objects.filter(operator=user.operator_id, subject=user.public_key, iat__gt=revoked_at)
        .filter(Q(exp=0) | Q(exp__gt=now), iat__lt=user.last_iat)
        .count()
    )
    return shown.plural(number, "earlier version") if number else ""
