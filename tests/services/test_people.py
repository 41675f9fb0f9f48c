"""People: the one-time link, failed sign-ins, and what of them is kept."""

from __future__ import annotations

import pytest

from identities.errors import IdentityError
from identities.lookup import person_principal
from identities.models import AuditEvent, AuditTarget, FirstAdminLink, Grant, Person, SignInFailure
from identities.nkeys import KeyKind, KeyPair
from identities.policy.actions import Action
from identities.policy.decisions import Forbidden
from identities.policy.principal import Principal, Role
from identities.services import people
from tests import make
from tests.together import at_once

NOBODY = Principal.nobody("192.0.2.1")
COMMAND = Principal.command("first_admin")


@pytest.fixture
def unsealed(db: None) -> None:
    make.installation()


def redeem(token: str, username: str = "alice", password: str = make.PASSWORD) -> Person:
    return people.make_first_administrator(
        principal=NOBODY, token=token, username=username, password=password
    )


def test_the_link_makes_one_administrator_and_then_opens_nothing(unsealed: None) -> None:
    token = people.first_admin_token(principal=COMMAND)
    assert people.first_admin_link_opens(token)
    person = redeem(token)
    grant = Grant.objects.get(person=person)
    assert (grant.role, grant.scope_kind) == ("administrator", "installation")
    assert not people.first_admin_link_opens(token)
    with pytest.raises(people.LinkRefused):
        redeem(token, "mallory")
    with pytest.raises(IdentityError, match="administrator already"):
        people.first_admin_token(principal=COMMAND)


def test_the_first_administrator_comes_by_the_link_and_not_by_nobody(unsealed: None) -> None:
    redeem(people.first_admin_token(principal=COMMAND))
    event = AuditEvent.objects.order_by("-seq")[0]
    assert (event.actor, event.actor_name, event.address) == ("link", "the one-time link", "192.0.2.1")


def test_a_new_link_ends_the_one_before(unsealed: None) -> None:
    first = people.first_admin_token(principal=COMMAND)
    people.first_admin_token(principal=COMMAND)
    assert not people.first_admin_link_opens(first)


def test_only_a_hash_of_the_link_is_kept(unsealed: None) -> None:
    token = people.first_admin_token(principal=COMMAND)
    assert token not in str(FirstAdminLink.objects.values())
    assert token not in str(AuditEvent.objects.values())


@pytest.mark.parametrize("password", ["tiny-one", "password1234", "alice-alice-alice"])
def test_a_weak_password_is_refused_and_the_link_stays_open(unsealed: None, password: str) -> None:
    token = people.first_admin_token(principal=COMMAND)
    with pytest.raises(IdentityError) as refused:
        redeem(token, password=password, username="alice-alice-alice")
    assert refused.value.field == "password"
    assert password not in refused.value.user_message
    assert people.first_admin_link_opens(token)
    assert not Person.objects.exists()


def test_a_link_of_yesterday_opens_nothing(unsealed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    token = people.first_admin_token(principal=COMMAND)
    later = people.clock.now() + people.timedelta(hours=people.LINK_HOURS, seconds=1)
    monkeypatch.setattr(people.clock, "now", lambda: later)
    assert not people.first_admin_link_opens(token)
    with pytest.raises(people.LinkRefused):
        redeem(token)


@pytest.mark.django_db(transaction=True)
def test_two_links_opened_at_once_make_one_administrator() -> None:
    make.installation()
    first = people.first_admin_token(principal=COMMAND)
    link = FirstAdminLink.objects.get()
    second = "another-link-of-the-same-moment"
    FirstAdminLink.objects.create(
        token_hash=people._hash(second), created_at=link.created_at, expires_at=link.expires_at
    )
    refused = at_once(lambda: redeem(first, "alice"), lambda: redeem(second, "bob"))
    assert [type(error) for error in refused] == [people.LinkRefused]
    assert Grant.objects.filter(role=Role.ADMINISTRATOR).count() == 1


def fail(username: str, times: int = 1) -> None:
    for _ in range(times):
        people.record_failure(username=username, address="192.0.2.1")


@pytest.mark.parametrize("spelling", ["alice", " ALICE ", "Alice\t", "al\N{LATIN SMALL LETTER DOTLESS I}ce"])
def test_another_spelling_of_a_name_is_counted_with_it(unsealed: None, spelling: str) -> None:
    make.person(username="Alice")
    fail(spelling, people.FAILURES_ALLOWED)
    assert not people.may_try("alice")
    assert people.may_try("bob")


def test_failures_are_forgotten_after_a_while(unsealed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    fail("alice", people.FAILURES_ALLOWED)
    later = people.clock.now() + people.WINDOW + people.timedelta(seconds=1)
    monkeypatch.setattr(people.clock, "now", lambda: later)
    assert people.may_try("alice")
    fail("alice")
    assert SignInFailure.objects.get().failures == 1
    monkeypatch.setattr(people.clock, "now", lambda: later + people.KEPT + people.WINDOW)
    fail("bob")
    assert SignInFailure.objects.count() == 1


def test_a_failure_names_a_person_but_not_what_else_was_typed(unsealed: None) -> None:
    make.person(username="Alice")
    secret = KeyPair.create(KeyKind.USER).seed().reveal().decode()
    fail("ALICE")
    fail(secret)
    fail("my password is hunter2")
    fail("x" * 150)
    events = AuditEvent.objects.filter(action=Action.SIGN_IN_FAILED).order_by("seq")
    assert [event.summary for event in events] == [
        "Sign-in failed as Alice",
        *["Sign-in failed as an unknown name"] * 3,
    ]
    kept = (
        f"{list(events.values())}{list(AuditTarget.objects.values())}{list(SignInFailure.objects.values())}"
    )
    assert secret not in kept
    assert secret.lower() not in kept
    assert "hunter2" not in kept


def test_a_name_is_taken_in_any_case(unsealed: None) -> None:
    people.add_person(username="Alice", password=make.PASSWORD, role=Role.VIEWER)
    with pytest.raises(IdentityError, match="taken"):
        people.add_person(username=" ALICE", password=make.PASSWORD, role=Role.VIEWER)


def test_a_profile_is_changed_and_the_audit_says_what_of_it(unsealed: None) -> None:
    me = person_principal(make.person(username="alice"))
    people.edit_profile(principal=me, name="Alice A.", email="")
    people.edit_profile(principal=me, name="Alice B.", email="alice@example.com")
    people.edit_profile(principal=me, name="Alice B.", email="alice@example.com")
    said = (
        AuditEvent.objects.filter(action=Action.PROFILE_EDIT)
        .order_by("seq")
        .values_list("summary", flat=True)
    )
    assert list(said) == ["Changed the own name", "Changed the own name and e-mail"]


def test_a_command_has_no_profile(unsealed: None) -> None:
    with pytest.raises(Forbidden):
        people.edit_profile(principal=COMMAND, name="x", email="")
