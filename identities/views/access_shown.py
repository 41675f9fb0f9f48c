"""What pages show of roles and who holds them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse

from identities.models import Account, Grant, Key, Operator
from identities.policy import decisions, powers
from identities.policy.actions import Action
from identities.policy.principal import Principal, Role, Scope, ScopeKind
from identities.queries import access, reach
from identities.services import grants, invitations
from identities.views import guards, shown, signing_keys_shown

MOST = 300
TABS = (
    ("Roles", "team", None),
    ("People", "people", Action.VIEW),
    ("Teams", "teams", Action.VIEW),
    ("Service accounts", "service-accounts", Action.VIEW),
    ("Invitations", "invitations", Action.INVITE),
    ("Single sign-on", "sign-on-providers", Action.SIGN_ON_EDIT),
    ("What roles may do", "powers", None),
    ("Why can't I?", "why", None),
)
"""Label, route, and what one has to be allowed on the whole installation; to invite, somewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRow:
    """One role that somebody holds; `members` of a team, `take_url` "" for who may not take it."""

    holder: str
    what: str
    holder_url: str
    members: tuple[str, ...]
    title: str
    place: str
    place_url: str
    bounds: str
    by: str
    at: shown.When
    take_url: str


def tabs(principal: Principal) -> dict[str, Any]:
    """The pages of “Team & access”, for `identities/shared/tabs.html`."""
    urls = tuple(
        shown.Tab(label=label, url=reverse(name))
        for label, name, action in TABS
        if action is None
        or guards.may(principal, action)
        or (action is Action.INVITE and _invites(principal))
    )
    return {"tabs_of": "Team and access", "tabs": urls}


def _invites(principal: Principal) -> bool:
    return isinstance(invitations.may_invite(principal), decisions.Allowed)


def frame(principal: Principal, title: str, *steps: shown.Crumb, **more: Any) -> dict[str, Any]:
    """The context of a page of the section."""
    crumbs = [shown.Crumb(label="Team & access", url=reverse("team")), *steps]
    return shown.frame(title=title, nav="team", crumbs=crumbs, **tabs(principal), **more)


def form_frame(place: grants.Place, *steps: shown.Crumb, **more: Any) -> dict[str, Any]:
    """The context of a form about who may do what on `place`: it stands below the page that lists that."""
    return shown.frame(nav="team" if place is None else "operators", crumbs=[*crumbs(place), *steps], **more)


def crumbs(place: grants.Place) -> tuple[shown.Crumb, ...]:
    """The way to who may do what on a scope."""
    url = place_url(place)
    if isinstance(place, Operator):
        return (*shown.operator_crumbs(place, "")[:2], shown.Crumb(label="Access", url=url))
    if isinstance(place, Account):
        return (*shown.account_crumbs(place, "")[:4], shown.Crumb(label="Access", url=url))
    if isinstance(place, Key) and place.account is not None:
        keys, _ = signing_keys_shown.crumbs(place.account, "")
        here = shown.Crumb(label=f"Access to {place.role}", url=url)
        return (*shown.account_crumbs(place.account, "")[:4], keys, here)
    return (shown.Crumb(label="Team & access", url=url),)


def search(rows: QuerySet[Grant, Any], text: str) -> QuerySet[Grant, Any]:
    """Those whose holder or place is called so."""
    if not text:
        return rows
    return rows.filter(
        Q(person__username__icontains=text)
        | Q(person__name__icontains=text)
        | Q(team__name__icontains=text)
        | Q(service_account__name__icontains=text)
        | Q(operator__name__icontains=text)
        | Q(account__name__icontains=text)
        | Q(signing_key__role__icontains=text)
    )


def rows(principal: Principal, found: QuerySet[Grant, Any]) -> tuple[GrantRow, ...]:
    """Grants as rows, the widest scope first; two queries."""
    whole = guards.may(principal, Action.VIEW)
    held = list(found.order_by("operator__name", "account__name", "signing_key__role", "role", "pk")[:MOST])
    members = access.members(grant.team_id for grant in held if grant.team_id is not None)
    return tuple(_row(principal, grant, members, whole=whole) for grant in held)


