"""Who holds which role where, who may give one, and who sees whom among people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from identities.models import Account, Grant, Operator, Person, ServiceAccount, Team, TeamMember
from identities.policy import decisions, powers
from identities.policy.actions import Action
from identities.policy.principal import HeldRole, Principal, Role, Scope, ScopeKind
from identities.queries import reach

MOST_NAMED = 5
MOST_GRANTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Giver:
    """Who can give a missing role: a person, or a team with its members."""

    name: str
    title: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why somebody may or may not: the roles that allow it, those that would, and who can give the narrowest."""

    by: tuple[HeldRole, ...]
    would: tuple[str, ...]
    givers: tuple[Giver, ...]
    more: int = 0


def grants(principal: Principal) -> QuerySet[Grant, Any]:
    """The grants on what the principal may see, and its own; holders and places are loaded too."""
    rows: QuerySet[Grant, Any] = Grant.objects.select_related(
        "person", "team", "service_account", "operator", "account__operator", "signing_key__account__operator"
    ).filter(_alive())
    if reach.everything(principal):
        return rows
    own = Q(pk=None)
    if principal.person_id is not None:
        teams = TeamMember.objects.filter(person=principal.person_id).values("team")
        own = Q(person=principal.person_id) | Q(team__in=teams)
    if principal.service_account_id is not None:
        own |= Q(service_account=principal.service_account_id)
    return rows.filter(reach.below_operator(principal) | own)


def grants_on(principal: Principal, scope: Scope) -> QuerySet[Grant, Any]:
    """Those of `grants` on `scope` itself or below it."""
    rows = grants(principal)
    if scope.signing_key is not None:
        return rows.filter(signing_key=scope.signing_key)
    if scope.account is not None:
        return rows.filter(account=scope.account)
    return rows.filter(operator=scope.operator) if scope.operator is not None else rows


def grants_above(scope: Scope) -> QuerySet[Grant, Any]:
    """The grants that reach `scope` from above it: whoever sees the scope may know who rules there."""
    above = Q(scope_kind=ScopeKind.INSTALLATION)
    if scope.account is not None:
        above |= Q(scope_kind=ScopeKind.OPERATOR, operator=scope.operator)
    if scope.signing_key is not None:
        above |= Q(scope_kind=ScopeKind.ACCOUNT, account=scope.account)
    rows: QuerySet[Grant, Any] = Grant.objects.filter(above).select_related(
        "person", "team", "service_account", "operator", "account", "signing_key__account"
    )
    return rows


