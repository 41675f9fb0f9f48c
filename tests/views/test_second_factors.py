"""Pages of one's second factors: set up, shown once, removed; and that nothing of them stays in pages or sessions."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from identities.lookup import person_principal
from identities.models import Installation, Person
from identities.nkeys import KeyKind, KeyPair
from identities.services import second_factors
from tests import make
from tests.authenticators import App, Passkeys, app_of, passkey_of
from tests.pages import Visitor

pytestmark = pytest.mark.django_db
INDEX = "/account/second-factors/"
APP = INDEX + "app/"
PASSKEY = INDEX + "passkey/"
CODE = re.compile(r"<code>([2-9A-Z]{4}-[2-9A-Z]{4}-[2-9A-Z]{4})</code>")


@pytest.fixture
def alice() -> Person:
    make.installation()
    return make.person(username="alice")


@pytest.fixture
def client(alice: Person) -> Client:
    browser = Client()
    browser.force_login(alice)
    return browser


def options_of(answer: Any) -> Any:
    found = re.search(r'data-options="([^"]*)"', answer.content.decode())
    assert found is not None, answer.content.decode()
    return json.loads(html.unescape(found[1]))


def setting_up(client: Client) -> App:
    assert client.get(APP).status_code == 200
    return App(client.get(APP + "key.txt").content.decode().replace(" ", "").strip())


def test_an_app_is_set_up_and_its_recovery_codes_are_shown_once(client: Client) -> None:
    app = setting_up(client)
    answer = client.post(APP, {"code": app.code()})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert len(set(CODE.findall(page))) == second_factors.CODES
    assert "no-store" in answer["Cache-Control"]
    listed = client.get(INDEX).content.decode()
    assert "Codes of an app" in listed
    assert "10 left" in listed
    assert not CODE.findall(listed)


def test_the_key_is_in_no_page_and_the_session_holds_it_sealed(client: Client) -> None:
    app = setting_up(client)
    page = client.get(APP).content.decode()
    assert app.key not in page.replace(" ", "")
    assert "otpauth" not in page
    assert "data:" not in page
    assert app.key not in json.dumps(dict(client.session.items()))
    client.post(APP, {"code": app.code()})
    assert "totp_pending" not in client.session


def test_the_qr_code_is_a_picture_that_nothing_keeps(client: Client) -> None:
    setting_up(client)
    answer = client.get(APP + "qr.svg")
    assert answer["Content-Type"] == "image/svg+xml"
    assert answer["Cache-Control"] == "no-store"
    drawn = answer.content.decode()
    assert drawn.rstrip().endswith("</svg>")
    assert "style=" not in drawn
    assert "<script" not in drawn


@pytest.mark.parametrize("name", ["qr.svg", "key.txt"])
def test_without_an_app_that_is_being_set_up_there_is_neither_key_nor_picture(
    client: Client, name: str
) -> None:
    assert client.get(APP + name).status_code == 404


def test_a_wrong_first_code_keeps_the_key_to_try_again(client: Client) -> None:
    app = setting_up(client)
    answer = client.post(APP, {"code": "12"})
    assert answer.status_code == 422
    assert "check the clock" in answer.content.decode()
    assert setting_up(client) == app
    assert client.post(APP, {"code": app.code()}).status_code == 200


def test_there_is_one_app_only(client: Client, alice: Person) -> None:
    app_of(person_principal(alice))
    assert client.get(APP)["Location"] == INDEX


def test_a_passkey_is_made_and_listed(client: Client, alice: Person) -> None:
    held = Passkeys()
    options = options_of(client.get(PASSKEY))
    answer = client.post(PASSKEY, {"name": "Blue key", "credential": held.make(options)})
    assert answer.status_code == 200
    assert len(CODE.findall(answer.content.decode())) == second_factors.CODES
    options = options_of(client.get(PASSKEY))
    again = client.post(PASSKEY, {"name": "", "credential": Passkeys().make(options)}, follow=True)
    listed = again.content.decode()
    assert again.redirect_chain == [(INDEX, 302)]
    assert "Blue key" in listed
    assert "Passkey 2" in listed


def test_an_answer_is_taken_once(client: Client) -> None:
    options = options_of(client.get(PASSKEY))
    sent = {"name": "", "credential": Passkeys().make(options)}
    assert client.post(PASSKEY, sent).status_code == 200
    answer = client.post(PASSKEY, {"name": "", "credential": Passkeys().make(options)})
    assert answer.status_code == 422
    assert "not accepted" in answer.content.decode()


@pytest.mark.parametrize("sent", [{}, {"credential": "nonsense"}, {"name": "x" * 81, "credential": "{}"}])
def test_what_is_no_answer_is_said_so(client: Client, alice: Person, sent: dict[str, str]) -> None:
    client.get(PASSKEY)
    assert client.post(PASSKEY, sent).status_code == 422
    assert not second_factors.has_one(alice)


@pytest.mark.parametrize("url", [PASSKEY, "/account/confirm/", "/account/passkey/"])
def test_what_was_sent_as_an_answer_is_not_shown_again(client: Client, alice: Person, url: str) -> None:
    passkey_of(person_principal(alice), Passkeys())
    visitor = Client() if url == "/account/passkey/" else client
    visitor.get(url)
    secret = KeyPair.create(KeyKind.USER).seed().reveal().decode()
    answer = visitor.post(url, {"credential": secret, "name": "x"})
    assert answer.status_code == 422
    assert secret not in answer.content.decode()


def test_new_recovery_codes_are_shown_once(client: Client, alice: Person) -> None:
    _, old = app_of(person_principal(alice))
    visitor = Visitor(client)
    page = visitor.open(INDEX + "recovery-codes/")
    assert "stop working" in page.text
    made = CODE.findall(visitor.send(page, action="recovery-codes/").html)
    assert len(made) == second_factors.CODES
    assert not set(made) & set(old)


def test_recovery_codes_need_another_factor(client: Client) -> None:
    answer = client.post(INDEX + "recovery-codes/")
    assert answer.status_code == 422
    assert "Add an authenticator app" in answer.content.decode()


def test_a_factor_is_removed_from_its_page(client: Client, alice: Person) -> None:
    passkey_of(person_principal(alice), Passkeys(), "Blue key")
    visitor = Visitor(client)
    page = visitor.open(visitor.open(INDEX).link("Remove Blue key"))
    assert "Remove the passkey “Blue key”" in page.text
    assert "Removed the passkey “Blue key”." in visitor.send(page, action="remove/").text
    assert not second_factors.has_one(alice)


def test_factors_of_others_are_not_there(client: Client) -> None:
    bob = make.person(username="bob")
    app_of(person_principal(bob))
    url = reverse("second-factor-remove", args=[second_factors.of(bob)[0].pk])
    assert client.get(url).status_code == client.post(url).status_code == 404
    assert second_factors.has_one(bob)


def test_the_last_factor_stays_where_one_is_demanded(client: Client, alice: Person) -> None:
    app_of(person_principal(alice))
    Installation.objects.update(second_factor="everybody")
    answer = client.post(reverse("second-factor-remove", args=[second_factors.of(alice)[0].pk]))
    assert answer.status_code == 422
    assert "Add another one first" in answer.content.decode()


def test_at_an_address_of_numbers_there_are_no_passkeys_and_the_page_says_why(
    client: Client, settings: Any
) -> None:
    settings.NSCWEB_URL = "http://127.0.0.1:8000"
    page = client.get(INDEX).content.decode()
    assert PASSKEY not in page
    assert "this server is opened as 127.0.0.1" in page
