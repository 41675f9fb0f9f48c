"""Found or not found, for pages, API and commands alike: what somebody may not see does not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from identities.errors import IdentityError
from identities.models import Account, Grant, Operator, Person, User
from identities.policy.principal import HeldRole, Principal, Role, ScopeKind, Way

if TYPE_CHECKING:
    from django.http import HttpRequest


class NotFound(IdentityError):
    """No such object, or none that this principal may see."""

    code = "not-found"


class Moved(NotFound):
    """The user is there, but has had another key since: `key` is the one it has now."""

    code = "moved"

    def __init__(self, found: User) -> None:
        super().__init__(f"“{found.name}” has had a new key since. Open its page again.")
        self.key = found.public_key


def principal_for(request: HttpRequest) -> Principal:
    """The signed-in person of `request` with their grants (one query, kept on the request)."""
    kept: Principal | None = getattr(request, "principal", None)
    if kept is None:
        kept = _principal(request)
        request.principal = kept  # type: ignore[attr-defined]  # kept for this request's later callers
    return kept


def person_principal(person: Person, *, address: str = "", way: Way = Way.PAGE) -> Principal:
    """A person with their grants, as a principal."""
    held = Grant.objects.filter(person=person).values_list("role", "scope_kind", "operator_id", "account_id")
    return Principal(
        key=person.audit_key,
        name=str(person),
        way=way,
        address=address,
        person_id=person.pk,
        roles=tuple(
            HeldRole(role=Role(role), kind=ScopeKind(kind), operator=operator, account=account)
            for role, kind, operator, account in held
        ),
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
    """The live user with this public key in that account; account, operator and current token are loaded too.

    Raises:
        Moved: it had this key before. NotFound: nobody ever had.
    """
    near = (
        User.objects.visible_to(principal)
        .live()
        .filter(account__public_key=account_key, operator__public_key=operator_key)
        .filter(account__deleted_at=None, operator__deleted_at=None)
        .select_related("account__operator", "token")
    )
    found = near.filter(public_key=key).first()
    if found is None:
        now_another = near.filter(keys__public_key=key).first()
        if now_another is not None:
            raise Moved(now_another)
        raise NotFound(f"There is no user {key[:60]} in this account.")
    return found


def _principal(request: HttpRequest) -> Principal:
    address = str(request.META.get("REMOTE_ADDR", ""))
    if not request.user.is_authenticated:
        return Principal.nobody(address)
    return person_principal(request.user, address=address)
