"""Pages of people and teams."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from identities import lookup
from identities.models import AuditEvent, Person, Team, TeamMember
from identities.policy.principal import Role
from identities.services import clock, teams
from tests import make
from tests.pages import Visitor

pytestmark = pytest.mark.django_db
NEW = {
    "username": "ann",
    "name": "Ann",
    "email": "ann@example.com",
    "password": make.PASSWORD,
    "again": make.PASSWORD,
}


@pytest.fixture
def owner() -> Visitor:
    return Visitor(make.client())


def test_somebody_is_added_given_a_team_and_signs_in(owner: Visitor) -> None:
    team = make.staff(Role.VIEWER, "Readers").team
    page = owner.open(reverse("people"))
    answer = owner.send(owner.open(page.link("Add a person")), **NEW)
    assert "Added “Ann (ann)”. They hold no role yet" in answer.text
    ann = Person.objects.get(username="ann")
    assert "None: they see nothing." in owner.open(reverse("person", args=[ann.pk])).text
    page = owner.open(reverse("team-detail", args=[team.pk]))
    asked = owner.send(owner.open(page.link("Add a member")), person="ann@example.com")
    assert "nobody is known by an address here" in asked.text
    answer = owner.send(asked, person="ann")
    assert "“Ann (ann)” is in “Readers” now." in answer.text
    browser = Client()
    assert browser.login(username="ann", password=make.PASSWORD)
    assert browser.get(reverse("dashboard")).status_code == 200
    page = owner.open(reverse("person", args=[ann.pk]))
    assert "Viewer of the installation" in page.text
    assert page.link("Readers").endswith(reverse("team-detail", args=[team.pk]))
    assert make.PASSWORD not in page.html


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"username": "TAKEN"}, "username", "taken"),
        ({"username": ""}, "username", "required"),
        ({"email": "no address"}, "email", "valid email"),
        ({"name": "a\x07b"}, "name", "cannot be seen"),
        ({"password": "short", "again": "short"}, "password", "too short"),
        ({"again": "another one than that"}, "again", "differ"),
    ],
)
def test_what_is_wrong_of_a_new_person_is_told_at_its_field(
    owner: Visitor, typed: dict[str, str], field: str, said: str
) -> None:
    make.person(None, username="taken")
    before = Person.objects.count()
    answer = owner.client.post(reverse("person-create"), NEW | typed)
    assert answer.status_code == 422
    assert said in " ".join(answer.context["form"].errors[field])
    assert make.PASSWORD not in answer.content.decode()
    assert Person.objects.count() == before


def test_somebody_is_edited_switched_off_and_on(owner: Visitor) -> None:
    ann = make.person(Role.VIEWER, username="ann")
    here = reverse("person", args=[ann.pk])
    answer = owner.send(owner.open(reverse("person-edit", args=[ann.pk])), name="Anna", email="a@example.com")
    assert "Saved “Anna (ann)”." in answer.text
    asked = owner.open(owner.open(here).link("Switch off"))
    assert "Creds that they took away go on working" in asked.text
    assert "Switched “Anna (ann)” off." in owner.send(asked, action=asked.url).text
    assert not Person.objects.get(pk=ann.pk).is_active
    assert "Switched off" in owner.open(reverse("people")).text
    asked = owner.open(owner.open(here).link("Switch on"))
    assert "may sign in again" in owner.send(asked, action=asked.url).text
    assert Person.objects.get(pk=ann.pk).is_active


def test_the_last_owner_is_not_switched_off(owner: Visitor) -> None:
    other = make.person(username="bob")
    me = Person.objects.exclude(pk=other.pk).get()
    page = owner.open(reverse("person", args=[me.pk]))
    assert "Switch off" not in page.text
    answer = owner.client.post(reverse("person-deactivate", args=[me.pk]))
    assert answer.status_code == 422
    assert "can’t switch yourself off" in answer.content.decode().replace("&#x27;", "’")


def test_a_team_is_made_renamed_and_deleted(owner: Visitor) -> None:
    page = owner.open(reverse("teams"))
    assert "No teams yet" in page.text
    answer = owner.send(owner.open(page.link("New team")), name="Platform", description="They run it.")
    assert "Made the team “Platform”." in answer.text
    team = Team.objects.get()
    answer = owner.send(owner.open(reverse("team-edit", args=[team.pk])), name="Base")
    assert "Saved the team “Base”." in answer.text
    assert "They run it." in answer.text
    confirm = owner.open(reverse("team-delete", args=[team.pk]))
    assert owner.send(confirm, confirm="Platform").status == 422
    assert "Deleted the team “Base”." in owner.send(confirm, confirm="Base").text
    assert not Team.objects.exists()


@pytest.mark.parametrize("typed", ["", "TAKEN", "a\x00b", "x" * 151])
def test_a_bad_name_of_a_team_is_refused(owner: Visitor, typed: str) -> None:
    teams.create(principal=make.COMMAND, name="taken")
    number = AuditEvent.objects.count()
    answer = owner.client.post(reverse("team-create"), {"name": typed})
    assert answer.status_code == 422
    assert "name" in answer.context["form"].errors
    assert AuditEvent.objects.count() == number


def test_a_member_leaves_by_a_question(owner: Visitor) -> None:
    held = make.staff(Role.VIEWER, "Readers")
    page = owner.open(reverse("team-detail", args=[held.team.pk]))
    asked = owner.open(page.link(reverse("team-member-remove", args=[held.team.pk, held.person.pk])))
    assert "no more" in owner.send(asked, action=asked.url).text
    assert lookup.person_principal(held.person).roles == ()
    gone = owner.client.get(reverse("team-member-remove", args=[held.team.pk, held.person.pk]))
    assert gone.status_code == 404


def test_whom_a_provider_manages_is_not_offered_to_be_taken_out(owner: Visitor) -> None:
    held = make.staff(Role.VIEWER, "Readers")
    ann = make.person(None, username="ann")
    provider = make.sign_on_provider("Corp", groups_claim="groups")
    TeamMember.objects.create(team=held.team, person=ann, managed_by="Corp", created_at=clock.now())
    page = owner.open(reverse("team-detail", args=[held.team.pk]))
    url = reverse("team-member-remove", args=[held.team.pk, ann.pk])
    assert "by Corp" in page.text
    assert url not in page.html
    assert owner.client.post(url).status_code == 422
    provider.is_enabled = False
    provider.save()
    assert url in owner.open(reverse("team-detail", args=[held.team.pk])).html
    assert owner.client.post(url).status_code == 302


@pytest.mark.parametrize("typed", ["", "zoe", "ann@example.com", "switched-off"])
def test_who_can_not_be_a_member_is_told_at_the_field(owner: Visitor, typed: str) -> None:
    team = teams.create(principal=make.COMMAND, name="Platform")
    for name in ("ann", "other"):  # two with one address: nobody knows which is meant
        Person.objects.filter(pk=make.person(None, username=name).pk).update(email="ann@example.com")
    Person.objects.filter(pk=make.person(None, username="switched-off").pk).update(is_active=False)
    answer = owner.client.post(reverse("team-member-add", args=[team.pk]), {"person": typed})
    assert answer.status_code == 422
    assert answer.context["form"].errors["person"]
    assert not TeamMember.objects.exists()


def test_numbers_of_nobody_lead_nowhere(owner: Visitor) -> None:
    for name in ("person", "person-edit", "person-deactivate", "person-activate"):
        assert owner.client.get(reverse(name, args=[999])).status_code == 404
    for name in ("team-detail", "team-edit", "team-delete", "team-member-add"):
        assert owner.client.get(reverse(name, args=[999])).status_code == 404