def members(teams: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """Who is in each of these teams, by team; those who may not sign in are left out."""
    found: dict[int, list[str]] = {}
    rows = TeamMember.objects.filter(team__in=set(teams), person__is_active=True).select_related("person")
    for row in rows.order_by("person__username"):
        found.setdefault(row.team_id, []).append(str(row.person))
    return {team: tuple(names) for team, names in found.items()}


def holder(kind: str, name: str) -> Person | Team | ServiceAccount | None:
    """Who is called so: a person by what they sign in with, a team or machine by its name.

    Never by an e-mail address: people write their own, and nobody checks whose it is.
    """
    if kind == "team":
        return Team.objects.filter(name__iexact=name).first()
    if kind == "service-account":
        return ServiceAccount.objects.filter(name__iexact=name).first()
    return Person.objects.filter(username__iexact=name).first()


def unknown_person(name: str) -> str:
    """Why nobody is meant by `name`. Whose address it is goes untold: people write their own, and may be hidden."""
    if "@" not in name:
        return f"Nobody signs in as “{name[:100]}”. Write the name that they sign in with."
    return (
        f"Nobody signs in as “{name[:100]}”, and nobody is known by an address here: write the name that they sign in "
        "with. They find it under “Your account”."
    )


def why(principal: Principal, action: Action, scope: Scope) -> Why:
    """What `principal` would need for `action` on `scope`; two queries. Nobody can give what a token leaves out."""
    by = tuple(
        held
        for held in principal.roles
        if held.covers(scope) and action in powers.POWERS.get((held.kind, held.role), frozenset())
    )
    would = [(kind, role) for kind, role in _reaching(scope) if action in powers.POWERS[kind, role]]
    missing = would and not decisions.token_forbids(principal, action, scope)
    found = list(_givers(would[0], scope)) if missing else []
    teams = members(grant.team_id for grant in found if grant.team_id is not None)
    shown = tuple(_giver(grant, teams) for grant in found[:MOST_NAMED])
    return Why(
        by=by,
        would=tuple(powers.TITLES[each] for each in would),
        givers=shown,
        more=len(found) - len(shown),
    )


def explained(principal: Principal, refused: decisions.Forbidden, keys: Mapping[str, Any]) -> str:
    """Why not, and who can give what is missing, for the page that says no. `keys`: the arguments of its address."""
    if refused.action is None:
        return refused.user_message
    scope = refused.scope or scope_at(principal, keys)
    if decisions.token_forbids(principal, refused.action, scope):
        return refused.user_message
    found = why(principal, refused.action, scope)
    who = named(found)
    if not who or found.by:  # who holds it is refused for another reason
        return refused.user_message
    return f"{refused.user_message} Who can give it: {who}."


def named(found: Why) -> str:
    """Who can give what is missing, as a sentence has it; "" for nobody."""
    names = [giver.name for giver in found.givers]
    if not names:
        return ""
    *rest, last = [*names, "others"] if found.more else names
    return f"{', '.join(rest)} and {last}" if rest else last


def scope_at(principal: Principal, keys: Mapping[str, Any]) -> Scope:
    """Where an address is, by its operator and account as far as `principal` sees them."""
    operators = Operator.objects.visible_to(principal).live().filter(public_key=keys.get("operator_key", ""))
    above = operators.values_list("pk", flat=True).first()
    accounts = (
        Account.objects.visible_to(principal)
        .live()
        .filter(operator=above, public_key=keys.get("account_key", ""))
    )
    account = accounts.values_list("pk", flat=True).first() if above is not None else None
    return Scope(operator=above, account=account)


def _reaching(scope: Scope) -> Sequence[tuple[ScopeKind, Role]]:
    """The grants that can reach `scope`, the narrowest scope first, and on each the weakest role first."""
    kinds = [kind for kind in ScopeKind if powers.reaches(kind, scope)]
    fit = [which for which in powers.POWERS if which[0] in kinds]
    return sorted(fit, key=lambda which: (-kinds.index(which[0]), len(powers.POWERS[which])))


def _givers(needed: tuple[ScopeKind, Role], scope: Scope) -> list[Grant]:
    """Grants whose holders may give `needed` on `scope`: those nearest to it first."""
    kind, _ = needed
    allowed = powers.POWERS[needed] | {Action.GRANT_EDIT}
    there = {
        ScopeKind.INSTALLATION: Scope(),
        ScopeKind.OPERATOR: Scope(operator=scope.operator),
        ScopeKind.ACCOUNT: Scope(operator=scope.operator, account=scope.account),
        ScopeKind.ROLE: scope,
    }[kind]
    reaching = Q(scope_kind=ScopeKind.INSTALLATION)
    if there.operator is not None:
        reaching |= Q(scope_kind=ScopeKind.OPERATOR, operator=there.operator)
    if there.account is not None:
        reaching |= Q(scope_kind=ScopeKind.ACCOUNT, account=there.account)
    rows = Grant.objects.filter(reaching, role=Role.ADMINISTRATOR, service_account=None)
    rows = rows.filter(Q(person=None) | Q(person__is_active=True)).select_related("person", "team")
    nearest = {ScopeKind.ACCOUNT: 0, ScopeKind.OPERATOR: 1, ScopeKind.INSTALLATION: 2}
    fit = [
        grant
        for grant in rows[:MOST_GRANTS]
        if allowed <= powers.POWERS[ScopeKind(grant.scope_kind), Role(grant.role)]
    ]
    return sorted(
        fit, key=lambda grant: (nearest[ScopeKind(grant.scope_kind)], str(grant.person or grant.team))
    )


def _giver(grant: Grant, teams: dict[int, tuple[str, ...]]) -> Giver:
    title = powers.TITLES[ScopeKind(grant.scope_kind), Role(grant.role)]
    if grant.team is not None:
        return Giver(
            name=f"the team “{grant.team.name}”",
            title=title,
            members=teams.get(grant.team.pk, ())[:MOST_NAMED],
        )
    return Giver(name=str(grant.person), title=title)


def _alive() -> Q:
    """Grants on what is still there: what was deleted keeps its grants, which open nothing."""
    operator = Q(operator=None) | Q(operator__deleted_at=None)
    account = Q(account=None) | Q(account__deleted_at=None)
    return operator & account & (Q(signing_key=None) | Q(signing_key__deleted_at=None))
