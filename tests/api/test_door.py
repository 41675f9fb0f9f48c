"""Who gets into the API, and how it tells the others."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import get_resolver

from identities import lookup
from identities.api.urls import OPERATIONS as DECLARED
from identities.models import ApiToken, AuditEvent
from identities.policy.actions import Action
from identities.policy.decisions import Forbidden
from identities.policy.operations import OPERATIONS
from identities.policy.principal import Role
from identities.policy.routes import ROUTES, Access
from identities.services import api_tokens, clock, people, refusals, service_accounts
from tests import make
from tests.api.calls import ROOT, caller
from tests.house import canary

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_failures_yet() -> None:
    cache.clear()


def path(of: str) -> str:
    return f"operators/{of}/accounts"


def test_every_operation_stands_in_the_permission_table_and_every_row_is_an_operation() -> None:
    assert set(DECLARED) == set(OPERATIONS)


def test_every_route_of_the_api_asks_for_a_token() -> None:
    names = {name for name in get_resolver().reverse_dict if str(name).startswith("api-")}
    names -= {"api-workload-creds"}  # which takes a machine's own token instead
    assert names and all(ROUTES[str(name)].access is Access.TOKEN for name in names)


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer x", "Basic YTpi", "Bearer nscweb_abcdefghijkl_" + "A" * 43, "nscweb_\x00"],
)
def test_nobody_gets_in_without_a_token_that_is_known(header: str) -> None:
    operator = make.operator()
    answer = Client().get(f"{ROOT}{path(operator.public_key)}", headers={"Authorization": header})
    assert answer.status_code == 401 and answer.json()["code"] == "token-refused"
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_session_opens_nothing_here() -> None:
    operator = make.operator()
    assert make.client().get(f"{ROOT}{path(operator.public_key)}").status_code == 401


def test_a_token_needs_no_form_token_and_leaves_no_cookie() -> None:
    operator = make.operator()
    answer = caller().get(path(operator.public_key))
    assert answer.status_code == 200 and not answer.cookies


def test_only_the_hash_of_a_token_is_kept() -> None:
    called = caller()
    secret = called.token.rpartition("_")[2]
    held = ApiToken.objects.get(service_account=called.machine)
    assert held.secret_hash == hashlib.sha256(secret.encode()).hexdigest()
    assert api_tokens.SHAPE.fullmatch(called.token)
    assert not [name for name, written in canary.files() if secret.encode() in written]


def test_another_secret_under_a_known_prefix_opens_nothing_and_is_audited() -> None:
    called = caller()
    head, _, _ = called.token.rpartition("_")
    wrong = Client().get(f"{ROOT}operators", headers={"Authorization": f"Bearer {head}_{'A' * 43}"})
    assert wrong.status_code in (401, 404)
    operator = make.operator()
    wrong = Client().get(
        f"{ROOT}{path(operator.public_key)}", headers={"Authorization": f"Bearer {head}_{'A' * 43}"}
    )
    assert wrong.status_code == 401
    event = AuditEvent.objects.filter(action=Action.TOKEN_REFUSED).latest("seq")
    assert event.way == "token" and "A" * 43 not in event.canonical


@pytest.mark.parametrize("ended", ["revoked", "expired", "switched off"])
def test_a_token_that_ended_opens_nothing_at_once(ended: str) -> None:
    operator, called = make.operator(), caller()
    assert called.get(path(operator.public_key)).status_code == 200
    held = ApiToken.objects.get(service_account=called.machine)
    if ended == "revoked":
        api_tokens.revoke(principal=make.COMMAND, token=held)
    elif ended == "expired":
        ApiToken.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    else:
        service_accounts.update(
            principal=make.COMMAND, machine=called.machine, name="off", description="", is_active=False
        )
    answer = called.get(path(operator.public_key))
    assert answer.status_code == 401 and ended in answer.data["detail"]


def test_a_pipeline_that_tries_an_ended_token_all_day_does_not_fill_the_audit() -> None:
    operator, called = make.operator(), caller()
    api_tokens.revoke(principal=make.COMMAND, token=ApiToken.objects.get())
    told = AuditEvent.objects.filter(action="api-token.refused")
    for _ in range(refusals.MOST + 3):
        assert called.get(path(operator.public_key)).status_code == 401
    assert told.count() == refusals.MOST
    cache.clear()  # what is counted outlives it
    assert called.get(path(operator.public_key)).status_code == 401
    assert told.count() == refusals.MOST


def test_too_many_refused_tokens_have_to_wait_but_a_good_one_never_does() -> None:
    operator, called = make.operator(), caller()
    url = f"{ROOT}{path(operator.public_key)}"
    bad = {"Authorization": "Bearer nscweb_abcdefghijkl_" + "A" * 43}
    statuses = [Client().get(url, headers=bad).status_code for _ in range(api_tokens.MOST_FAILURES + 2)]
    assert statuses[0] == 401 and statuses[-1] == 429
    assert called.get(path(operator.public_key)).status_code == 200


def test_the_last_use_is_noted_once_a_minute() -> None:
    operator, called = make.operator(), caller()
    called.get(path(operator.public_key))
    first = ApiToken.objects.get().last_used_at
    called.get(path(operator.public_key))
    held = ApiToken.objects.get()
    assert held.last_used_at == first and held.last_used_from == "127.0.0.1"
    ApiToken.objects.update(last_used_at=clock.now() - timedelta(minutes=2))
    called.get(path(operator.public_key))
    assert ApiToken.objects.get().last_used_at >= first


def test_a_token_narrowed_to_one_operator_sees_no_other() -> None:
    mine, other = make.operator(), make.operator()
    called = caller(narrowed=mine)
    assert called.get(path(mine.public_key)).status_code == 200
    assert called.get(path(other.public_key)).status_code == 404


def test_what_the_token_alone_forbids_is_said_so() -> None:
    mine = make.operator()
    reads = caller(read_only=True)("POST", path(mine.public_key), {"name": "new"})
    assert reads.status_code == 403
    assert "this token may only read, though “" in reads.data["detail"]
    elsewhere = caller(narrowed=mine)("POST", "operators", {"name": "another"})
    assert elsewhere.status_code == 403
    assert f"this token is bound to the operator “{mine.name}”, though “" in elsewhere.data["detail"]
    assert "Who can give it" not in elsewhere.data["detail"]


def test_a_token_of_a_person_is_never_more_than_that_person() -> None:
    mine, other = make.operator(), make.operator()
    person = make.person(Role.VIEWER, operator=mine)
    made = api_tokens.make(
        principal=lookup.person_principal(person),
        holder=person,
        name="mine",
        expires_at=clock.now() + timedelta(days=1),
    )
    headers = {"Authorization": f"Bearer {made.text}"}
    assert Client().get(f"{ROOT}{path(mine.public_key)}", headers=headers).status_code == 200
    assert Client().get(f"{ROOT}{path(other.public_key)}", headers=headers).status_code == 404
    person.is_active = False
    person.save()
    assert Client().get(f"{ROOT}{path(mine.public_key)}", headers=headers).status_code == 401
    assert people.target(person).key == person.audit_key


def test_nobody_makes_or_revokes_a_token_of_somebody_else() -> None:
    make.installation()
    person, other = make.person(Role.ADMINISTRATOR), make.person(Role.ADMINISTRATOR)
    ends = clock.now() + timedelta(days=1)
    with pytest.raises(Forbidden):
        api_tokens.make(
            principal=lookup.person_principal(other), holder=person, name="theirs", expires_at=ends
        )
    manager = make.principal(Role.ADMINISTRATOR, account=make.account())
    machine = service_accounts.create(principal=make.COMMAND, name="pipeline")
    with pytest.raises(Forbidden):
        api_tokens.make(principal=manager, holder=machine, name="not mine", expires_at=ends)


def test_an_unknown_address_is_a_problem_and_not_a_page() -> None:
    make.installation()
    answer = Client().get("/api/v1/nothing-here")
    assert answer.status_code == 404 and answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not-found"


def test_a_method_that_is_not_there_names_those_that_are() -> None:
    operator = make.operator()
    answer = caller()("TRACE", path(operator.public_key))
    assert answer.status_code == 405 and "GET" in answer["Allow"]


def test_a_length_that_is_no_number_is_a_problem() -> None:
    answer = caller().get("me", Content_Length="many")
    assert answer.status_code == 400 and answer.data["code"] == "bad-request"


def test_a_seed_in_a_query_is_refused_as_a_problem() -> None:
    operator = make.operator()
    seed = "SUAIBDPBAUTWCWBKIO6XHQNINK5FWJW4OHLXC3HQ2KFE4PEJUA44CNHTC4"
    answer = caller().get(f"{path(operator.public_key)}?q={seed}")
    assert answer.status_code == 400 and answer.data["code"] == "seed"
    assert seed not in answer.content.decode()
