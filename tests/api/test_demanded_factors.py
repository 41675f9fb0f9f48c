"""A second factor that an installation demands of people binds their tokens, too."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from identities import lookup
from identities.models import ApiToken, AuditEvent, Installation, Person
from identities.policy.actions import Action
from identities.policy.principal import Role
from identities.services import api_tokens, clock, second_factors
from tests import make
from tests.api.calls import ROOT, caller
from tests.authenticators import app_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _installed() -> None:
    cache.clear()
    make.installation()


def token_of(person: Person, *, read_only: bool = False) -> str:
    made = api_tokens.make(
        principal=lookup.person_principal(person),
        holder=person,
        name="mine",
        expires_at=clock.now() + timedelta(days=1),
        read_only=read_only,
    )
    return made.text


def get(token: str, path: str = "me") -> Any:
    return Client().get(f"{ROOT}{path}", headers={"Authorization": f"Bearer {token}"})


def demand(of_whom: str) -> None:
    Installation.objects.update(second_factor=of_whom)


@pytest.mark.parametrize(
    ("of_whom", "role", "refused"),
    [
        ("nobody", Role.ADMINISTRATOR, False),
        ("administrators", Role.ADMINISTRATOR, True),
        ("administrators", Role.VIEWER, False),
        ("everybody", Role.ADMINISTRATOR, True),
        ("everybody", Role.VIEWER, True),
        ("everybody", None, True),
    ],
)
def test_who_is_asked_and_has_none_opens_nothing_by_a_token(
    of_whom: str, role: Role | None, refused: bool
) -> None:
    token = token_of(make.person(role))
    demand(of_whom)
    answer = get(token, "audit" if refused else "operators")
    assert (answer.status_code, answer.json().get("code")) == (
        (403, "second-factor-missing") if refused else (200, None)
    )
    assert not refused or answer["Content-Type"] == "application/problem+json"


def test_it_says_what_to_do_and_opens_once_that_is_done() -> None:
    person = make.person()
    token = token_of(person)
    demand("everybody")
    answer = get(token)
    assert answer.status_code == 403 and "set one up under “Your account”" in answer.json()["detail"]
    assert ApiToken.objects.get().last_used_at is None
    event = AuditEvent.objects.filter(action=Action.TOKEN_REFUSED).latest("seq")
    assert "a second factor is demanded" in event.summary
    app_of(lookup.person_principal(person))
    assert get(token).status_code == 200
    second_factors.take_all(principal=make.COMMAND, person=person)
    assert get(token).status_code == 403


def test_a_token_that_only_reads_does_not_make_its_person_a_smaller_one() -> None:
    token = token_of(make.person(Role.ADMINISTRATOR), read_only=True)
    demand("administrators")
    assert get(token).status_code == 403


def test_recovery_codes_alone_are_no_second_factor() -> None:
    person = make.person()
    app_of(lookup.person_principal(person))
    person.authenticator_set.filter(type=second_factors.TOTP).delete()
    token = token_of(person)
    demand("everybody")
    assert get(token).status_code == 403


def test_tokens_of_service_accounts_are_not_concerned() -> None:
    called = caller(by=lookup.person_principal(make.person()))
    demand("everybody")
    assert called.get("me").status_code == 200


def test_it_costs_no_query_of_its_own() -> None:
    token = token_of(make.person())
    counts = []
    for of_whom in ("nobody", "everybody"):
        demand(of_whom)
        get(token)  # notes its use
        app_of(lookup.person_principal(Person.objects.get())) if of_whom == "everybody" else None
        get(token)
        with CaptureQueriesContext(connection) as seen:
            assert get(token).status_code == 200
        counts.append(len(seen))
    assert counts == [2, 2]  # the token with its person and what is demanded; their roles
