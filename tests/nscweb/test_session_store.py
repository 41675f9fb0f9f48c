"""The browser holds a secret, the database its hash: neither a row nor a key of a session signs anybody in."""

from __future__ import annotations

import re
from importlib import import_module

import pytest
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from identities.models import Person
from nscweb import middleware, session_store, sessions
from nscweb.session_store import SessionStore
from tests.house import canary
from tests.nscweb.conftest import PASSWORD

pytestmark = pytest.mark.django_db
COOKIE = settings.SESSION_COOKIE_NAME


@pytest.fixture
def browser(client: Client, alice: Person) -> Client:
    """Signed in by the page, and not by Django's short cut."""
    client.post("/account/login/", {"login": "alice", "password": PASSWORD})
    assert is_in(client)
    return client


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def with_cookie(text: str) -> Client:
    client = Client()
    client.cookies[COOKIE] = text
    return client


def secret_of(client: Client) -> str:
    return str(client.cookies[COOKIE].value)


def test_a_browser_holds_a_random_secret_and_the_rows_its_hash(browser: Client) -> None:
    secret = secret_of(browser)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret), "256 random bits"
    assert Session.objects.get().session_key == session_store.key_of(secret) != secret
    assert UserSession.objects.get().session_key == session_store.key_of(secret)
    assert len({SessionStore()._get_new_session_key() for _ in range(100)}) == 100


def test_the_secret_stands_nowhere_in_the_database(browser: Client) -> None:
    songs = canary.Songs()
    songs.learn_session(secret_of(browser))
    assert songs.heard_in(secret_of(browser).encode())
    for name, held in canary.database():
        assert not songs.heard_in(held), name


def test_a_stored_key_in_the_place_of_the_cookie_signs_nobody_in(browser: Client) -> None:
    (row,) = Session.objects.all()
    thief = with_cookie(row.session_key)
    assert not is_in(thief)
    assert not is_in(thief), "nor once it has been answered"
    assert is_in(browser)


def test_a_session_is_not_found_by_the_secret_itself(browser: Client) -> None:
    secret = secret_of(browser)
    assert not SessionStore().exists(secret)
    assert not SessionStore(secret).load()
    assert SessionStore.of(secret).load()


@pytest.mark.parametrize(
    "planted",
    [
        "x",
        "planted-by-somebody-else",
        "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9",
        "a\0b" * 9,
        "a" * 3000,
    ],
)
def test_a_secret_that_somebody_made_up_is_never_taken(alice: Person, planted: str) -> None:
    browser = with_cookie(planted)
    browser.post("/account/login/", {"login": "alice", "password": PASSWORD})
    assert is_in(browser)
    assert secret_of(browser) != planted
    assert not is_in(with_cookie(planted))


def test_the_secret_changes_at_sign_in_and_the_former_opens_nothing(client: Client, alice: Person) -> None:
    session = client.session
    session["planted"] = True
    session.save()
    before = secret_of(client)
    client.post("/account/login/", {"login": "alice", "password": PASSWORD})
    assert is_in(client)
    assert secret_of(client) != before
    assert not is_in(with_cookie(before))
    assert not Session.objects.filter(session_key=session_store.key_of(before)).exists()


def test_a_cookie_that_is_given_again_holds_the_same_secret(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, now = secret_of(browser), sessions.time.time()
    monkeypatch.setattr(sessions.time, "time", lambda: now + 120)
    answer = browser.get("/account/")
    assert answer.cookies[COOKIE].value == secret
    assert answer.cookies[COOKIE]["httponly"]
    assert is_in(browser)


def test_signing_out_takes_the_cookie_away_and_the_secret_opens_nothing(browser: Client) -> None:
    secret = secret_of(browser)
    browser.post("/account/logout/")
    assert secret_of(browser) != secret
    assert not is_in(browser)
    assert not is_in(with_cookie(secret))
    assert not Session.objects.filter(session_key=session_store.key_of(secret)).exists()


def test_a_session_that_was_found_by_its_key_gives_no_browser_that_key(
    browser: Client, rf: RequestFactory
) -> None:
    (row,) = Session.objects.all()

    def view(request: HttpRequest) -> HttpResponse:
        request.session = SessionStore(row.session_key)
        request.session["seen"] = True
        return HttpResponse()

    answer = middleware.Sessions(view)(rf.get("/"))
    assert isinstance(answer, HttpResponse)
    assert answer.cookies[COOKIE].value == ""


def test_sessions_that_were_kept_in_clear_end_with_the_upgrade(browser: Client) -> None:
    migration = import_module("identities.migrations.0029_hashed_sessions")
    migration.end(apps, connection.schema_editor())
    assert not Session.objects.exists()
    assert not UserSession.objects.exists()
    assert not is_in(browser)
