"""Sensitive pages ask again who is there when that was shown too long ago."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from identities.claims.permissions import UserPermissionLimits
from identities.lookup import person_principal
from identities.models import AuditEvent, Key, Person, User
from identities.services import operator_keys, people, pushes
from identities.views import proving
from tests import make
from tests.authenticators import App, Passkeys, app_of, passkey_of
from tests.views.test_second_factors import options_of

pytestmark = pytest.mark.django_db
CONFIRM = "/account/confirm/"
EDIT = "/account/edit/"
OPEN = "/account/sessions/"


@pytest.fixture
def alice() -> Person:
    make.installation()
    return make.person(username="alice")


@pytest.fixture
def late(alice: Person) -> Client:
    """Signed in, and a quarter of an hour ago."""
    client = Client()
    client.force_login(alice)
    session = client.session
    session["proved_at"] = int(time.time()) - proving.FRESH_SECONDS
    session.save()
    return client


def place(user: User) -> list[str]:
    return [user.operator.public_key, user.account.public_key, user.public_key]


def is_fresh(client: Client) -> bool:
    return client.get(EDIT).status_code == 200


def test_who_signed_in_just_now_is_not_asked(alice: Person) -> None:
    client = Client()
    client.force_login(alice)
    assert is_fresh(client)


def test_who_showed_it_a_quarter_of_an_hour_ago_is_asked_and_comes_back(late: Client) -> None:
    answer = late.get(EDIT + "?a=b")
    assert answer["Location"] == f"{CONFIRM}?next=%2Faccount%2Fedit%2F%3Fa%3Db"
    page = late.get(answer["Location"])
    assert "more than 15 minutes ago" in page.content.decode()
    assert page.context["password"]["password"].field.widget.attrs["autofocus"]
    sent = {"password": make.PASSWORD, "next": page.context["onward"]}
    assert late.post(CONFIRM, sent)["Location"] == EDIT + "?a=b"
    assert is_fresh(late)


def test_a_form_that_is_sent_late_does_nothing_and_leads_back_to_its_page(late: Client) -> None:
    came = {"HTTP_REFERER": "http://testserver/account/edit/?a=b"}
    answer = late.post(EDIT, {"name": "Alice"}, **came)
    assert answer["Location"] == f"{CONFIRM}?next=%2Faccount%2Fedit%2F%3Fa%3Db"
    assert not Person.objects.get().name


@pytest.mark.parametrize("referer", ["", "http://elsewhere.example/keys", "nonsense"])
def test_a_form_from_nowhere_leads_to_the_dashboard(late: Client, referer: str) -> None:
    answer = late.post(EDIT, {}, HTTP_REFERER=referer)
    assert answer["Location"] == f"{CONFIRM}?next=%2F"


def test_htmx_is_told_to_load_the_question_as_a_page(late: Client) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/account/sessions/"}
    for answer in (late.get(EDIT, headers=headers), late.post(EDIT, headers=headers)):
        assert answer.status_code == 200
        assert answer["HX-Redirect"] == f"{CONFIRM}?next=%2Faccount%2Fsessions%2F"


def test_a_wrong_password_is_refused_counted_and_audited(late: Client) -> None:
    answer = late.post(CONFIRM, {"password": "wrong", "next": "/"})
    assert answer.status_code == 422
    event = AuditEvent.objects.order_by("-seq")[0]
    assert event.summary == "A proof before something sensitive failed as alice"
    assert not is_fresh(late)
    for _ in range(people.FAILURES_ALLOWED):
        late.post(CONFIRM, {"password": "wrong"})
    assert late.post(CONFIRM, {"password": make.PASSWORD}).status_code == 422
    assert not is_fresh(late)


def test_a_code_of_the_app_proves_it_once(late: Client, alice: Person) -> None:
    app: App = app_of(person_principal(alice))[0]
    assert "Confirm by code" in late.get(CONFIRM).content.decode()
    code = app.code()
    assert late.post(CONFIRM, {"code": code, "next": OPEN})["Location"] == OPEN
    assert is_fresh(late)
    assert late.post(CONFIRM, {"code": code}).status_code == 422


def test_a_passkey_proves_it(late: Client, alice: Person) -> None:
    held = Passkeys()
    passkey_of(person_principal(alice), held)
    options = options_of(late.get(CONFIRM))
    answer = late.post(CONFIRM, {"credential": held.use(options), "next": OPEN})
    assert answer["Location"] == OPEN
    assert is_fresh(late)


def test_a_passkey_of_somebody_else_proves_nothing(late: Client, alice: Person) -> None:
    passkey_of(person_principal(alice), Passkeys())
    other = Passkeys()
    passkey_of(person_principal(make.person()), other)
    options = options_of(late.get(CONFIRM))
    assert late.post(CONFIRM, {"credential": other.use(options)}).status_code == 422
    assert not is_fresh(late)


@pytest.mark.parametrize(
    "onward", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1"]
)
def test_it_never_leads_away(late: Client, onward: str) -> None:
    assert late.post(CONFIRM, {"password": make.PASSWORD, "next": onward})["Location"] == "/"


def test_a_page_that_is_not_sensitive_asks_nothing(late: Client) -> None:
    assert late.get(OPEN).status_code == 200


def test_who_may_not_is_told_so_and_not_asked() -> None:
    client = make.client("viewer")
    session: Any = client.session
    session["proved_at"] = 0
    session.save()
    assert client.get(reverse("key-generate", args=[make.operator().public_key])).status_code == 403


def test_a_bearer_jwt_is_asked_for_as_creds_are_since_it_logs_in(late: Client) -> None:
    user = make.user(limits=UserPermissionLimits(subs=-1, data=-1, payload=-1, bearer_token=True))
    page = reverse("user-jwt", args=place(user))
    assert late.post(page)["Location"].startswith(CONFIRM)
    assert not AuditEvent.objects.filter(action="jwt.download-bearer").exists()
    late.post(CONFIRM, {"password": make.PASSWORD})
    assert late.post(page).status_code == 200
    assert "Location" not in late.get(reverse("user-jwt", args=place(make.user())))


def test_a_push_password_is_made_for_whoever_has_just_shown_who_they_are(late: Client) -> None:
    operator = make.operator()
    page = reverse("operator-pushes-open", args=[operator.public_key])
    assert late.post(page)["Location"].startswith(CONFIRM)
    assert pushes.door_of(operator.pk) is None


def test_an_operator_s_removed_signing_key_comes_back_for_whoever_has_just_shown_who_they_are(
    late: Client,
) -> None:
    operator = make.operator("Main")
    key = Key.objects.get(operator=operator, kind="operator", purpose="signing").public_key
    who: dict[str, Any] = {"principal": make.COMMAND}
    operator_keys.add(**who, operator=operator, version=operator.version)
    operator.refresh_from_db()
    operator_keys.remove(**who, operator=operator, public_key=key, version=operator.version)
    operator.refresh_from_db()
    page = reverse("operator-roll-back", args=[operator.public_key, 1])
    form = {"version": operator.version, "revive": [key]}
    form["accept"] = late.post(page, form).context["form"].preview.code
    assert late.post(page, form)["Location"].startswith(CONFIRM)
    operator.refresh_from_db()
    assert key not in operator.document().nats.signing_keys
    late.post(CONFIRM, {"password": make.PASSWORD})
    assert not late.post(page, form)["Location"].startswith(CONFIRM)
    operator.refresh_from_db()
    assert key in operator.document().nats.signing_keys
