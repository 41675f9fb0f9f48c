"""Sessions of people: listed, ended one by one and all at once, and by whatever takes somebody's access away."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client

from identities.lookup import NotFound, person_principal
from identities.models import AuditEvent, Person
from identities.policy.principal import Principal
from identities.services import clock, members, sessions
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Person:
    make.installation()
    return make.person(username="alice")


@pytest.fixture
def me(alice: Person) -> Principal:
    return person_principal(alice)


def browser(person: Person, agent: str = "Firefox/130.0", address: str = "192.0.2.7") -> Client:
    client = Client(headers={"User-Agent": agent}, REMOTE_ADDR=address)
    answer = client.post("/account/login/", {"login": person.username, "password": make.PASSWORD})
    assert answer.status_code == 302
    return client


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def key(client: Client) -> str:
    return client.session.session_key or ""


def test_a_session_is_listed_with_browser_and_address(alice: Person, me: Principal) -> None:
    here, there = browser(alice), browser(alice, "Chrome/1", "2001:db8::1")
    first, second = sessions.of(me, key(here))
    assert (first.browser, first.address, first.here) == ("Firefox/130.0", "192.0.2.7", True)
    assert (second.browser, second.address, second.here) == ("Chrome/1", "2001:db8::1", False)
    assert is_in(there)


def test_sessions_of_others_are_not_listed_and_not_ended(alice: Person, me: Principal) -> None:
    bobs = browser(make.person(username="bob"))
    assert sessions.of(me, "") == ()
    row = UserSession.objects.get()
    with pytest.raises(NotFound):
        sessions.end(principal=me, pk=row.pk)
    assert is_in(bobs)


def test_a_session_ends_at_its_next_request(alice: Person, me: Principal) -> None:
    here, there = browser(alice), browser(alice)
    row = next(each for each in sessions.of(me, key(here)) if not each.here)
    sessions.end(principal=me, pk=row.pk)
    assert is_in(here)
    assert not is_in(there)
    assert AuditEvent.objects.order_by("-seq")[0].summary == "Ended another session"


def test_all_other_sessions_end_together(alice: Person, me: Principal) -> None:
    here, *others = [browser(alice) for _ in range(4)]
    bobs = browser(make.person(username="bob"))
    assert sessions.end_others(principal=me, current=key(here)) == 3
    assert [is_in(each) for each in (here, bobs, *others)] == [True, True, False, False, False]
    assert AuditEvent.objects.order_by("-seq")[0].summary == "Ended 3 other sessions"
    before = AuditEvent.objects.count()
    assert sessions.end_others(principal=me, current=key(here)) == 0
    assert AuditEvent.objects.count() == before


def test_a_signed_out_session_is_listed_no_more(alice: Person, me: Principal) -> None:
    browser(alice).post("/account/logout/")
    assert sessions.of(me, "") == ()
    assert not UserSession.objects.exists()


def test_a_session_that_was_left_alone_is_listed_no_more(alice: Person, me: Principal, settings: Any) -> None:
    browser(alice)
    long_ago = clock.now() - sessions.timedelta(seconds=settings.SESSION_IDLE_SECONDS + 1)
    UserSession.objects.update(last_seen_at=long_ago)
    assert sessions.of(me, "") == ()
    assert not Session.objects.exists()


def test_the_list_says_when_somebody_was_last_seen(
    alice: Person, me: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = browser(alice)
    session = client.session
    session["seen_at"] -= 120
    session.save()
    UserSession.objects.update(last_seen_at=clock.now() - sessions.timedelta(minutes=2))
    before = sessions.of(me, key(client))[0].seen_at
    assert is_in(client)
    assert sessions.of(me, key(client))[0].seen_at > before


def test_a_changed_password_ends_the_other_sessions_and_their_rows(alice: Person, me: Principal) -> None:
    here, there = browser(alice), browser(alice)
    new = "a quite different passphrase"
    sent = {"oldpassword": make.PASSWORD, "password1": new, "password2": new}
    assert here.post("/account/password/", sent).status_code == 302
    assert is_in(here)
    assert not is_in(there)
    assert [each.here for each in sessions.of(me, key(here))] == [True]


def test_somebody_switched_off_is_out_at_the_next_request(alice: Person) -> None:
    bob = make.person(username="bob")
    client = browser(bob)
    members.deactivate(principal=person_principal(alice), person=bob)
    assert not is_in(client)
    assert not UserSession.objects.filter(user=bob).exists()
