"""Signing in with a second step, and with a passkey alone."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from identities.lookup import person_principal
from identities.models import AuditEvent, Person, SignInFailure
from identities.services import people
from tests import make
from tests.authenticators import App, Passkeys, app_of, passkey_of
from tests.views.test_second_factors import options_of

pytestmark = pytest.mark.django_db
LOGIN, STEP, PASSKEY = "/account/login/", "/account/second-step/", "/account/passkey/"


@pytest.fixture
def alice() -> Person:
    make.installation()
    return make.person(username="alice")


@pytest.fixture
def app(alice: Person) -> App:
    return app_of(person_principal(alice))[0]


@pytest.fixture
def held(alice: Person) -> Passkeys:
    key = Passkeys()
    passkey_of(person_principal(alice), key)
    return key


def password(client: Client, onward: str = "") -> Any:
    return client.post(LOGIN, {"login": "alice", "password": make.PASSWORD, "next": onward})


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def said() -> str:
    return AuditEvent.objects.order_by("-seq")[0].summary


def test_with_an_app_the_password_alone_opens_nothing(client: Client, app: App) -> None:
    assert password(client)["Location"] == STEP
    assert not is_in(client)
    assert "Your password was right" in client.get(STEP).content.decode()
    assert said() != "Signed in"


def test_a_code_opens_and_leads_on_to_where_one_was_going(client: Client, app: App) -> None:
    password(client, "/keys")
    answer = client.post(STEP, {"code": app.code()})
    assert (answer.status_code, answer["Location"]) == (302, "/keys")
    assert is_in(client)
    assert said() == "Signed in with a second factor"


def test_a_wrong_code_is_said_so_and_audited(client: Client, app: App) -> None:
    password(client)
    answer = client.post(STEP, {"code": "000000x"})
    assert answer.status_code == 422
    assert "That code is wrong" in answer.content.decode()
    assert said() == "Second factor failed as alice"
    assert not is_in(client)


def test_a_code_opens_one_session_only(client: Client, app: App) -> None:
    code = app.code()
    password(client)
    client.post(STEP, {"code": code})
    other = Client()
    password(other)
    assert other.post(STEP, {"code": code}).status_code == 422
    assert not is_in(other)


def test_wrong_codes_are_counted_for_good_and_not_forgotten_with_a_right_password(
    client: Client, app: App
) -> None:
    for _ in range(people.FAILURES_ALLOWED):
        cache.clear()
        password(client)
        client.post(STEP, {"code": "000000x"})
    assert SignInFailure.objects.get().failures == people.FAILURES_ALLOWED
    cache.clear()
    assert "Wait a quarter" in client.post(STEP, {"code": app.code()}).content.decode()
    assert password(Client()).status_code == 200
    assert not is_in(client)


def test_a_recovery_code_opens_once(alice: Person) -> None:
    _, codes = app_of(person_principal(alice))
    first, second = Client(), Client()
    for browser in (first, second):
        password(browser)
        browser.post(STEP, {"code": codes[0]})
    assert is_in(first)
    assert not is_in(second)


def test_a_recovery_code_is_not_shown_again_when_it_is_refused(alice: Person) -> None:
    _, codes = app_of(person_principal(alice))
    for _ in range(people.FAILURES_ALLOWED):
        people.record_failure(username="alice", address="")
    client = Client()
    client.force_login(alice)
    answer = client.post("/account/confirm/", {"code": codes[0]})
    assert answer.status_code == 422
    assert "Too many" in answer.content.decode()
    assert codes[0] not in answer.content.decode()


def test_a_passkey_is_a_second_step(client: Client, held: Passkeys) -> None:
    password(client)
    page = client.get(STEP)
    assert "Use a passkey" in page.content.decode()
    assert client.post(STEP, {"credential": held.use(options_of(page))}).status_code == 302
    assert is_in(client)


def test_a_second_step_without_a_first_leads_to_it(client: Client, app: App) -> None:
    assert client.get(STEP)["Location"] == LOGIN
    assert client.post(STEP, {"code": app.code()})["Location"] == LOGIN


def test_somebody_switched_off_between_the_steps_gets_no_further(
    client: Client, app: App, alice: Person
) -> None:
    password(client)
    Person.objects.update(is_active=False)
    client.post(STEP, {"code": app.code()})
    assert not is_in(client)


def test_a_passkey_alone_signs_in(client: Client, held: Passkeys) -> None:
    page = client.get(PASSKEY, {"next": "/keys"})
    answer = client.post(PASSKEY, {"credential": held.use(options_of(page)), "next": "/keys"})
    assert (answer.status_code, answer["Location"]) == (302, "/keys")
    assert is_in(client)
    assert said() == "Signed in with a passkey"


def test_an_answer_of_a_passkey_opens_once(client: Client, held: Passkeys) -> None:
    credential = held.use(options_of(client.get(PASSKEY)))
    client.post(PASSKEY, {"credential": credential})
    client.post("/account/logout/")
    assert client.post(PASSKEY, {"credential": credential}).status_code == 422
    assert not is_in(client)


def test_a_found_key_without_pin_does_not_sign_in_by_the_second_step_of_somebody_else(alice: Person) -> None:
    """Who has a second step of their own can't use its question, which asks for no PIN, in the place of a password."""
    found = Passkeys(verifies=False)
    passkey_of(person_principal(alice), found)
    mallory = make.person(username="mallory")
    passkey_of(person_principal(mallory), Passkeys())
    client = Client()
    client.post(LOGIN, {"login": "mallory", "password": make.PASSWORD})
    options = options_of(client.get(STEP))
    assert client.post(PASSKEY, {"credential": found.use(options)}).status_code == 422
    assert not is_in(client)


@pytest.mark.parametrize(
    "onward", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1"]
)
def test_no_passkey_leads_away(client: Client, held: Passkeys, onward: str) -> None:
    options = options_of(client.get(PASSKEY))
    answer = client.post(PASSKEY, {"credential": held.use(options), "next": onward})
    assert answer["Location"] == "/"


def test_who_is_in_already_goes_on(client: Client, alice: Person) -> None:
    client.force_login(alice)
    assert client.get(PASSKEY, {"next": "/keys"})["Location"] == "/keys"
    assert client.get(STEP)["Location"] == LOGIN


def test_strange_passkeys_are_throttled_by_address(client: Client, alice: Person) -> None:
    for _ in range(60):
        client.post(PASSKEY, {"credential": "{}"})
    client.get(PASSKEY)
    assert (
        "Too many sign-ins were tried from your address"
        in client.post(PASSKEY, {"credential": "{}"}).content.decode()
    )


def test_the_sign_in_page_leads_to_passkeys(client: Client, alice: Person) -> None:
    page = client.get(LOGIN, {"next": "/keys?type=user"}).content.decode()
    assert "/account/passkey/?next=/keys%3Ftype%3Duser" in page
