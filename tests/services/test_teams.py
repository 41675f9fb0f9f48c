"""Teams and people, as owners keep them."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from identities import lookup
from identities.errors import IdentityError
from identities.lookup import NotFound
from identities.models import ApiToken, AuditEvent, Grant, Installation, Person, Team, TeamMember
from identities.policy.decisions import Forbidden
from identities.policy.principal import Principal, Role
from identities.services import clock, grants, members, teams
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def installed(db: None) -> Installation:
    return make.installation()


def last() -> str:
    return AuditEvent.objects.order_by("-seq").values_list("summary", flat=True)[0]


def test_a_team_is_made_renamed_and_deleted_and_the_activity_tells() -> None:
    team = teams.create(principal=make.COMMAND, name="Platform")
    assert last() == "Made the team “Platform”"
    teams.edit(principal=make.COMMAND, team=team, name="Base", description="They run it.")
    assert last() == "Renamed the team “Platform” to “Base”"
    number = AuditEvent.objects.count()
    teams.edit(principal=make.COMMAND, team=team, name="Base", description="They run it.")
    assert AuditEvent.objects.count() == number
    ann = make.person(None, username="ann")
    teams.add_member(principal=make.COMMAND, team=team, person=ann)
    assert last() == "Took “ann” into the team “Base”"
    grants.give(principal=make.COMMAND, holder=team, role=Role.VIEWER)
    assert lookup.person_principal(ann).roles
    teams.delete(principal=make.COMMAND, team=team)
    assert last() == "Deleted the team “Base” (1 members, 1 roles)"
    assert not lookup.person_principal(ann).roles
    assert not Grant.objects.filter(person=None).exists()
    with pytest.raises(NotFound):
        teams.edit(principal=make.COMMAND, team=team, name="Base", description="")


def test_names_of_teams_differ_by_more_than_case() -> None:
    teams.create(principal=make.COMMAND, name="Platform")
    other = teams.create(principal=make.COMMAND, name="Other")
    with pytest.raises(IdentityError, match="already"):
        teams.create(principal=make.COMMAND, name="PLATFORM")
    with pytest.raises(IdentityError, match="already"):
        teams.edit(principal=make.COMMAND, team=other, name="platform", description="")
    teams.edit(principal=make.COMMAND, team=other, name="OTHER", description="")


def test_somebody_is_in_a_team_once_and_leaves_it_once() -> None:
    team, ann = teams.create(principal=make.COMMAND, name="Platform"), make.person(None, username="ann")
    teams.add_member(principal=make.COMMAND, team=team, person=ann)
    with pytest.raises(IdentityError, match="already"):
        teams.add_member(principal=make.COMMAND, team=team, person=ann)
    teams.remove_member(principal=make.COMMAND, team=team, person=ann)
    assert last() == "Took “ann” out of the team “Platform”"
    number = AuditEvent.objects.count()
    teams.remove_member(principal=make.COMMAND, team=team, person=ann)
    assert AuditEvent.objects.count() == number


def test_whom_a_provider_put_into_a_team_leaves_it_there() -> None:
    team, ann = teams.create(principal=make.COMMAND, name="Platform"), make.person(None, username="ann")
    make.sign_on_provider("Corp", groups_claim="groups")
    TeamMember.objects.create(team=team, person=ann, managed_by="Corp", created_at=clock.now())
    with pytest.raises(IdentityError, match="group at “Corp”"):
        teams.remove_member(principal=make.COMMAND, team=team, person=ann)


def test_only_owners_keep_teams_and_people() -> None:
    team, ann = teams.create(principal=make.COMMAND, name="Platform"), make.person(None, username="ann")
    account = make.account()
    others: list[Principal] = [
        make.principal(Role.ADMINISTRATOR, operator=account.operator),
        make.principal(Role.ADMINISTRATOR, account=account),
        make.principal(Role.AUDITOR),
        make.principal(Role.VIEWER),
        make.principal(None),
    ]
    for who in others:
        for work in (
            lambda who=who: teams.create(principal=who, name="Mine"),
            lambda who=who: teams.edit(principal=who, team=team, name="Mine", description=""),
            lambda who=who: teams.delete(principal=who, team=team),
            lambda who=who: teams.add_member(principal=who, team=team, person=ann),
            lambda who=who: teams.remove_member(principal=who, team=team, person=ann),
            lambda who=who: members.add(principal=who, username="mine", password=make.PASSWORD),
            lambda who=who: members.edit(principal=who, person=ann, name="Mine", email=""),
            lambda who=who: members.deactivate(principal=who, person=ann),
            lambda who=who: members.activate(principal=who, person=ann),
        ):
            with pytest.raises(Forbidden):
                work()
    assert [str(each) for each in Team.objects.all()] == ["Platform"]
    assert Person.objects.get(pk=ann.pk).is_active


def test_who_is_switched_off_is_out_at_once_and_holds_it_all_again_when_switched_on() -> None:
    ann, browser = make.person(Role.VIEWER, username="ann"), Client()
    token = ApiToken.objects.create(
        person=ann, name="t", prefix="p", secret_hash="h", by_name="ann", created_at=clock.now()
    )
    browser.force_login(ann)
    assert browser.get(reverse("dashboard")).status_code == 200
    make.person(Role.ADMINISTRATOR)
    members.deactivate(principal=make.COMMAND, person=ann)
    assert last() == "Switched “ann” off, with sessions and tokens"
    assert browser.get(reverse("dashboard")).status_code == 302
    token.refresh_from_db()
    assert token.revoked_at is not None
    team = teams.create(principal=make.COMMAND, name="Platform")
    ann.refresh_from_db()
    with pytest.raises(IdentityError, match="may not sign in"):
        teams.add_member(principal=make.COMMAND, team=team, person=ann)
    with pytest.raises(IdentityError, match="switched off"):
        grants.give(principal=make.COMMAND, holder=ann, role=Role.AUDITOR)
    members.activate(principal=make.COMMAND, person=ann)
    assert last() == "Let “ann” sign in again"
    assert [held.role for held in lookup.person_principal(ann).roles] == [Role.VIEWER]
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_nobody_switches_themselves_off() -> None:
    owner = make.person(Role.ADMINISTRATOR, username="ann")
    make.person(Role.ADMINISTRATOR)
    with pytest.raises(IdentityError, match="yourself"):
        members.deactivate(principal=lookup.person_principal(owner), person=owner)


def test_somebody_is_added_with_a_password_and_no_role() -> None:
    ann = members.add(
        principal=make.COMMAND, username="ann", password=make.PASSWORD, name="Ann", email="ann@example.com"
    )
    assert last() == "Added “Ann (ann)”"
    assert not lookup.person_principal(ann).roles
    assert ann.check_password(make.PASSWORD)
    for username, password, said in (("ANN", make.PASSWORD, "taken"), ("bob", "short", "too short")):
        with pytest.raises(IdentityError, match=said):
            members.add(principal=make.COMMAND, username=username, password=password)
    members.edit(principal=make.COMMAND, person=ann, name="Anna", email="ann@example.com")
    assert last() == "Renamed “Ann (ann)” to “Anna (ann)”"
    assert make.PASSWORD not in str(list(AuditEvent.objects.values()))
