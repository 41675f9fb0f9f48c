"""Teams: people who hold roles together. Owners make them and say who is in."""

from __future__ import annotations

from identities.errors import IdentityError
from identities.lookup import NotFound
from identities.models import Person, SignOnProvider, Team, TeamMember
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit, clock, ownership, people


def create(*, principal: Principal, name: str, description: str = "") -> Team:
    """Make a team without members.

    Raises: Forbidden. IdentityError: the name is taken.
    """
    with ownership.guarded(principal, Action.TEAM_EDIT):
        _refuse_taken(name)
        team = Team.objects.create(name=name, description=description, created_at=clock.now())
        audit.record(principal, Action.TEAM_EDIT, [target(team)], f"Made the team “{team}”")
    return team


def edit(*, principal: Principal, team: Team, name: str, description: str) -> Team:
    """Give a team another name or description.

    Raises: Forbidden, NotFound. IdentityError: the name is taken.
    """
    with ownership.guarded(principal, Action.TEAM_EDIT):
        row = _locked(team)
        if (row.name, row.description) == (name, description):
            return row
        _refuse_taken(name, besides=row)
        before = row.name
        row.name, row.description = name, description
        row.save(update_fields=["name", "description"])
        done = f"Edited the team “{row}”" if name == before else f"Renamed the team “{before}” to “{row}”"
        audit.record(principal, Action.TEAM_EDIT, [target(row)], done)
    return row


def delete(*, principal: Principal, team: Team) -> None:
    """Delete a team; what its members held by it alone is theirs no more.

    Raises: Forbidden, NotFound. LockedOut: it made its author, or the last owner, an owner.
    """
    with ownership.guarded(principal, Action.TEAM_EDIT):
        row = _locked(team)
        told = target(row)
        members, roles = row.members.count(), row.grants.count()
        row.delete()
        summary = f"Deleted the team “{told.name}” ({members} members, {roles} roles)"
        audit.record(principal, Action.TEAM_EDIT, [told], summary)


def add_member(*, principal: Principal, team: Team, person: Person) -> None:
    """Take somebody into a team.

    Raises: Forbidden, NotFound. IdentityError: they are in it, or may not sign in.
    """
    with ownership.guarded(principal, Action.TEAM_EDIT):
        row = _locked(team)
        if not Person.objects.filter(pk=person.pk, is_active=True).exists():
            raise IdentityError(f"“{person}” may not sign in: switch them on first.", field="person")
        if TeamMember.objects.filter(team=row, person=person).exists():
            raise IdentityError(f"“{person}” is in “{row}” already.", field="person")
        TeamMember.objects.create(team=row, person=person, created_at=clock.now())
        summary = f"Took “{person}” into the team “{row}”"
        audit.record(principal, Action.TEAM_EDIT, [target(row), people.target(person)], summary)


def remove_member(*, principal: Principal, team: Team, person: Person) -> None:
    """Take somebody out of a team.

    Raises: Forbidden, NotFound. LockedOut. IdentityError: a sign-on provider put them there.
    """
    with ownership.guarded(principal, Action.TEAM_EDIT):
        row = _locked(team)
        member = TeamMember.objects.filter(team=row, person=person).first()
        if member is None:  # somebody was faster
            return
        if member.managed_by in leading_providers():
            raise IdentityError(
                f"“{person}” is in “{row}” by their group at “{member.managed_by}”, and would come back at the next "
                "sign-in: take them out of the group there."
            )
        member.delete()
        summary = f"Took “{person}” out of the team “{row}”"
        audit.record(principal, Action.TEAM_EDIT, [target(row), people.target(person)], summary)


def leading_providers() -> frozenset[str]:
    """The names of the providers that put people into teams now: whoever is taken out by hand comes back by them."""
    rows = SignOnProvider.objects.offered().exclude(groups_claim="")
    return frozenset(rows.values_list("name", flat=True))


def target(team: Team) -> audit.Target:
    """How the audit names a team."""
    return audit.Target(kind="team", key=team.audit_key, name=team.name)


def _locked(team: Team) -> Team:
    row = Team.objects.select_for_update().filter(pk=team.pk).first()
    if row is None:
        raise NotFound(f"There is no team “{team}” any more.")
    return row


def _refuse_taken(name: str, besides: Team | None = None) -> None:
    if not name:
        raise IdentityError("A name is needed.", field="name")
    taken = Team.objects.filter(name__iexact=name)
    if (taken.exclude(pk=besides.pk) if besides is not None else taken).exists():
        raise IdentityError(f"There is a team “{name}” already. Choose another name.", field="name")
