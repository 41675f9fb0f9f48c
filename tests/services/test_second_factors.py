"""Authenticator apps and recovery codes: each code once, a clock that goes wrong by a step, and what is kept sealed."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection

from identities.errors import IdentityError
from identities.lookup import NotFound, person_principal
from identities.models import AuditEvent, Installation, Person, SignInFailure
from identities.policy.actions import Action
from identities.policy.decisions import Forbidden
from identities.policy.principal import Principal, Role
from identities.services import clock, people, rotation, second_factors, secrets
from identities.vault.errors import VaultError
from tests import make
from tests.authenticators import App, Passkeys, app_of, passkey_of
from tests.together import at_once

pytestmark = pytest.mark.django_db
OTHER = "other:" + base64.b64encode(b"another key of thirty-two bytes.").decode()
KEY = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""The secret of the tables of RFC 4226 and 6238, in base32."""


@pytest.fixture
def alice() -> Person:
    make.installation()
    return make.person(username="alice")


@pytest.fixture
def me(alice: Person) -> Principal:
    return person_principal(alice)


def check(person: Person, code: str) -> None:
    second_factors.check(person=person, code=code, address="192.0.2.7")


def told() -> list[tuple[str, str]]:
    return list(AuditEvent.objects.order_by("seq").values_list("action", "summary"))


def stand_at(monkeypatch: pytest.MonkeyPatch, unix: int) -> None:
    monkeypatch.setattr(clock, "unix", lambda: unix)


