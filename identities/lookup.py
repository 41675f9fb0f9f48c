"""Found or not found, for pages, API and commands alike: what somebody may not see does not exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from identities.errors import IdentityError
from identities.models import (
    Account,
    Cluster,
    Grant,
    Key,
    Operator,
    Person,
    ServiceAccount,
    User,
    issuing_roles,
)
from identities.policy.principal import HeldRole, Principal, Role, Scope, ScopeKind, Way

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


class NotFound(IdentityError):
    """No such object, or none that this principal may see."""

    code = "not-found"


def principal_for(request: HttpRequest) -> Principal:
    """The signed-in person of `request` with their grants (one query, kept on the request)."""
    kept: Principal | None = getattr(request, "principal", None)
    if kept is None:
        kept = _principal(request)
        request.principal = kept  # type: ignore[attr-defined]  # kept for this request's later callers
    return kept


def person_principal(person: Person, *, address: str = "", way: Way = Way.PAGE) -> Principal:
    """A person with their grants and those of their teams, as a principal."""
    teams, roles = _held(Grant.objects.of_person(person.pk))
    return Principal(
        key=person.audit_key,
        name=str(person),
        way=way,
        address=address,
        person_id=person.pk,
        team_ids=teams,
        roles=roles,
    )


def service_account_principal(machine: ServiceAccount, *, address: str = "") -> Principal:
    """A service account with its grants, as a principal that came in with a token."""
    _, roles = _held(Grant.objects.filter(service_account=machine))
    return Principal(
        key=machine.audit_key,
        name=machine.name,
        way=Way.TOKEN,
        address=address,
        service_account_id=machine.pk,
        roles=roles,
    )


def _held(grants: QuerySet[Grant]) -> tuple[tuple[int, ...], tuple[HeldRole, ...]]:
    """The teams that hold some of `grants`, and all of them as roles; one query."""
    rows = list(grants.select_related("team").order_by("pk"))
    teams = sorted({grant.team_id for grant in rows if grant.team_id is not None})
    return tuple(teams), tuple(
        HeldRole(
            role=Role(grant.role),
            kind=ScopeKind(grant.scope_kind),
            operator=grant.operator_id,
            account=grant.account_id,
            signing_key=grant.signing_key_id,
            names=grant.names,
            tags=tuple(grant.tags.split("\n")) if grant.tags else (),
            team=grant.team.name if grant.team is not None else "",
        )
        for grant in rows
    )


def operator(principal: Principal, key: str) -> Operator:
    """The live operator with this public key."""
    found = Operator.objects.visible_to(principal).live().filter(public_key=key).first()
    if found is None:
        raise NotFound(f"There is no operator {key[:60]}.")
    return found


def account(principal: Principal, operator_key: str, key: str) -> Account:
    """The live account with this public key under that operator; its operator is loaded too."""
    found = (
        Account.objects.visible_to(principal)
        .live()
        .filter(public_key=key, operator__public_key=operator_key, operator__deleted_at=None)
        .select_related("operator")
        .first()
    )
    if found is None:
        raise NotFound(f"There is no account {key[:60]} under this operator.")
    return found


def user(principal: Principal, operator_key: str, account_key: str, key: str) -> User:
    """The live user with this public key in that account; account, operator and current token are loaded too."""
    found = (
        User.objects.visible_to(principal)
        .live()
        .filter(public_key=key, account__public_key=account_key, operator__public_key=operator_key)
        .filter(account__deleted_at=None, operator__deleted_at=None)
        .select_related("account__operator", "token")
        .first()
    )
    if found is None:
        raise NotFound(f"There is no user {key[:60]} in this account.")
    return found


def role(principal: Principal, operator_key: str, account_key: str, key: str) -> Key:
    """The live role with this public key in that account; account, operator and terms are loaded too.

    Who holds something on the role alone sees it, and nothing else of its account.
    """
    found = issuing_roles.by_keys(operator_key, account_key, key)
    if found is not None:
        where = Scope(operator=found.operator_id, account=found.account_id, signing_key=found.pk)
        found = found if any(held.covers(where) for held in principal.roles) else None
    if found is None:
        raise NotFound(f"There is no role {key[:60]} in this account.")
    return found


def cluster(principal: Principal, operator_key: str, number: int) -> Cluster:
    """The live cluster with this number under that operator; operator, system user and its account are loaded too."""
    found = (
        Cluster.objects.visible_to(principal)
        .live()
        .filter(pk=number, operator__public_key=operator_key, operator__deleted_at=None)
        .select_related("operator", "user__account__operator", "user__operator", "user__token")
        .first()
    )
    if found is None:
        raise NotFound(f"There is no cluster {number} under this operator.")
    return found


def moved(principal: Principal, keys: Mapping[str, Any]) -> dict[str, Any] | None:
    """The arguments of an address with former keys of operator, account and user replaced by the present ones.

    Whatever was reissued keeps its old addresses by this. None: nothing in `keys` leads elsewhere.
    """
    found = dict(keys)
    held = Key.objects.filter(operator__deleted_at=None)
    if key := keys.get("operator_key"):
        rows = held.filter(
            public_key=key, kind="operator", operator__in=Operator.objects.visible_to(principal)
        )
        found["operator_key"] = rows.values_list("operator__public_key", flat=True).first() or key
    below = held.filter(operator__public_key=found.get("operator_key", ""))
    if key := keys.get("account_key"):
        accounts = Account.objects.visible_to(principal).live()
        rows = below.filter(public_key=key, kind="account", account__in=accounts)
        found["account_key"] = rows.values_list("account__public_key", flat=True).first() or key
    if key := keys.get("user_key"):
        users = User.objects.visible_to(principal).live()
        rows = below.filter(public_key=key, kind="user", user__in=users)
        found["user_key"] = rows.values_list("user__public_key", flat=True).first() or key
    return found if found != dict(keys) else None


def keys_of(row: Operator | Account | User) -> QuerySet[Key, Any]:
    """The keys that are or were the row's own, for a subquery; its signing keys come along, which are nobody's name."""
    if isinstance(row, Operator):
        held = Key.objects.filter(operator=row, account=None, kind="operator")
    elif isinstance(row, Account):
        held = Key.objects.filter(account=row, user=None, kind="account")
    else:
        held = Key.objects.filter(user=row)
    return held.values("public_key")


def _principal(request: HttpRequest) -> Principal:
    address = str(request.META.get("REMOTE_ADDR", ""))
    if not request.user.is_authenticated:
        return Principal.nobody(address)
    return person_principal(request.user, address=address)
