"""People as owners keep them: added with a first password, edited, switched off and on again."""

from __future__ import annotations

from identities.claims import diff
from identities.errors import IdentityError
from identities.lookup import NotFound
from identities.models import ApiToken, Person
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit, clock, ownership, people, sessions


def add(*, principal: Principal, username: str, password: str, name: str = "", email: str = "") -> Person:
    """Add somebody who may sign in and holds no role yet.

    Raises: Forbidden. IdentityError: a name or password that won't do.
    """
    with ownership.guarded(principal, Action.PERSON_EDIT):
        person = people.add_person(username=username, password=password, role=None)
        person.name, person.email = name, email
        person.save(update_fields=["name", "email"])
        audit.record(principal, Action.PERSON_EDIT, [people.target(person)], f"Added “{person}”")
    return person


def edit(*, principal: Principal, person: Person, name: str, email: str) -> Person:
    """Change what somebody is called and where they are written to; what they sign in with stays.

    Raises: Forbidden, NotFound.
    """
    with ownership.guarded(principal, Action.PERSON_EDIT):
        row = _locked(person)
        if (row.name, row.email) == (name, email):
            return row
        before, held = str(row), {"name": row.name, "email": row.email}
        row.name, row.email = name, email
        row.save(update_fields=["name", "email"])
        done = f"Edited “{row}”" if str(row) == before else f"Renamed “{before}” to “{row}”"
        told = diff.diff(held, {"name": name, "email": email})
        audit.record(principal, Action.PERSON_EDIT, [people.target(row)], done, changes=told)
    return row


def deactivate(*, principal: Principal, person: Person) -> None:
    """Let somebody sign in no more: their sessions and API tokens open nothing from now on.

    Raises: Forbidden, NotFound. LockedOut: the last owner. IdentityError: oneself.
    """
    with ownership.guarded(principal, Action.PERSON_EDIT):
        row = _locked(person)
        if principal.person_id == row.pk:
            raise IdentityError("You can't switch yourself off. Another owner can.")
        if not row.is_active:
            return
        row.is_active = False
        row.save(update_fields=["is_active"])
        sessions.drop_all(row)
        ApiToken.objects.filter(person=row, revoked_at=None).update(revoked_at=clock.now())
        done = f"Switched “{row}” off, with sessions and tokens"
        audit.record(principal, Action.PERSON_EDIT, [people.target(row)], done)


def activate(*, principal: Principal, person: Person) -> None:
    """Let somebody sign in again, with what they held; tokens that ended stay ended.

    Raises: Forbidden, NotFound.
    """
    with ownership.guarded(principal, Action.PERSON_EDIT):
        row = _locked(person)
        if row.is_active:
            return
        row.is_active = True
        row.save(update_fields=["is_active"])
        audit.record(principal, Action.PERSON_EDIT, [people.target(row)], f"Let “{row}” sign in again")


def _locked(person: Person) -> Person:
    row = Person.objects.select_for_update().filter(pk=person.pk).first()
    if row is None:
        raise NotFound(f"There is no “{person}” any more.")
    return row
