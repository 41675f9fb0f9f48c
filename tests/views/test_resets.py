"""Pages of a forgotten password."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from identities.models import Job, Person
from identities.policy.principal import Role
from identities.services import resets
from tests import make
from tests.pages import Visitor
from tests.services.test_resets import LINK, NEW, work

pytestmark = pytest.mark.django_db
FORGOTTEN = "/account/forgotten/"


@pytest.fixture
def alice(settings: Any) -> Person:
    settings.EMAIL_CONFIGURED = True
    make.installation()
    person = make.person(username="alice")
    Person.objects.filter(pk=person.pk).update(email="alice@example.com")
    return Person.objects.get(pk=person.pk)


def test_from_the_sign_in_page_to_a_new_password(alice: Person) -> None:
    visitor = Visitor()
    page = visitor.open(visitor.open("/account/login/").link("Forgotten your password?"))
    page = visitor.send(page, name="alice")
    assert "a link is on its way" in page.text
    work()
    link = LINK.search(str(mail.outbox[0].body))
    assert link is not None
    page = visitor.open(link[0].removeprefix("http://localhost:8000"))
    assert "For alice." in page.text
    page = visitor.send(page, password=NEW, again=NEW)
    assert "sign in with it" in page.text
    page = visitor.send(page, login="alice", password=NEW)
    assert page.url == "/"


def test_known_and_unknown_are_answered_alike(alice: Person) -> None:
    answers = [Client().post(FORGOTTEN, {"name": name}) for name in ("alice", "bob", "alice@example.com")]
    pages = {answer.content.decode() for answer in answers}
    assert len(pages) == 1
    assert {answer.status_code for answer in answers} == {200}


def test_without_mail_it_says_whom_to_ask(alice: Person, settings: Any) -> None:
    settings.EMAIL_CONFIGURED = False
    visitor = Visitor()
    page = visitor.open(FORGOTTEN)
    assert "Ask an owner of this installation" in page.text
    assert "manage.py reset_password" in page.text
    visitor.client.post(FORGOTTEN, {"name": "alice"})
    assert not Job.objects.exists()


def test_an_empty_name_is_refused(alice: Person) -> None:
    assert Client().post(FORGOTTEN, {"name": " "}).status_code == 422


def test_asking_is_throttled_by_address_and_looks_the_same(alice: Person) -> None:
    pages = {Client().post(FORGOTTEN, {"name": f"n{number}"}).content.decode() for number in range(25)}
    assert len(pages) == 1
    assert Job.objects.count() == 20


@pytest.mark.parametrize("path", ["0/x", "1/x", "1/c0ffee-00", "99999999999999999999/x"])
def test_a_link_that_opens_nothing_says_so(alice: Person, path: str) -> None:
    answer = Client().get(f"/account/new-password/{path}/")
    assert answer.status_code == 404
    assert "This link opens nothing" in answer.content.decode()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"password": NEW, "again": "another one than this"}, "The two passwords differ"),
        ({"password": "short", "again": "short"}, "too short"),
        ({}, "required"),
    ],
)
def test_what_won_t_do_is_refused_and_the_link_still_works(
    alice: Person, typed: dict[str, str], said: str
) -> None:
    url = resets.link_for(principal=make.COMMAND, person=alice).removeprefix("http://localhost:8000")
    answer = Client().post(url, typed)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert Client().post(url, {"password": NEW, "again": NEW}).status_code == 302


def test_a_form_from_elsewhere_is_refused(alice: Person) -> None:
    url = resets.link_for(principal=make.COMMAND, person=alice).removeprefix("http://localhost:8000")
    answer = Client(enforce_csrf_checks=True).post(url, {"password": NEW, "again": NEW})
    assert answer.status_code == 403
    assert Person.objects.get().check_password(make.PASSWORD)


def test_an_owner_makes_a_link_that_is_shown_once(alice: Person) -> None:
    bob = make.person(Role.VIEWER, username="bob")
    visitor = Visitor(make.client())
    page = visitor.open(visitor.open(reverse("person", args=[bob.pk])).link("New password"))
    assert "Hand it over" in page.text
    page = visitor.send(page, action="password-link")
    link = LINK.search(page.text)
    assert link is not None
    assert resets.opens(int(link[1]), link[2]) == bob
    again = visitor.open(reverse("person-password-link", args=[bob.pk]))
    assert link[2] not in again.html


def test_nobody_else_makes_links(alice: Person) -> None:
    url = reverse("person-password-link", args=[alice.pk])
    for role in (Role.VIEWER, Role.AUDITOR):
        assert make.client(role).post(url).status_code == 403
