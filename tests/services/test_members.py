"""People switched off and on: what ends with it, and who stays."""

from __future__ import annotations

from datetime import timedelta

import pytest

from identities.errors import IdentityError
from identities.lookup import person_principal
from identities.models import ApiToken, AuditEvent, Grant, Person, Team, TeamMember
from identities.policy.actions import Action
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role, ScopeKind
from identities.services import clock, members, ownership
from tests import make
from tests.together import at_once


@pytest.fixture
def unsealed(db: None) -> None:
    make.installation()


def tokens_of(person: Person) -> list[bool]:
    """Whether each API token of a person still counts."""
    return [token.revoked_at is None for token in ApiToken.objects.filter(person=person)]


def test_switching_somebody_off_ends_their_tokens_for_good(unsealed: None) -> None:
    owner, bob = make.person(), make.person(username="bob")
    later = clock.now() + timedelta(days=1)
    ApiToken.objects.create(
        person=bob, name="laptop", prefix="abcd", secret_hash="x", created_at=clock.now(), expires_at=later
    )
    members.deactivate(principal=person_principal(owner), person=bob)
    assert tokens_of(bob) == [False]
    assert not Person.objects.get(pk=bob.pk).is_active
    members.activate(principal=person_principal(owner), person=bob)
    assert Person.objects.get(pk=bob.pk).is_active
    assert tokens_of(bob) == [False]
    said = AuditEvent.objects.order_by("-seq").values_list("summary", flat=True)[:2]
    assert list(said) == ["Let “bob” sign in again", "Switched “bob” off, with sessions and tokens"]


def test_switching_off_twice_says_so_once(unsealed: None) -> None:
    owner, bob = person_principal(make.person()), make.person(username="bob")
    for _ in range(2):
        members.deactivate(principal=owner, person=bob)
        members.activate(principal=owner, person=make.person())
    assert AuditEvent.objects.filter(action=Action.PERSON_EDIT).count() == 1


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR])
def test_who_is_no_owner_switches_nobody_off_or_on(unsealed: None, role: Role) -> None:
    somebody, bob = make.principal(role), make.person(username="bob")
    for act in (members.deactivate, members.activate):
        with pytest.raises(Forbidden):
            act(principal=somebody, person=bob)


def test_the_last_owner_and_oneself_stay(unsealed: None) -> None:
    owner = make.person(username="owner")
    with pytest.raises(IdentityError, match="can't switch yourself off"):
        members.deactivate(principal=person_principal(owner), person=owner)
    with pytest.raises(IdentityError, match="nobody who owns"):
        members.deactivate(principal=make.COMMAND, person=owner)
    other = make.person(username="other")
    members.deactivate(principal=make.COMMAND, person=owner)
    with pytest.raises(IdentityError, match="nobody who owns"):
        members.deactivate(principal=make.COMMAND, person=other)


def test_an_owner_by_a_team_is_an_owner(unsealed: None) -> None:
    owner, member = make.person(username="owner"), make.person(None, username="member")
    team = Team.objects.create(name="Platform", created_at=clock.now())
    TeamMember.objects.create(team=team, person=member, created_at=clock.now())
    Grant.objects.create(
        team=team, role=Role.ADMINISTRATOR, scope_kind=ScopeKind.INSTALLATION, created_at=clock.now()
    )
    members.deactivate(principal=make.COMMAND, person=owner)
    assert list(ownership.owners()) == [member]
    with pytest.raises(IdentityError, match="nobody who owns"):
        members.deactivate(principal=make.COMMAND, person=member)


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_switch_each_other_off_at_once_leave_one() -> None:
    make.installation()
    ann, bob = make.person(username="ann"), make.person(username="bob")
    first, second = person_principal(ann), person_principal(bob)
    refused = at_once(
        lambda: members.deactivate(principal=first, person=bob),
        lambda: members.deactivate(principal=second, person=ann),
    )
    assert [type(error) for error in refused] == [Forbidden]
    assert ownership.owners().count() == 1
