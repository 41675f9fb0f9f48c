"""A write with an `Idempotency-Key` is carried out once."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from identities.api.urls import OPERATIONS
from identities.models import Account, ApiCall, AuditEvent, Grant, Proposal, User
from identities.policy.principal import Role, ScopeKind
from identities.services import api_tokens, clock, idempotency
from tests import make
from tests.api.calls import Caller, caller
from tests.api.samples import world

pytestmark = pytest.mark.django_db


def create(called: Caller, operator: Any, *, key: str, name: str = "once", **headers: str) -> Any:
    return called(
        "POST", f"operators/{operator.public_key}/accounts", {"name": name}, Idempotency_Key=key, **headers
    )


def test_the_same_request_twice_is_carried_out_once_and_answered_alike() -> None:
    operator, called = make.operator(), caller()
    first = create(called, operator, key="k-1")
    events = AuditEvent.objects.count()
    second = create(called, operator, key="k-1")
    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    for name in ("ETag", "Location", "Content-Type", "Cache-Control"):
        assert first[name] == second[name]
    assert Account.objects.filter(name="once").count() == 1 and AuditEvent.objects.count() == events


def test_an_answer_without_a_body_is_kept_as_well() -> None:
    place, called = world(), caller()
    path = place.path("delete-user")
    version = f'"{place.user.version}"'
    answers = [called("DELETE", path, If_Match=version, Idempotency_Key="gone") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [204, 204]
    assert all("Content-Type" not in answer for answer in answers)
    assert called("DELETE", path, If_Match=version).status_code == 404


def test_another_request_with_a_key_that_was_sent_is_refused() -> None:
    operator, called = make.operator(), caller()
    create(called, operator, key="k")
    answer = create(called, operator, key="k", name="another")
    assert answer.status_code == 422 and answer.data["code"] == "idempotency-key-reused"
    assert not Account.objects.filter(name="another").exists()


def test_a_key_is_its_senders_own() -> None:
    operator = make.operator()
    assert create(caller(), operator, key="k").status_code == 201
    assert create(caller(), operator, key="k", name="another").status_code == 201


def test_what_was_refused_may_be_sent_again() -> None:
    operator, called = make.operator(), caller()
    taken = make.account(operator, name="once")
    assert create(called, operator, key="k").status_code == 422
    assert not ApiCall.objects.exists()
    Account.objects.filter(pk=taken.pk).update(name="free", name_fold="free")
    assert create(called, operator, key="k").status_code == 201


def test_a_request_that_is_being_carried_out_is_not_begun_again_until_it_was_abandoned() -> None:
    operator, called = make.operator(), caller()
    create(called, operator, key="k")
    made = Account.objects.get(name="once")
    ApiCall.objects.update(status=None)
    running = create(called, operator, key="k")
    assert running.status_code == 409 and running.data["code"] == "idempotency-running"
    ApiCall.objects.update(created_at=clock.now() - idempotency.ABANDONED - timedelta(seconds=1))
    Account.objects.filter(pk=made.pk).update(name="before", name_fold="before")
    assert create(called, operator, key="k").status_code == 201


def test_answers_with_secrets_are_not_kept() -> None:
    place, called = world(), caller()
    secret = [name for name, one in OPERATIONS.items() if one.secret and one.writes]
    assert secret
    for name in secret:
        answer = called("POST", place.path(name), place.body(name), Idempotency_Key="k")
        assert answer.status_code == 400 and not ApiCall.objects.exists()


@pytest.mark.parametrize("key", ["", "two words", "x" * 201, "ö"])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    answer = create(caller(), make.operator(), key=key)
    assert answer.status_code == 400 and answer.data["code"] == "bad-request"


def test_old_answers_are_forgotten() -> None:
    operator, called = make.operator(), caller()
    create(called, operator, key="old")
    assert idempotency.forget_old() == 0
    ApiCall.objects.update(created_at=clock.now() - idempotency.KEPT - timedelta(seconds=1))
    assert idempotency.forget_old() == 1


def test_what_waits_for_a_second_person_is_proposed_once() -> None:
    operator, called = make.operator(), caller()
    account = make.account(operator)
    make.four_eyes(operator)
    path = f"operators/{operator.public_key}/accounts/{account.public_key}"
    answers = [
        called("PATCH", path, {"description": "new"}, If_Match="*", Idempotency_Key="k") for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].data["proposal"] == answers[1].data["proposal"] == Proposal.objects.get().pk


def test_an_answer_is_not_given_again_to_who_lost_the_role_for_it() -> None:
    account, other = make.account(), make.account()
    called = caller(account=account)
    make.grant(called.machine, Role.ADMINISTRATOR, account=other)
    path = f"operators/{account.operator.public_key}/accounts/{account.public_key}/users"
    first = called("POST", path, {"name": "made"}, Idempotency_Key="k")
    assert first.status_code == 201
    lost = Grant.objects.get(account=account)
    lost.delete()
    events = AuditEvent.objects.count()
    again = called("POST", path, {"name": "made"}, Idempotency_Key="k")
    assert (again.status_code, again.data["code"]) == (409, "idempotency-rights-changed")
    assert first.data["key"] not in again.content.decode()
    assert User.objects.filter(name="made").count() == 1 and AuditEvent.objects.count() == events
    make.grant(called.machine, Role.ADMINISTRATOR, account=account)
    assert called("POST", path, {"name": "made"}, Idempotency_Key="k").content == first.content


@pytest.mark.parametrize("bounds", ["a wider scope", "a smaller role", "one role more"])
def test_other_rights_are_other_rights_whichever_way(bounds: str) -> None:
    operator = make.operator()
    called = caller(operator=operator)
    assert create(called, operator, key="k").status_code == 201
    if bounds == "a wider scope":
        Grant.objects.update(operator=None, scope_kind=ScopeKind.INSTALLATION)
    elif bounds == "a smaller role":
        grant = Grant.objects.get()
        make.grant(called.machine, Role.ADMINISTRATOR, account=make.account(operator))
        Grant.objects.filter(pk=grant.pk).update(role=Role.AUDITOR)
    else:
        make.grant(called.machine, Role.VIEWER, account=make.account())
    answer = create(called, operator, key="k")
    assert answer.status_code in (403, 409) and Account.objects.filter(name="once").count() == 1
    assert answer.status_code == 403 or answer.data["code"] == "idempotency-rights-changed"


def test_another_token_with_the_same_rights_is_given_the_answer() -> None:
    operator = make.operator()
    called = caller(operator=operator)
    first = create(called, operator, key="k")
    made = api_tokens.make(
        principal=make.COMMAND,
        holder=called.machine,
        name="next",
        expires_at=clock.now() + timedelta(days=1),
        operator=operator,
    )
    assert create(Caller(made.text, called.machine), operator, key="k").content == first.content


def test_an_answer_that_was_kept_before_rights_were_is_given_to_nobody() -> None:
    operator, called = make.operator(), caller()
    create(called, operator, key="k")
    ApiCall.objects.update(rights="")
    assert create(called, operator, key="k").status_code == 409
    assert Account.objects.filter(name="once").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_is_carried_out() -> None:
    operator, called = make.operator(), caller()
    statuses: list[int] = []

    def send() -> None:
        try:
            statuses.append(create(called, operator, key="k").status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(201) >= 1 and set(statuses) <= {201, 409}
    assert Account.objects.filter(name="once").count() == 1
