"""Proposals through the API: whoever proposed something sees what became of it and takes it back; nobody approves."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from identities.api.urls import OPERATIONS as DECLARED
from identities.models import Account, ApiToken, AuditEvent, Proposal
from identities.policy.actions import Action
from identities.policy.operations import OPERATIONS
from identities.policy.principal import Role
from identities.services import proposals
from tests import make
from tests.api.calls import ROOT, Caller, caller

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    account = make.account()
    make.four_eyes(account.operator)
    return account


def path(account: Account, *more: object) -> str:
    return "/".join(["operators", account.operator.public_key, "proposals", *map(str, more)])


def proposed(call: Caller, account: Account) -> Any:
    below = f"operators/{account.operator.public_key}/accounts/{account.public_key}/limits"
    answer = call("PATCH", below, {"conn": 5}, If_Match="*")
    assert answer.status_code == 202
    return answer


def test_a_202_says_where_its_proposal_is_and_there_stands_what_a_dry_run_tells(account: Account) -> None:
    call = caller(operator=account.operator, by=make.principal())
    below = f"operators/{account.operator.public_key}/accounts/{account.public_key}/limits"
    tried = call("PATCH", f"{below}?dry_run=true", {"conn": 5}, If_Match="*").data
    answer = proposed(call, account)
    assert answer["Location"] == f"{ROOT}{path(account, answer.data['proposal'])}"
    found = call.get(answer["Location"].removeprefix(ROOT)).data
    (change,) = found["changes"]
    assert (change["kind"], change["key"]) == ("account", account.public_key)
    assert change["fields"] == tried["changes"] and found["consequences"] == tried["consequences"]
    assert found["events"] == [found["summary"]] and found["left_out"] == 0
    assert (found["state"], found["action"]) == ("open", Action.ACCOUNT_LIMITS_EDIT)
    assert (found["by"], found["decided_by"], found["decided_at"]) == (call.machine.audit_key, "", None)
    assert (found["subject_kind"], found["subject"]) == ("account", account.public_key)


def test_the_same_answer_given_again_says_where_too(account: Account) -> None:
    call = caller(operator=account.operator)
    below = f"operators/{account.operator.public_key}/accounts/{account.public_key}/limits"
    answers = [call("PATCH", below, {"conn": 5}, If_Match="*", Idempotency_Key="k") for _ in range(2)]
    assert answers[0]["Location"] == answers[1]["Location"]


def test_what_became_of_it_is_read_there(account: Account) -> None:
    call = caller(operator=account.operator, by=make.principal())
    number = proposed(call, account).data["proposal"]
    made, bob = Proposal.objects.get(pk=number), make.principal()
    proposals.comment(principal=bob, proposal=made, text="Why five?")
    assert call("POST", path(account, number, "comments"), {"text": " As planned. "}).status_code == 201
    proposals.decline(principal=bob, proposal=made, note="Too few.")
    found = call.get(path(account, number)).data
    assert (found["state"], found["decided_by"], found["note"]) == ("declined", bob.name, "Too few.")
    assert found["decided_at"]
    assert [(said["by_name"], said["text"]) for said in found["comments"]] == [
        (bob.name, "Why five?"),
        (call.machine.name, "As planned."),
    ]


@pytest.mark.parametrize("text", ["", "  ", "x" * 2001, "nul \0"])
def test_a_comment_is_some_words(account: Account, text: str) -> None:
    made = make.proposal(account)
    answer = caller()("POST", path(account, made.pk, "comments"), {"text": text})
    assert (answer.status_code, answer.data["code"]) == (422, "bad-input")
    assert not made.comments.exists()


def test_they_are_listed_by_state_page_by_page(account: Account) -> None:
    call = caller(operator=account.operator)
    made = [make.proposal(account, f"number {number}").pk for number in range(5)]
    proposals.decline(principal=make.principal(), proposal=Proposal.objects.get(pk=made[1]))
    seen: list[int] = []
    cursor = ""
    while cursor is not None:
        page = call.get(path(account) + f"?state=open&limit=3&cursor={cursor}").data
        seen += [one["number"] for one in page["items"]]
        cursor = page["next"]
    assert seen == [made[4], made[3], made[2], made[0]]
    assert [one["number"] for one in call.get(path(account) + "?state=declined").data["items"]] == [made[1]]
    assert len(call.get(path(account)).data["items"]) == 5
    assert call.get(path(account) + "?state=waiting").status_code == 422


def test_more_of_them_cost_no_more_queries(account: Account) -> None:
    call = caller(operator=account.operator)
    counts = []
    for _ in range(2):
        for _ in range(3):
            made = make.proposal(account)
            proposals.comment(principal=make.principal(), proposal=made, text="Well.")
        ApiToken.objects.update(last_used_at=None)
        for where in (path(account), path(account, made.pk)):
            with CaptureQueriesContext(connection) as queries:
                assert call.get(where).status_code == 200
            counts.append(len(queries))
    assert counts[:2] == counts[2:]


def test_those_of_other_accounts_and_operators_are_not_there(account: Account) -> None:
    other = make.account(account.operator)
    theirs = make.proposal(other)
    call = caller(Role.VIEWER, account=account)
    own = make.proposal(account)
    assert [one["number"] for one in call.get(path(account)).data["items"]] == [own.pk]
    assert call.get(path(account, own.pk)).status_code == 200
    assert call.get(path(account, theirs.pk)).status_code == 404
    elsewhere = make.account()
    assert caller().get(path(elsewhere, own.pk)).status_code == 404
    assert caller(operator=elsewhere.operator).get(path(account)).status_code == 404


def test_a_machine_withdraws_its_own_and_nobody_elses(account: Account) -> None:
    call, other = caller(operator=account.operator), caller(operator=account.operator)
    number = proposed(call, account).data["proposal"]
    refused = other("DELETE", path(account, number))
    assert (refused.status_code, refused.data["code"]) == (403, "forbidden")
    assert f"“{call.machine.name}” proposed it" in refused.data["detail"]
    assert call("DELETE", path(account, number) + "?dry_run=true").data["consequences"]
    assert Proposal.objects.get().state == "open"
    assert call("DELETE", path(account, number)).status_code == 204
    found = call.get(path(account, number)).data
    assert (found["state"], found["decided_by"]) == ("withdrawn", call.machine.name)
    again = call("DELETE", path(account, number))
    assert (again.status_code, again.data["code"]) == (409, "decided")
    event = AuditEvent.objects.latest("seq")
    assert (event.way, event.actor) == ("token", call.machine.audit_key)


def test_a_token_that_only_reads_withdraws_and_says_nothing(account: Account) -> None:
    call = caller(operator=account.operator)
    number = proposed(call, account).data["proposal"]
    ApiToken.objects.update(read_only=True)
    assert call.get(path(account, number)).status_code == 200
    assert call("DELETE", path(account, number)).status_code == 403
    assert call("POST", path(account, number, "comments"), {"text": "No."}).status_code == 403
    assert Proposal.objects.get().state == "open"


def test_no_operation_decides_about_a_proposal(account: Account) -> None:
    assert Action.PROPOSAL_DECIDE not in OPERATIONS.values()
    below = [one for one in DECLARED.values() if "/proposals" in one.path]
    assert {(one.method, one.id) for one in below if one.writes} == {
        ("POST", "comment-proposal"),
        ("DELETE", "withdraw-proposal"),
    }
    made = make.proposal(account)
    for word in ("approve", "approval"):
        assert caller()("POST", path(account, made.pk, word)).status_code == 404
