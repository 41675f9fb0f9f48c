"""Whoever is signed in links a provider to their account, unlinks it, and proves by it who they are."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from identities.models import AuditEvent, SignOnIdentity
from identities.policy.principal import Role
from tests import make
from tests.oidcprovider import Provider
from tests.views.sign_on_pages import added, come_back, leave, said, through

pytestmark = pytest.mark.django_db


def test_a_signed_in_person_links_their_account_and_comes_in_by_it(idp: Provider) -> None:
    row = added(idp, creates_people=False)
    ann = make.person(username="ann")
    browser = Client()
    browser.force_login(ann)
    page = said(browser.get(reverse("my-sign-on")))
    assert reverse("my-sign-on-link", args=[row.pk]) in page
    asked = leave(browser, row, url=reverse("my-sign-on-link", args=[row.pk]))
    assert asked["prompt"] == "login"
    assert come_back(browser, idp.authorize(asked))["Location"] == reverse("my-sign-on")
    assert SignOnIdentity.objects.get().person == ann
    assert AuditEvent.objects.get(action="person.link-identity").actor == ann.audit_key
    other = Client()
    through(other, row, idp)
    assert other.session["_auth_user_id"] == str(ann.pk)


def test_an_account_of_somebody_else_is_not_taken_over(idp: Provider) -> None:
    row = added(idp)
    through(Client(), row, idp)
    browser = Client()
    browser.force_login(make.person(username="ann"))
    asked = leave(browser, row, url=reverse("my-sign-on-link", args=[row.pk]))
    answer = come_back(browser, idp.authorize(asked))
    assert "linked to somebody else" in said(answer)
    assert SignOnIdentity.objects.get().person.username == "dana"


def test_whoever_signed_out_meanwhile_links_nothing(idp: Provider) -> None:
    row = added(idp)
    browser = Client()
    browser.force_login(make.person(username="ann"))
    address = idp.authorize(leave(browser, row, url=reverse("my-sign-on-link", args=[row.pk])))
    session = browser.session
    kept = session["sign_on"]
    browser.force_login(make.person(username="eve"))
    session = browser.session
    session["sign_on"] = kept
    session.save()
    assert "under way in this browser" in said(come_back(browser, address))
    assert not SignOnIdentity.objects.exists()


def test_the_last_way_in_stays(idp: Provider) -> None:
    row, browser = added(idp), Client()
    through(browser, row, idp)
    held = SignOnIdentity.objects.get()
    page = browser.post(reverse("my-sign-on-unlink", args=[held.pk]), follow=True)
    assert "your only way to sign in" in said(page)
    assert SignOnIdentity.objects.exists()
    held.person.set_password(make.PASSWORD)
    held.person.save()
    browser.force_login(held.person)
    page = browser.post(reverse("my-sign-on-unlink", args=[held.pk]), follow=True)
    assert "lets you in no more" in said(page)
    assert not SignOnIdentity.objects.exists()


def test_nobody_unlinks_for_somebody_else(idp: Provider) -> None:
    through(Client(), added(idp), idp)
    held = SignOnIdentity.objects.get()
    page = make.client().post(reverse("my-sign-on-unlink", args=[held.pk]), follow=True)
    assert "taken away already" in said(page)
    assert SignOnIdentity.objects.filter(pk=held.pk).exists()


def stale_session(browser: Client) -> None:
    """As a quarter of an hour after the last proof."""
    session = browser.session
    session["proved_at"] = 0
    session.save()


def test_somebody_without_a_password_proves_who_they_are_through_the_provider(idp: Provider) -> None:
    row, browser = added(idp), Client()
    through(browser, row, idp)
    make.grant(SignOnIdentity.objects.get().person, Role.ADMINISTRATOR)
    stale_session(browser)
    wanted = reverse("sign-on-provider-create")
    page = said(browser.get(wanted, follow=True))
    confirm = reverse("confirm-sign-on", args=[row.pk])
    assert "Confirm through Company" in page
    assert confirm in page
    asked = leave(browser, row, url=confirm, next_page=wanted)
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    assert come_back(browser, idp.authorize(asked))["Location"] == wanted
    assert browser.get(wanted).status_code == 200


@pytest.mark.parametrize(
    ("lies", "words"),
    [
        ({"auth_time": 1}, "did not say that it has just asked you"),
        ({"auth_time": None}, "did not say that it has just asked you"),
        ({"auth_time": "now"}, "did not say that it has just asked you"),
        ({"sub": "somebody else"}, "somebody else than who is signed in here"),
    ],
    ids=str,
)
def test_a_proof_is_of_the_same_person_and_of_now(idp: Provider, lies: dict[str, Any], words: str) -> None:
    row, browser = added(idp), Client()
    through(browser, row, idp)
    make.grant(SignOnIdentity.objects.get().person, Role.ADMINISTRATOR)
    stale_session(browser)
    idp.lies = lies
    asked = leave(browser, row, url=reverse("confirm-sign-on", args=[row.pk]), next_page="/")
    answer = come_back(browser, idp.authorize(asked))
    assert answer.status_code == 403
    assert words in said(answer)
    assert browser.get(reverse("sign-on-provider-create")).status_code == 302
    assert SignOnIdentity.objects.count() == 1


def test_whoever_is_signed_in_is_told_on_their_own_page_that_a_provider_does_not_answer(
    idp: Provider,
) -> None:
    row, browser = added(idp), make.client()
    idp.answers["/.well-known/openid-configuration"] = (500, {}, "s3cret")
    for name in ("my-sign-on-link", "confirm-sign-on"):
        answer = browser.post(reverse(name, args=[row.pk]), follow=True)
        assert answer.redirect_chain[-1][1] == 302
        assert "answered 500" in said(answer)
        assert "s3cret" not in said(answer)