def _row(principal: Principal, grant: Grant, members: dict[int, tuple[str, ...]], *, whole: bool) -> GrantRow:
    holder, place = grants.holder_of(grant), grants.place_of(grant)
    kind, role = ScopeKind(grant.scope_kind), Role(grant.role)
    bounds = f"names {grant.names}" if role is Role.ISSUER else ""
    bounds += f", tags {', '.join(grant.tags.splitlines())}" if grant.tags else ""
    may = isinstance(grants.may_take(principal, grant), decisions.Allowed)
    return GrantRow(
        holder=str(holder),
        what={"person": "", "team": "team"}.get(holder.audit_key.partition(":")[0], "service account"),
        holder_url=_holder_url(grant) if whole else "",
        members=members.get(grant.team_id, ()) if grant.team_id is not None else (),
        title=powers.TITLES[kind, role],
        place=place_name(place),
        place_url=_seen_url(principal, grant, place),
        bounds=bounds,
        by=grant.by_name,
        at=shown.moment(grant.created_at),
        take_url=reverse("grant-take", args=[grant.pk]) if may else "",
    )


def _holder_url(grant: Grant) -> str:
    if grant.person_id is not None:
        return reverse("person", args=[grant.person_id])
    if grant.service_account_id is not None:
        return reverse("service-account", args=[grant.service_account_id])
    return reverse("team-detail", args=[grant.team_id]) if grant.team_id is not None else ""


def place_name(place: grants.Place) -> str:
    """What a scope is called."""
    if isinstance(place, Operator):
        return place.name
    if isinstance(place, Account):
        return f"{place.name} of {place.operator.name}"
    if isinstance(place, Key):
        return (
            f"{place.role or shown.short(place.public_key)} of {place.account.name if place.account else ''}"
        )
    return "the whole installation"


def place_url(place: grants.Place) -> str:
    """The page of who may do what on a scope."""
    if isinstance(place, Operator):
        return shown.operator_url("operator-access", place)
    if isinstance(place, Account):
        return shown.account_url("account-access", place)
    if isinstance(place, Key) and place.account is not None:
        return shown.account_url("role-access", place.account, place.public_key)
    return reverse("team")


def _seen_url(principal: Principal, grant: Grant, place: grants.Place) -> str:
    """That page, or where creds of the role are issued for who holds that alone."""
    sees = reach.whole_operator(principal, grant.operator_id) or any(
        held.kind is ScopeKind.ACCOUNT and held.account == grant.account_id for held in principal.roles
    )
    if isinstance(place, Key) and place.account is not None and not sees:
        return shown.account_url("role-creds", place.account, place.public_key)
    return place_url(place)


def choices(principal: Principal, place: grants.Place) -> tuple[tuple[str, str], ...]:
    """The roles that one may give on `place`, for a form."""
    kind = grants.kind_of(place)
    return tuple((role.value, powers.TITLES[kind, role]) for role in grants.roles_for(principal, place))


def suggestions(found: Iterable[Grant]) -> tuple[str, ...]:
    """Whom one has met already, for a form to offer."""
    names = set()
    for grant in found:
        holder = grants.holder_of(grant)
        names.add(getattr(holder, "username", "") or str(holder))
    return tuple(sorted(names, key=str.casefold))[:MOST]


def here(principal: Principal, place: grants.Place, new_url: str) -> dict[str, Any]:
    """Who may do what on a scope: those that hold a role on it or below, and those above it."""
    scope: Scope = grants.scope_of(place)
    return {
        "rows": rows(principal, access.grants_on(principal, scope)),
        "above": rows(principal, access.grants_above(scope)),
        "new_url": new_url if grants.roles_for(principal, place) else "",
        "place": place_name(place),
        "invite_url": _invite_url(principal, place, scope),
    }


def _invite_url(principal: Principal, place: grants.Place, scope: Scope) -> str:
    if isinstance(place, Key) or not _invites(principal) or not guards.may(principal, Action.INVITE, scope):
        return ""
    if isinstance(place, Account):
        return shown.account_url("account-invite", place)
    return shown.operator_url("operator-invite", place) if place is not None else reverse("invitation-create")
