"""Passkeys, with an authenticator of the tests' own: what is accepted, and what only looks like it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from allauth.mfa.models import Authenticator

from identities.errors import IdentityError
from identities.lookup import person_principal
from identities.models import AuditEvent, Person
from identities.policy.principal import Principal
from identities.services import passkeys, people, second_factors
from tests import make
from tests.authenticators import Passkeys, decoded, encoded, passkey_of, used_by

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Person:
    make.installation()
    return make.person(username="alice")


@pytest.fixture
def me(alice: Person) -> Principal:
    return person_principal(alice)


@pytest.fixture
def held(me: Principal) -> Passkeys:
    key = Passkeys()
    passkey_of(me, key, "Phone")
    return key


def told() -> str:
    return AuditEvent.objects.order_by("-seq")[0].summary


def refused(person: Person | None, state: Any, answer: str) -> None:
    with pytest.raises(IdentityError, match="not accepted"):
        passkeys.check(person=person, state=state, credential=answer, address="192.0.2.7")


def test_a_passkey_is_added_and_recovery_codes_come_with_the_first(me: Principal, alice: Person) -> None:
    assert len(passkey_of(me, Passkeys(), "Phone")) == second_factors.CODES
    assert told() == "Added the passkey “Phone” and recovery codes"
    assert passkey_of(me, Passkeys()) == []
    assert told() == "Added the passkey “Passkey 2”"
    assert second_factors.has_one(alice)


def test_a_passkey_is_a_second_factor_and_again(held: Passkeys, alice: Person) -> None:
    assert used_by(alice, held) == alice
    assert used_by(alice, held) == alice
    row = next(factor for factor in second_factors.of(alice) if factor.kind == second_factors.PASSKEY)
    assert row.used_at is not None


def test_a_passkey_that_checks_who_holds_it_says_who_signs_in(held: Passkeys, alice: Person) -> None:
    bob = make.person(username="bob")
    passkey_of(person_principal(bob), held)
    assert used_by(None, held) == bob
    assert used_by(None, held, next(iter(held.held))) == alice


def test_a_passkey_that_checks_nobody_does_not_sign_in_alone(me: Principal, alice: Person) -> None:
    key = Passkeys(verifies=False)
    passkey_of(me, key)
    assert used_by(alice, key) == alice
    with pytest.raises(IdentityError, match="not accepted"):
        used_by(None, key)


def test_a_passkey_of_somebody_else_is_no_second_factor(held: Passkeys) -> None:
    bob = make.person(username="bob")
    passkey_of(person_principal(bob), Passkeys())
    with pytest.raises(IdentityError, match="not accepted"):
        used_by(bob, held)
    assert told() == "Second factor failed as bob"


def test_a_passkey_of_somebody_switched_off_signs_nobody_in(held: Passkeys, alice: Person) -> None:
    Person.objects.filter(pk=alice.pk).update(is_active=False)
    with pytest.raises(IdentityError, match="not accepted"):
        used_by(None, held)


def test_a_removed_passkey_opens_nothing(held: Passkeys, me: Principal, alice: Person) -> None:
    second_factors.remove(principal=me, pk=second_factors.of(alice)[0].pk)
    with pytest.raises(IdentityError, match="not accepted"):
        used_by(None, held)


@pytest.mark.parametrize(
    "origin", ["https://localhost:8000", "http://localhost", "http://localhost:8000.evil.example", "null", ""]
)
def test_an_answer_to_another_site_is_refused(held: Passkeys, alice: Person, origin: str) -> None:
    held.origin = origin
    with pytest.raises(IdentityError, match="not accepted"):
        used_by(alice, held)


def test_an_answer_to_another_question_is_refused(held: Passkeys, alice: Person) -> None:
    options, _ = passkeys.begin_using(alice)
    _, state = passkeys.begin_using(alice)
    refused(alice, state, held.use(options))


def test_a_signature_of_another_key_is_refused(held: Passkeys, alice: Person) -> None:
    options, state = passkeys.begin_using(alice)
    other = Passkeys()
    passkey_of(person_principal(make.person()), other)
    answer, strange = json.loads(held.use(options)), json.loads(other.use(options))
    answer["response"]["signature"] = strange["response"]["signature"]
    refused(alice, state, json.dumps(answer))


def test_a_copied_key_is_noticed_by_its_counter(held: Passkeys, alice: Person) -> None:
    used_by(alice, held)
    held.count -= 1
    with pytest.raises(IdentityError, match="not accepted"):
        used_by(alice, held)


def test_a_passkey_that_does_not_count_is_accepted_again(me: Principal, alice: Person) -> None:
    key = Passkeys(counts=False)
    passkey_of(me, key)
    assert used_by(alice, key) == used_by(alice, key) == alice


def test_after_too_many_failures_a_passkey_does_not_help(held: Passkeys, alice: Person) -> None:
    for _ in range(people.FAILURES_ALLOWED):
        people.record_failure(username="alice", address="192.0.2.7")
    with pytest.raises(IdentityError, match="Wait a quarter"):
        used_by(alice, held)


def broken(answer: str) -> list[str]:
    """Answers that are none, or that are cut off or changed somewhere."""
    whole = json.loads(answer)
    found = ["", "null", "[]", "7", "{}", '{"response": 7}', '{"response": {}}', "[" * 50_000, "x" * 70_000]
    for name, part in whole["response"].items():
        plain = decoded(part)
        others = ["", "A", "!", encoded(plain[:-1]), encoded(plain[:20]), encoded(b"\x9f" * 2000)]
        others += [
            encoded(plain[:at] + bytes([plain[at] ^ 0xFF]) + plain[at + 1 :])
            for at in range(0, len(plain), max(1, len(plain) // 40))
            if name != "userHandle"
        ]
        found += [json.dumps(whole | {"response": whole["response"] | {name: other}}) for other in others]
    found.append(json.dumps(whole | {"rawId": "AAAA", "id": "AAAA"}))
    return [each for each in found if each != json.dumps(whole)]


def test_a_damaged_answer_is_refused_and_never_a_fault(held: Passkeys, alice: Person) -> None:
    options, state = passkeys.begin_using(None)
    for answer in broken(held.use(options)):
        refused(None, state, answer)
    assert (
        passkeys.check(person=None, state=state, credential=held.use(options), address="192.0.2.7") == alice
    )


@pytest.mark.parametrize(
    "handle", [b"", b"alice", b"person:", b"person:0", b"person:999", b"team:1", b"\xff"]
)
def test_a_passkey_that_names_nobody_signs_nobody_in(held: Passkeys, handle: bytes) -> None:
    identifier, (key, _) = next(iter(held.held.items()))
    held.held[identifier] = key, handle
    with pytest.raises(IdentityError, match="not accepted"):
        used_by(None, held)


def test_a_damaged_new_passkey_is_refused_and_never_a_fault(me: Principal) -> None:
    options, state = passkeys.begin_adding(principal=me)
    said = set()
    for answer in broken(Passkeys().make(options)):
        try:
            passkeys.add(principal=me, name="", state=state, credential=answer)
        except IdentityError as error:
            said.add(error.user_message)
        Authenticator.objects.all().delete()  # some bits are covered by no signature: “none” attests nothing
    assert said == {passkeys.REFUSED}


def test_the_same_passkey_is_not_added_twice(me: Principal) -> None:
    options, state = passkeys.begin_adding(principal=me)
    answer = Passkeys().make(options)
    passkeys.add(principal=me, name="", state=state, credential=answer)
    with pytest.raises(IdentityError, match="among yours already"):
        passkeys.add(principal=me, name="", state=state, credential=answer)


def test_the_browser_is_told_which_keys_there_are_already(held: Passkeys, me: Principal) -> None:
    options, _ = passkeys.begin_adding(principal=me)
    known = [decoded(each["id"]) for each in options["publicKey"]["excludeCredentials"]]
    assert known == list(held.held)


def test_options_for_anybody_name_nobody(held: Passkeys) -> None:
    options, _ = passkeys.begin_using(None)
    assert not options["publicKey"].get("allowCredentials")
    assert options["publicKey"]["userVerification"] == "required"
    assert "alice" not in json.dumps(options)


@pytest.mark.parametrize(
    ("url", "possible"),
    [
        ("http://localhost:8000", True),
        ("https://nscweb.example.com", True),
        ("http://127.0.0.1:8000", False),
        ("http://[::1]:8000", False),
    ],
)
def test_browsers_make_passkeys_for_names(settings: Any, url: str, possible: bool) -> None:
    settings.NSCWEB_URL = url
    assert passkeys.possible() is possible


@pytest.mark.parametrize("url", ["https://nscweb.example.com", "https://nscweb.example.com:443"])
def test_the_usual_port_is_not_part_of_an_origin(
    settings: Any, me: Principal, alice: Person, url: str
) -> None:
    settings.NSCWEB_URL = url
    key = Passkeys(origin="https://nscweb.example.com")
    passkey_of(me, key)
    assert used_by(alice, key) == alice
