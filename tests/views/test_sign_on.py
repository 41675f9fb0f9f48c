"""Signing in through a provider: a real one on loopback says who it is, and we say who comes in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.test import Client
from django.urls import reverse

from identities.models import AuditEvent, Person, SignOnIdentity, SignOnProvider
from identities.services import second_factors
from tests import make
from tests.oidcprovider import Provider
from tests.views.sign_on_pages import added, come_back, is_in, leave, said, through

pytestmark = pytest.mark.django_db


def test_the_sign_in_page_has_a_button_for_each_provider_that_is_on(idp: Provider) -> None:
    row = added(idp)
    added(idp, name="Asleep", is_enabled=False)
    page = said(Client().get(reverse("account_login"), {"next": "/operators/"}))
    assert "Sign in with Company" in page
    assert reverse("sign-on", args=[row.pk]) in page
    assert 'name="next" value="/operators/"' in page
    assert "Asleep" not in page


def test_whom_the_provider_knows_comes_in_as_a_new_person_without_password_or_role(idp: Provider) -> None:
    row, browser = added(idp), Client()
    asked = leave(browser, row, next_page="/operators/")
    assert asked["redirect_uri"] == f"{settings.NSCWEB_URL}{reverse('sign-on-back', args=[row.pk])}"
    assert (asked["code_challenge_method"], asked["scope"]) == ("S256", "openid profile email")
    answer = come_back(browser, idp.authorize(asked))
    assert answer["Location"] == "/operators/"
    person = Person.objects.get(username="dana")
    assert (person.name, person.has_usable_password(), person.grants.count()) == ("Dana Doe", False, 0)
    assert is_in(browser)
    assert browser.get("/operators/").status_code == 403
    event = AuditEvent.objects.get(action="person.sign-on")
    assert event.summary == "“Dana Doe (dana)” came in through “Company” for the first time"
    assert event.actor == person.audit_key
    again = Client()
    through(again, row, idp)
    assert is_in(again)
    assert Person.objects.count() == 1
    assert SignOnIdentity.objects.get().subject == idp.person["sub"]


def test_the_sessions_row_gives_neither_state_nor_nonce_nor_verifier_away(idp: Provider) -> None:
    row, browser = added(idp), Client()
    asked = leave(browser, row)
    kept = json.dumps(dict(browser.session))
    assert asked["state"] not in kept
    assert asked["nonce"] not in kept
    assert asked["state"] != asked["nonce"]


def test_somebody_of_the_same_name_or_address_is_somebody_else(idp: Provider) -> None:
    row, known = added(idp), make.person(username="dana")
    Person.objects.update(email="dana@example.com")
    idp.person |= {"email": "dana@example.com", "email_verified": True}
    through(Client(), row, idp)
    made = SignOnIdentity.objects.select_related("person").get().person
    assert made != known
    assert made.username == "dana-2"
    assert not made.grants.exists()


def test_only_those_who_were_let_in_come_in_where_the_provider_makes_no_people(idp: Provider) -> None:
    browser = Client()
    answer = through(browser, added(idp, creates_people=False), idp)
    assert answer.status_code == 403
    assert "nobody here has let you in" in said(answer)
    assert not Person.objects.exists()
    assert "nobody here has let you in" in AuditEvent.objects.get(action="person.sign-in-failed").summary


@pytest.mark.parametrize(
    ("told", "comes_in"),
    [
        ({"email": "dana@example.com", "email_verified": True}, True),
        ({"email": "dana@EXAMPLE.com", "email_verified": True}, True),
        ({"email": "dana@example.com", "email_verified": False}, False),
        ({"email": "dana@example.com"}, False),
        ({"email": "dana@example.com.evil.org", "email_verified": True}, False),
        ({"email": "dana@evil.org", "email_verified": True}, False),
        ({}, False),
    ],
    ids=str,
)
def test_only_verified_addresses_of_the_allowed_domains_come_in(
    idp: Provider, told: dict[str, Any], comes_in: bool
) -> None:
    idp.person |= told
    browser = Client()
    through(browser, added(idp, email_domains=("example.com",)), idp)
    assert is_in(browser) is comes_in
    assert Person.objects.exists() is comes_in


def test_somebody_who_is_switched_off_stays_out(idp: Provider) -> None:
    row, browser = added(idp), Client()
    through(browser, row, idp)
    Person.objects.update(is_active=False)
    assert browser.get("/").status_code == 302  # an open session opens nothing either
    again = Client()
    assert "switched off" in said(through(again, row, idp))
    assert not is_in(again)


def test_a_provider_that_is_off_or_gone_is_no_way_in(idp: Provider) -> None:
    row, browser = added(idp), Client()
    address = idp.authorize(leave(browser, row))
    SignOnProvider.objects.update(is_enabled=False)
    assert come_back(browser, address).status_code == 404
    assert browser.post(reverse("sign-on", args=[row.pk])).status_code == 404
    assert not is_in(browser)


def test_a_provider_that_does_not_answer_is_told_in_plain_words(idp: Provider) -> None:
    row = added(idp)
    idp.answers["/.well-known/openid-configuration"] = (500, {}, "s3cret")
    answer = Client().post(reverse("sign-on", args=[row.pk]))
    assert answer.status_code == 403
    assert "answered 500" in said(answer)
    assert "s3cret" not in said(answer)


def test_a_sign_in_is_begun_by_a_form_of_ours_alone_and_not_without_end(idp: Provider) -> None:
    row = added(idp)
    url = reverse("sign-on", args=[row.pk])
    assert Client().get(url).status_code == 405
    assert Client(enforce_csrf_checks=True).post(url).status_code == 403
    answers = [Client().post(url).status_code for _ in range(61)]
    assert answers[0] == 200
    assert answers[-1] == 429


@pytest.mark.parametrize(
    "next_page",
    ["https://evil.example.com/", "//evil.example.com/", "/\\evil.example.com", "javascript:x", ""],
)
def test_nobody_is_led_elsewhere_after_signing_in(idp: Provider, next_page: str) -> None:
    row, browser = added(idp), Client()
    answer = come_back(browser, idp.authorize(leave(browser, row, next_page=next_page)))
    assert answer["Location"] == "/"


def test_signing_in_anew_gives_the_session_another_key(idp: Provider) -> None:
    row, browser = added(idp), Client()
    address = idp.authorize(leave(browser, row))
    before = browser.session.session_key
    come_back(browser, address)
    assert browser.session.session_key != before


def test_the_second_step_is_asked_for_after_the_provider_too(idp: Provider) -> None:
    row, browser = added(idp), Client()
    through(browser, row, idp)
    person = SignOnIdentity.objects.get().person
    second_factors.keep(
        Authenticator(user=person, type=second_factors.TOTP), {"secret": "A" * 32, "step": 0, "name": "app"}
    )
    again = Client()
    assert through(again, row, idp)["Location"].startswith(reverse("mfa_authenticate"))
    assert not is_in(again)
