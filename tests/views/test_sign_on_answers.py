"""What a provider answers a sign-in with: tokens, keys and codes, as they should be, stale, stolen or made up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.test import Client

from identities.models import AuditEvent, Person
from identities.services import clock
from tests.oidckeys import rsa_key
from tests.oidcprovider import Provider
from tests.views.sign_on_pages import added, come_back, is_in, leave, said, through

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("lies", "words"),
    [
        ({"iss": "https://evil.example.com"}, "made by another provider"),
        ({"aud": "another-client"}, "made for somebody else"),
        ({"nonce": "of another sign-in"}, "answers another sign-in"),
        ({"exp": 1}, "expired"),
        ({"iat": 1, "exp": 2**40}, "too long ago"),
        ({"sub": ""}, "who it is about"),
        ({"azp": "another-client"}, "given to somebody else"),
    ],
    ids=str,
)
def test_a_token_that_is_not_for_this_sign_in_lets_nobody_in(
    idp: Provider, lies: dict[str, Any], words: str
) -> None:
    idp.lies = lies
    browser = Client()
    answer = through(browser, added(idp), idp)
    assert answer.status_code == 403
    assert words in said(answer)
    assert not is_in(browser)
    assert not Person.objects.exists()
    event = AuditEvent.objects.get(action="person.sign-in-failed")
    assert event.summary.startswith("Sign-in through “Company” was refused: The token")


def test_a_token_signed_by_another_key_lets_nobody_in(idp: Provider) -> None:
    row, browser = added(idp), Client()
    idp.signs_with = rsa_key(number=1)
    assert "signature is not that of the provider" in said(through(browser, row, idp))
    assert not is_in(browser)


def test_a_key_that_the_provider_has_changed_since_is_asked_for_once(idp: Provider) -> None:
    row = added(idp)
    through(Client(), row, idp)
    idp.key = idp.signs_with = rsa_key(number=1)
    idp.kid = "k2"
    browser = Client()
    assert through(browser, row, idp).status_code == 302
    assert is_in(browser)
    asked = idp.asked.count("/keys")
    idp.kid = "k3"
    idp.answers["/keys"] = (200, {}, '{"keys": [{"kty": "RSA", "kid": "k2"}]}')
    assert "does not list" in said(through(Client(), row, idp))
    assert idp.asked.count("/keys") == asked  # asked for again at most every ten seconds, whatever tokens say


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"state": "of another browser"}, "answers another sign-in than the one that was started here"),
        ({"state": None}, "answers another sign-in than the one that was started here"),
        ({"iss": "https://evil.example.com"}, "Another provider answered"),
        ({"iss": None}, "Another provider answered"),
        ({"code": None}, "nothing that somebody could be known by"),
        ({"code": "guessed"}, "took too long, or was used already"),
        ({"code": "x" * 3000}, "nothing that somebody could be known by"),
        ({"error": "access_denied", "error_description": "<s3cret>"}, "did not let you in"),
        ({"error": "server_error"}, "refused the sign-in"),
    ],
    ids=str,
)
def test_an_answer_that_was_tampered_with_lets_nobody_in(
    idp: Provider, changed: dict[str, str | None], words: str
) -> None:
    browser = Client()
    answer = through(browser, added(idp), idp, **changed)
    assert words in said(answer)
    assert "s3cret" not in said(answer)
    assert answer.status_code == 403
    assert not is_in(browser)


def test_an_answer_works_once_and_only_where_it_was_asked_for(idp: Provider) -> None:
    row, browser = added(idp), Client()
    address = idp.authorize(leave(browser, row))
    assert "under way in this browser" in said(come_back(Client(), address))  # another browser
    come_back(browser, address)
    browser.logout()
    assert "under way in this browser" in said(come_back(browser, address))
    assert not is_in(browser)


def test_an_answer_of_one_provider_is_nothing_to_another(idp: Provider) -> None:
    row, other = added(idp), added(idp, name="Other")
    browser = Client()
    asked = leave(browser, row)
    address = idp.authorize(asked)
    elsewhere = address.replace(f"/sign-on/{row.pk}/", f"/sign-on/{other.pk}/")
    assert "under way in this browser" in said(come_back(browser, elsewhere))
    assert not is_in(browser)


def test_a_code_that_was_stolen_is_useless_without_the_browser_that_asked(idp: Provider) -> None:
    row, victim, thief = added(idp), Client(), Client()
    code = parse_qs(urlsplit(idp.authorize(leave(victim, row))).query)["code"][0]
    own = idp.authorize(leave(thief, row))
    answer = come_back(thief, own, code=code)  # the thief's own sign-in, completed with the victim's code
    assert "took too long, or was used already" in said(answer)
    assert not is_in(thief)


def test_whoever_stays_away_too_long_starts_again(idp: Provider) -> None:
    row, browser = added(idp), Client()
    address = idp.authorize(leave(browser, row))
    with time_machine.travel(clock.now() + timedelta(seconds=601)):
        assert "took too long" in said(come_back(browser, address))


def test_letters_that_look_like_a_seed_are_let_through_in_a_providers_answer(idp: Provider) -> None:
    row, browser = added(idp), Client()
    looks = "SUAB" + "A" * 60
    answer = through(browser, row, idp, session_state=looks)
    assert answer.status_code == 302
    assert is_in(browser)


def test_what_the_token_leaves_out_is_asked_for(idp: Provider) -> None:
    idp.told_elsewhere = {"email": "dana@example.com", "email_verified": True}
    browser = Client()
    through(browser, added(idp, email_domains=("example.com",)), idp)
    assert is_in(browser)
    assert Person.objects.get().email == "dana@example.com"
