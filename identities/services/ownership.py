"""Who owns this installation, and what no change of people, teams or roles may do: lock out its author or the last
owner.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import transaction
from django.db.models import Q, QuerySet

from identities import lookup
from identities.errors import IdentityError
from identities.models import Grant, Installation, Person, ServiceAccount, SignOnIdentity, TeamMember
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Role, Scope, ScopeKind


class LockedOut(IdentityError):
    """The change would leave nobody, or not its author, who could take it back."""

    code = "locked-out"


def owners() -> QuerySet[Person]:
    """Everybody who may sign in and owns this installation, by a grant of their own or of a team."""
    owning = Grant.objects.filter(role=Role.ADMINISTRATOR, scope_kind=ScopeKind.INSTALLATION)
    return Person.objects.filter(is_active=True).filter(
        Q(pk__in=owning.filter(person__isnull=False).values("person"))
        | Q(pk__in=TeamMember.objects.filter(team__in=owning.values("team")).values("person"))
    )


def able(people: QuerySet[Person]) -> QuerySet[Person]:
    """Those of `people` who surely have a way to sign in: a password, or a provider that is on."""
    linked = SignOnIdentity.objects.filter(provider__is_enabled=True, provider__deleted_at=None)
    return people.filter(
        ~Q(password__startswith=UNUSABLE_PASSWORD_PREFIX) | Q(pk__in=linked.values("person"))
    )


@contextmanager
def guarded(principal: Principal, action: Action, scope: Scope | None = None) -> Iterator[Principal]:
    """A transaction around a change of who may do what, one at a time; gives what `principal` holds by now.

    Raises:
        Forbidden: `principal` may not (any longer) take `action`.
        LockedOut: the change would lock out its author or the last owner; nothing of it stays.
    """
    decisions.require(principal, action, scope)
    with transaction.atomic():
        with kept():
            now = current(principal)
            decisions.require(now, action, scope)
            comes_in = _comes_in(now)
            yield now
        _keep_author(now, current(principal))
        if comes_in and not _comes_in(now):
            raise LockedOut("This would take your own only way to sign in. Set a password first.")


@contextmanager
def kept() -> Iterator[None]:
    """Whatever the block does, one at a time, in its caller's transaction: an owner stays, and one who can sign in.

    Raises:
        LockedOut: none would be left.
    """
    wait_for_turn()
    owned, reached = owners().exists(), able(owners()).exists()
    yield
    if owned and not owners().exists():
        raise LockedOut(
            "This would leave nobody who owns the installation. Make somebody else an owner first."
        )
    if reached and not able(owners()).exists():
        raise LockedOut(
            "This would leave no owner of the installation who can sign in. Give another owner a way in first."
        )


def wait_for_turn() -> None:
    """Lock the installation until the transaction ends: one changes who owns it at a time.

    Whoever locks people or what hangs on them too does so after this, else two may wait for each other.
    """
    Installation.objects.select_for_update().get()


def current(principal: Principal) -> Principal:
    """The same principal with what it holds in this moment, by the rows of the database."""
    if principal.person_id is not None:
        person = Person.objects.filter(pk=principal.person_id, is_active=True).first()
        if person is None:
            return replace(principal, roles=())
        held = lookup.person_principal(person)
    elif principal.service_account_id is not None:
        machine = ServiceAccount.objects.filter(pk=principal.service_account_id, is_active=True).first()
        if machine is None:
            return replace(principal, roles=())
        held = lookup.service_account_principal(machine)
    else:
        return principal
    return replace(principal, roles=held.roles, team_ids=held.team_ids)


def _comes_in(principal: Principal) -> bool:
    return able(Person.objects.filter(pk=principal.person_id or 0, is_active=True)).exists()


def _keep_author(before: Principal, after: Principal) -> None:
    """Refuse a change after which its author could not take it back."""
    for held in before.roles:
        could = decisions.decide(before, Action.GRANT_EDIT, held.scope)
        can = decisions.decide(after, Action.GRANT_EDIT, held.scope)
        if isinstance(could, decisions.Allowed) and isinstance(can, decisions.Denied):
            raise LockedOut(
                "This would take your own right to give and take roles here, and you could not undo it. "
                "Somebody else who may can do it."
            )