@pytest.mark.parametrize(
    ("unix", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_the_standard(unix: int, code: str) -> None:
    assert second_factors.code_at(KEY, unix // 30) == code[-6:]


def test_an_app_is_added_with_its_first_code_and_recovery_codes_come_with_it(me: Principal) -> None:
    pending = second_factors.new_secret(me)
    app = App(second_factors.key_of(me, pending))
    codes = second_factors.add_app(principal=me, pending=pending, code=app.code())
    assert len(set(codes)) == second_factors.CODES
    assert told()[-1] == ("person.edit-second-factors", "Added an authenticator app and recovery codes")
    with pytest.raises(IdentityError, match="already"):
        second_factors.add_app(principal=me, pending=pending, code=app.code(1))


def test_an_app_is_not_added_with_a_wrong_first_code_which_is_counted(me: Principal) -> None:
    pending = second_factors.new_secret(me)
    with pytest.raises(IdentityError, match="wrong") as refused:
        second_factors.add_app(principal=me, pending=pending, code="12345")
    assert refused.value.field == "code"
    assert not Authenticator.objects.exists()
    assert SignInFailure.objects.get().failures == 1
    assert told()[-1] == ("person.sign-in-failed", "A first code failed as alice")


def test_the_address_of_an_app_says_who_and_where(me: Principal) -> None:
    pending = second_factors.new_secret(me)
    address = second_factors.app_address(me, pending)
    key = second_factors.key_of(me, pending)
    assert address.startswith("otpauth://totp/nscweb%20localhost")
    assert f":alice?secret={key}&issuer=nscweb%20localhost" in address


def test_a_secret_that_waits_in_a_session_opens_for_its_owner_only(me: Principal) -> None:
    pending = second_factors.new_secret(me)
    with pytest.raises(VaultError):
        second_factors.key_of(make.principal(), pending)


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_clock_may_go_wrong_by_a_step(
    me: Principal, alice: Person, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _ = app_of(me)
    stand_at(monkeypatch, clock.unix() + 600)
    check(alice, app.code(steps))


@pytest.mark.parametrize("steps", [-20, -2, 2, 20])
def test_a_clock_may_not_go_wrong_by_more(
    me: Principal, alice: Person, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _ = app_of(me)
    stand_at(monkeypatch, clock.unix() + 600)
    with pytest.raises(IdentityError, match="clock of your phone"):
        check(alice, app.code(steps))


def test_a_code_is_accepted_once_and_none_before_it_any_more(
    me: Principal, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _ = app_of(me)
    stand_at(monkeypatch, clock.unix() + 600)
    check(alice, app.code())
    for steps in (0, -1):
        with pytest.raises(IdentityError):
            check(alice, app.code(steps))
    check(alice, app.code(1))


def test_the_code_that_set_an_app_up_does_not_sign_in(me: Principal, alice: Person) -> None:
    app, _ = app_of(me)
    with pytest.raises(IdentityError):
        check(alice, app.code(-1))


def test_blanks_in_a_code_do_not_matter(me: Principal, alice: Person) -> None:
    app, _ = app_of(me)
    code = app.code()
    check(alice, f" {code[:3]} {code[3:]} ")


@pytest.mark.parametrize("typed", ["", "0", "١٢٣٤٥٦", "-12345", "1234567", "\x00", "é" * 20])
def test_what_is_no_code_is_refused(me: Principal, alice: Person, typed: str) -> None:
    app_of(me)
    with pytest.raises(IdentityError):
        check(alice, typed)


def test_a_recovery_code_lets_in_once_however_it_is_written(me: Principal, alice: Person) -> None:
    _, codes = app_of(me)
    check(alice, codes[0].lower().replace("-", " "))
    assert told()[-1] == ("person.use-recovery-code", "Used a recovery code; 9 are left")
    with pytest.raises(IdentityError):
        check(alice, codes[0])
    assert [factor.left for factor in second_factors.of(alice) if factor.kind == second_factors.RECOVERY] == [
        9
    ]


def test_a_code_of_somebody_else_is_refused(me: Principal) -> None:
    app, codes = app_of(me)
    bob = make.person(username="bob")
    app_of(person_principal(bob))
    for code in (app.code(), codes[0]):
        with pytest.raises(IdentityError):
            check(bob, code)


@pytest.mark.django_db(transaction=True)
def test_a_recovery_code_typed_twice_at_once_lets_in_once() -> None:
    make.installation()
    alice = make.person(username="alice")
    _, codes = app_of(person_principal(alice))
    refused = at_once(*[lambda: check(alice, codes[0])] * 4)
    assert [type(error) for error in refused] == [IdentityError] * 3


def test_after_too_many_wrong_codes_a_right_one_does_not_help(me: Principal, alice: Person) -> None:
    app, codes = app_of(me)
    for _ in range(people.FAILURES_ALLOWED):
        with pytest.raises(IdentityError, match="wrong"):
            check(alice, "000000x")
    for code in (app.code(), codes[0]):
        with pytest.raises(IdentityError, match="Wait a quarter"):
            check(alice, code)
    SignInFailure.objects.all().delete()
    check(alice, app.code())


def test_new_recovery_codes_take_the_place_of_the_old_ones(me: Principal, alice: Person) -> None:
    _, old = app_of(me)
    new = second_factors.new_recovery_codes(principal=me)
    assert not set(old) & set(new)
    with pytest.raises(IdentityError):
        check(alice, old[0])
    check(alice, new[0])


def test_there_are_no_recovery_codes_without_another_factor(me: Principal) -> None:
    with pytest.raises(IdentityError, match="Add an authenticator app"):
        second_factors.new_recovery_codes(principal=me)


def test_with_the_last_factor_the_recovery_codes_go(me: Principal, alice: Person) -> None:
    app_of(me)
    passkey_of(me, Passkeys(), "Phone")
    first, second = (factor for factor in second_factors.of(alice) if factor.kind != second_factors.RECOVERY)
    second_factors.remove(principal=me, pk=first.pk)
    assert second_factors.has_one(alice)
    assert Authenticator.objects.count() == 2
    second_factors.remove(principal=me, pk=second.pk)
    assert not Authenticator.objects.exists()
    assert [summary for _, summary in told()[-2:]] == [
        "Removed the authenticator app",
        "Removed the passkey “Phone”",
    ]


def test_nobody_removes_factors_of_others(me: Principal, alice: Person) -> None:
    app_of(me)
    pk = second_factors.of(alice)[0].pk
    with pytest.raises(NotFound):
        second_factors.remove(principal=make.principal(), pk=pk)
    assert second_factors.has_one(alice)


def test_recovery_codes_are_not_removed_alone(me: Principal, alice: Person) -> None:
    app_of(me)
    codes = next(factor for factor in second_factors.of(alice) if factor.kind == second_factors.RECOVERY)
    with pytest.raises(NotFound):
        second_factors.remove(principal=me, pk=codes.pk)


@pytest.mark.parametrize(
    ("demand", "role", "stays"),
    [
        ("nobody", Role.ADMINISTRATOR, False),
        ("administrators", Role.ADMINISTRATOR, True),
        ("administrators", Role.VIEWER, False),
        ("everybody", Role.VIEWER, True),
    ],
)
def test_the_last_factor_stays_where_one_is_demanded(
    alice: Person, demand: str, role: Role, stays: bool
) -> None:
    person = make.person(role)
    principal = person_principal(person)
    app_of(principal)
    Installation.objects.update(second_factor=demand)
    pk = second_factors.of(person)[0].pk
    if stays:
        with pytest.raises(IdentityError, match="Add another one first"):
            second_factors.remove(principal=principal, pk=pk)
    else:
        second_factors.remove(principal=principal, pk=pk)
    assert second_factors.has_one(person) is stays


def test_commands_and_machines_have_no_factors(alice: Person) -> None:
    for nobody in (make.COMMAND, Principal.nobody("192.0.2.1")):
        with pytest.raises(Forbidden):
            second_factors.new_secret(nobody)


def test_nothing_that_lets_in_stands_in_the_database(me: Principal) -> None:
    pending = second_factors.new_secret(me)
    app = App(second_factors.key_of(me, pending))
    codes = second_factors.add_app(principal=me, pending=pending, code=app.code())
    with connection.cursor() as cursor:
        cursor.execute("SELECT data FROM mfa_authenticator")
        kept = json.dumps(cursor.fetchall())
    kept += json.dumps(told())
    assert app.key not in kept
    assert app.code() not in kept
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)


def test_a_row_that_was_moved_to_somebody_else_opens_nothing(me: Principal) -> None:
    app, _ = app_of(me)
    mallory = make.person(username="mallory")
    Authenticator.objects.filter(type=second_factors.TOTP).update(user=mallory)
    with pytest.raises(VaultError):
        check(mallory, app.code())


def test_a_row_that_became_another_kind_opens_nothing(me: Principal, alice: Person) -> None:
    _, codes = app_of(me)
    Authenticator.objects.filter(type=second_factors.TOTP).delete()
    Authenticator.objects.update(type=second_factors.TOTP)
    with pytest.raises(VaultError):
        check(alice, codes[0])


def test_a_new_master_key_seals_second_factors_anew(me: Principal, alice: Person, settings: Any) -> None:
    app, codes = app_of(me)
    before = list(Authenticator.objects.order_by("pk").values_list("data", flat=True))
    settings.NSCWEB_MASTER_KEY = f"{OTHER},{settings.NSCWEB_MASTER_KEY}"
    secrets.forget()
    assert rotation.reseal_all(principal=make.COMMAND) >= len(before)
    settings.NSCWEB_MASTER_KEY = OTHER
    secrets.forget()
    after = list(Authenticator.objects.order_by("pk").values_list("data", flat=True))
    assert all(old != new for old, new in zip(before, after, strict=True))
    check(alice, app.code())
    check(alice, codes[0])


def test_a_failed_second_factor_is_told_apart_in_the_audit(me: Principal, alice: Person) -> None:
    app_of(me)
    with pytest.raises(IdentityError):
        check(alice, "nonsense")
    event = AuditEvent.objects.order_by("-seq")[0]
    assert (event.action, event.summary, event.address) == (
        Action.SIGN_IN_FAILED,
        "Second factor failed as alice",
        "192.0.2.7",
    )
