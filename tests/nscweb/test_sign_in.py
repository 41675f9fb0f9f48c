from __future__ import annotations

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from identities.models import AuditEvent, Person, SignInFailure
from identities.services import people
from nscweb import sessions
from tests.nscweb.conftest import PASSWORD

pytestmark = pytest.mark.django_db


def _try(client: Client, username: str, password: str) -> bool:
    response = client.post("/account/login/", {"login": username, "password": password})
    return response.status_code == 302


def _actions() -> list[str]:
    return list(AuditEvent.objects.order_by("seq").values_list("action", flat=True))


def test_a_person_signs_in_ignoring_case_and_both_ends_are_audited(client: Client, alice: Person) -> None:
    assert _try(client, "aLICE", PASSWORD)
    client.post("/account/logout/")
    assert _actions()[-2:] == ["person.sign-in", "person.sign-out"]


def test_a_wrong_password_is_counted_and_audited(client: Client, alice: Person) -> None:
    assert not _try(client, "Alice", "wrong")
    assert SignInFailure.objects.get().failures == 1
    assert _actions()[-1] == "person.sign-in-failed"


def test_known_and_unknown_names_are_told_the_same(client: Client, alice: Person) -> None:
    known = client.post("/account/login/", {"login": "alice", "password": "wrong"})
    unknown = client.post("/account/login/", {"login": "carol", "password": "wrong"})
    assert known.status_code == unknown.status_code == 200
    errors = [response.context["form"].non_field_errors() for response in (known, unknown)]
    assert errors[0]
    assert errors[0] == errors[1]


def test_throttling_survives_a_lost_cache(client: Client, alice: Person) -> None:
    for _ in range(10):
        cache.clear()
        assert not _try(client, "alice", "wrong")
    cache.clear()
    assert not _try(client, "alice", PASSWORD)
    SignInFailure.objects.all().delete()
    assert _try(client, "alice", PASSWORD)


def test_the_shared_cache_throttles_too(client: Client, alice: Person) -> None:
    for _ in range(5):
        assert not _try(client, "alice", "wrong")
    SignInFailure.objects.all().delete()
    assert not _try(client, "alice", PASSWORD)


