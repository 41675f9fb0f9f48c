"""Your account: who you are, what you may do, where you are signed in."""

from __future__ import annotations

import pytest
from allauth.usersessions.models import UserSession
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.lookup import person_principal
from identities.models import Grant, Key, Person, Team, TeamMember
from identities.policy.principal import Role, ScopeKind
from identities.services import clock, people, signing_keys
from identities.views import you_shown
from tests import make
from tests.authenticators import app_of
from tests.pages import Visitor

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0"


@pytest.fixture
def alice() -> Person:
    make.installation()
    return make.person(Role.VIEWER, username="alice")


@pytest.fixture
def visitor(alice: Person) -> Visitor:
    client = Client(headers={"User-Agent": FIREFOX})
    client.post("/account/login/", {"login": "alice", "password": make.PASSWORD})
    return Visitor(client)


def test_the_menu_leads_to_it(visitor: Visitor) -> None:
    assert visitor.open("/").link("Your account").endswith("/account/")


def test_it_says_who_one_is_and_how_one_signs_in(visitor: Visitor, alice: Person) -> None:
    page = visitor.open("/account/")
    assert "Signs in as alice" in page.text
    assert "None yet: whoever learns your password gets in." in page.text
    app_of(person_principal(alice))
    assert "Authenticator app Codes of an app" in visitor.open("/account/").text
    assert "10 left" in visitor.open("/account/").text


def test_it_says_what_one_may_do_where_and_by_which_team(visitor: Visitor, alice: Person) -> None:
    account = make.account(make.operator("Op"), "Shop")
    draft = SigningKeyDraft(role=RoleDraft(role="service"))
    key = signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)
    make.grant(alice, Role.USER_MANAGER, account=account)
    team = Team.objects.create(name="Night shift", created_at=clock.now())
    TeamMember.objects.create(team=team, person=alice, created_at=clock.now())
    Grant.objects.create(
        team=team,
        role=Role.ADMINISTRATOR,
        scope_kind=ScopeKind.OPERATOR,
        operator=account.operator,
        created_at=clock.now(),
    )
    make.issuer(alice, Key.objects.get(public_key=key.public_key))
    rows = [(row.title, row.where, row.team) for row in you_shown.grants(alice)]
    assert [row[1:] for row in rows] == [
        ("this installation", ""),
        ("Op", "Night shift"),
        ("Shop", ""),
        (f"the role {key.public_key[:8]}… of Shop", ""),
    ]
    page = visitor.open("/account/")
    assert all(title in page.text for title, _, _ in rows)
    assert "team Night shift" in page.text


def test_more_grants_ask_no_more_queries(visitor: Visitor, alice: Person) -> None:
    operator = make.operator()
    make.grant(alice, Role.VIEWER, operator=operator)
    visitor.open("/account/")
    with CaptureQueriesContext(connection) as few:
        visitor.open("/account/")
    for _ in range(4):
        make.grant(alice, Role.VIEWER, account=make.account(operator))
    with CaptureQueriesContext(connection) as many:
        visitor.open("/account/")
    assert len(many) == len(few)


def test_who_holds_nothing_still_has_an_account() -> None:
    page = Visitor(make.client(None)).open("/account/")
    assert page.status == 200
    assert "You hold no role yet" in page.text


def test_name_and_address_are_changed(visitor: Visitor, alice: Person) -> None:
    page = visitor.open("/account/edit/")
    page = visitor.send(page, name="Alice A.", email="alice@example.com")
    assert "Saved." in page.text
    alice.refresh_from_db()
    assert (alice.name, alice.email) == ("Alice A.", "alice@example.com")


@pytest.mark.parametrize("name", ["a\u202eb", "a\x1b[31mb", "x" * 300])
def test_a_name_that_cannot_be_read_is_refused(visitor: Visitor, alice: Person, name: str) -> None:
    page = visitor.send(visitor.open("/account/edit/"), name=name)
    assert page.status == 422
    assert not Person.objects.get(pk=alice.pk).name


def test_what_is_no_address_is_refused(visitor: Visitor, alice: Person) -> None:
    page = visitor.send(visitor.open("/account/edit/"), email="nonsense")
    assert page.status == 422
    assert "email" in page.response.context["form"].errors


def test_sessions_are_listed_and_one_is_ended(visitor: Visitor, alice: Person) -> None:
    other = Client(headers={"User-Agent": EDGE}, REMOTE_ADDR="203.0.113.9")
    other.post("/account/login/", {"login": "alice", "password": make.PASSWORD})
    assert "You are signed in in 2 browsers." in visitor.open("/account/").text
    page = visitor.open("/account/sessions/")
    assert "Firefox on Linux" in page.text
    assert "Edge on Windows 203.0.113.9" in page.text
    assert "That session has ended." in visitor.send(page, action="end/").text
    assert other.get("/account/").status_code == 302
    assert "Edge" not in visitor.open("/account/sessions/").text


def test_all_others_are_ended_together(visitor: Visitor, alice: Person) -> None:
    others = [Client(), Client()]
    for other in others:
        other.force_login(alice)
    page = visitor.open(visitor.open("/account/sessions/").link("Sign out everywhere else"))
    assert "2 other sessions have ended." in visitor.send(page, action="end-others/").text
    assert [other.get("/account/").status_code for other in others] == [302, 302]
    assert visitor.open("/account/").status == 200


def test_nobody_ends_sessions_of_others(visitor: Visitor) -> None:
    bob = make.person(username="bob")
    client = Client()
    client.force_login(bob)
    row = UserSession.objects.get(user=bob)
    assert visitor.client.post(f"/account/sessions/{row.pk}/end/").status_code == 404
    assert client.get("/account/").status_code == 200


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (EDGE, "Edge on Windows"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
            "Safari on iPhone",
        ),
        ("curl/8.0", "curl/8.0"),
        ("x" * 500, "x" * 60),
        ("", "unknown"),
    ],
)
def test_browsers_are_called_as_people_call_them(agent: str, words: str) -> None:
    assert you_shown.browser(agent) == words


def test_who_takes_somebody_elses_name_is_told_apart_by_what_they_sign_in_with() -> None:
    browser = make.client()
    make.person(username="owner")
    me = Person.objects.exclude(username="owner").get()
    people.edit_profile(principal=person_principal(me), name="owner", email="")
    me.refresh_from_db()
    assert str(me) == person_principal(me).name == f"owner ({me.username})"
    account = make.account(by=person_principal(me))
    page = browser.get(
        f"/operators/{account.operator.public_key}/accounts/{account.public_key}/"
    ).content.decode()
    assert f"owner ({me.username})" in page
    me.name = "x" * 255
    assert len(str(me)) <= 103 + 150
