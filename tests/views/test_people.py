"""The first administrator's link."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from identities.models import AuditEvent, Person
from identities.services import people
from tests import make

pytestmark = pytest.mark.django_db
GOOD = {"username": "ann", "password": make.PASSWORD, "again": make.PASSWORD}


@pytest.fixture
def link() -> str:
    make.installation()
    return reverse("first-admin", args=[people.first_admin_token(principal=make.COMMAND)])


def test_the_link_makes_the_first_administrator_and_signs_them_in(link: str) -> None:
    browser = Client()
    page = browser.get(link).content.decode()
    assert "First administrator" in page
    assert "<form" in page
    answer = browser.post(link, GOOD, follow=True)
    assert answer.redirect_chain == [(reverse("dashboard"), 302)]
    assert "You administer this installation" in answer.content.decode()
    assert not people.needs_first_administrator()
    said = list(AuditEvent.objects.order_by("-seq").values_list("summary", flat=True)[:2])
    assert said == ["Signed in", "“ann” is the first administrator"]


def test_the_link_works_once(link: str) -> None:
    Client().post(link, GOOD)
    again = Client().get(link)
    assert again.status_code == 404
    assert reverse("account_login") in again.content.decode()
    assert Client().post(link, GOOD | {"username": "eve"}).status_code == 404
    assert Person.objects.count() == 1


def test_another_link_opens_nothing() -> None:
    make.installation()
    answer = Client().get(reverse("first-admin", args=["guessed"]))
    assert answer.status_code == 404
    assert "manage.py first_admin" in answer.content.decode()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"again": "another password than this"}, "The two passwords differ"),
        ({"password": "short", "again": "short"}, "too short"),
        ({"password": "1234567890987654321", "again": "1234567890987654321"}, "too common"),
        ({"username": ""}, "required"),
        ({"username": "   "}, ""),
    ],
)
def test_what_won_t_do_is_refused_and_the_link_still_works(
    link: str, typed: dict[str, str], said: str
) -> None:
    browser = Client()
    answer = browser.post(link, GOOD | typed)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert said in page
    assert GOOD["password"] not in page
    assert browser.post(link, GOOD).status_code == 302


def test_a_form_from_elsewhere_is_refused(link: str) -> None:
    assert Client(enforce_csrf_checks=True).post(link, GOOD).status_code == 403
    assert people.needs_first_administrator()