def test_who_is_shut_out_is_told_for_how_long_and_what_helps(
    client: Client, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said() -> str:
        answer = client.post("/account/login/", {"login": "alice", "password": PASSWORD})
        return str(answer.context["form"].non_field_errors())

    for _ in range(5):
        assert not _try(client, "alice", "wrong")
    assert "Try again in 5 minutes." in said()
    cache.clear()
    for _ in range(5):
        assert not _try(client, "alice", "wrong")
    assert "Too many sign-ins with this name have failed. Try again in 15 minutes." in said()
    later = people.clock.now() + people.WINDOW - people.timedelta(seconds=50)
    monkeypatch.setattr(people.clock, "now", lambda: later)
    assert "Try again in 1 minute. If the password is forgotten" in said()


def test_others_behind_one_address_are_not_shut_out(client: Client, alice: Person, victor: Person) -> None:
    for number in range(15):
        assert not _try(client, f"guest-{number}", "wrong")
    for _ in range(6):
        assert not _try(client, "victor", "wrong")
    assert _try(client, "alice", PASSWORD)


def test_one_address_does_not_go_through_names_without_end(client: Client, alice: Person) -> None:
    for number in range(60):
        assert not _try(client, f"guest-{number}", "wrong")
    assert not _try(client, "alice", PASSWORD)


def test_signing_in_clears_the_failures(client: Client, alice: Person) -> None:
    assert not _try(client, "alice", "wrong")
    assert _try(client, "alice", PASSWORD)
    assert not SignInFailure.objects.exists()


def test_somebody_switched_off_gets_in_no_more(client: Client, alice: Person) -> None:
    Person.objects.update(is_active=False)
    client.post("/account/login/", {"login": "alice", "password": PASSWORD})
    assert "_auth_user_id" not in client.session


def test_a_session_ends_at_its_hour_however_busy_it_was(
    client: Client, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = int(sessions.time.time())
    monkeypatch.setattr(sessions.time, "time", lambda: began)
    assert _try(client, "alice", PASSWORD)
    for minutes in range(30, 12 * 60, 30):
        monkeypatch.setattr(sessions.time, "time", lambda: began + minutes * 60)  # noqa: B023
        assert client.get("/account/password/").status_code == 200
    for hours in (12.1, 12.2):
        monkeypatch.setattr(sessions.time, "time", lambda: began + hours * 3600)  # noqa: B023
        assert client.get("/account/password/").status_code == 302
    assert "_auth_user_id" not in client.session


def test_a_session_that_is_left_alone_ends_and_so_does_its_row(
    client: Client, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = int(sessions.time.time())
    monkeypatch.setattr(sessions.time, "time", lambda: began)
    assert _try(client, "alice", PASSWORD)
    for minutes, status in [(59, 200), (59 + 59, 200), (59 + 59 + 61, 302), (59 + 59 + 62, 302)]:
        monkeypatch.setattr(sessions.time, "time", lambda: began + minutes * 60)  # noqa: B023
        key = client.session.session_key
        assert client.get("/account/password/").status_code == status
        assert Session.objects.filter(pk=key).exists() is (status == 200)
    assert "_auth_user_id" not in client.session


def test_looking_around_writes_the_session_once_a_minute(
    client: Client, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = int(sessions.time.time())
    monkeypatch.setattr(sessions.time, "time", lambda: began)
    assert _try(client, "alice", PASSWORD)
    seen = []
    for seconds in (1, 30, 59, 61, 90, 122):
        monkeypatch.setattr(sessions.time, "time", lambda: began + seconds)  # noqa: B023
        client.get("/account/password/")
        seen.append(client.session["seen_at"] - began)
    assert seen == [0, 0, 0, 61, 61, 122]


def test_a_public_page_does_not_prolong_a_session(
    client: Client, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = int(sessions.time.time())
    monkeypatch.setattr(sessions.time, "time", lambda: began)
    assert _try(client, "alice", PASSWORD)
    monkeypatch.setattr(sessions.time, "time", lambda: began + 59 * 60)
    for public in ("/livez", "/account/login/", "/jwt/v1/help"):
        client.get(public)  # these pages are nobody's: they prove no person
    monkeypatch.setattr(sessions.time, "time", lambda: began + 61 * 60)
    assert client.get("/account/password/").status_code == 302


def test_the_key_of_a_session_changes_at_sign_in(client: Client, alice: Person) -> None:
    session = client.session
    session["planted"] = True
    session.save()
    before = session.session_key
    assert _try(client, "alice", PASSWORD)
    assert client.session.session_key != before


def test_somebody_without_a_role_may_still_sign_out(client: Client, alice: Person) -> None:
    alice.grants.all().delete()
    client.force_login(alice)
    assert client.get("/").status_code == 403
    assert client.get("/account/password/").status_code == 200
    assert client.post("/account/logout/").status_code == 302
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize(
    "route", ["signup", "email", "password/reset", "password/set", "reauthenticate", "login/code"]
)
def test_nothing_else_of_allauth_exists(signed_in: Client, route: str) -> None:
    assert signed_in.get(f"/account/{route}/").status_code == 404


def test_labels_are_written_as_elsewhere_and_not_repeated_in_the_fields(signed_in: Client) -> None:
    change = signed_in.get(reverse("account_change_password")).content.decode()
    assert 'aria-current="page">Change password<' in change
    sign_in = Client().get(reverse("account_login")).content.decode()
    for page, labels in ((sign_in, ("Username", "Password")), (change, ("Current password", "New password"))):
        form = page.partition("<main")[2]
        assert "placeholder" not in form
        assert all(f">{label}</label>" in form for label in labels)


def test_a_changed_password_ends_every_other_session_and_is_audited(alice: Person) -> None:
    here, elsewhere = Client(), Client()
    here.force_login(alice)
    elsewhere.force_login(alice)
    new = "a quite different passphrase"
    response = here.post("/account/password/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert response.status_code == 302
    assert _actions()[-1] == "person.change-password"
    assert here.get("/account/password/").status_code == 200
    assert elsewhere.get("/account/password/").status_code == 302


def test_the_session_cookie_is_closed_to_scripts(client: Client, alice: Person) -> None:
    _try(client, "alice", PASSWORD)
    cookie = client.cookies["nscweb_session"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/"
