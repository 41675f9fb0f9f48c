"""Four eyes through the API: an edit is accepted and waits, a trial shows what it would do and proposes nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse

from identities.api import editing, problems
from identities.api.operations import Answer
from identities.errors import IdentityError
from identities.models import Account, Proposal
from identities.services import accounts, changes, four_eyes, proposals, proposing
from tests import make
from tests.api import calls

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    account = make.account()
    make.four_eyes(account.operator)
    return account


def test_a_proposed_edit_is_answered_202_with_its_number(account: Account) -> None:
    made = make.proposal(account)
    answer = problems.of_refusal(proposing.Proposed(made))
    assert answer.status_code == 202
    assert json.loads(answer.content)["proposal"] == made.pk
    assert json.loads(answer.content)["code"] == "proposed"


def test_what_a_machine_proposes_has_the_person_behind_it_who_made_its_token(account: Account) -> None:
    ann, bob = make.principal(), make.principal()
    call = calls.caller(operator=account.operator, by=ann)
    path = f"operators/{account.operator.public_key}/accounts/{account.public_key}/limits"
    answer = call("PATCH", path, {"conn": 5}, If_Match="*")
    assert (answer.status_code, answer.data["code"]) == (202, "proposed")
    made = Proposal.objects.get(pk=answer.data["proposal"])
    assert (made.by, made.author_id) == (call.machine.audit_key, ann.person_id)
    with pytest.raises(IdentityError, match="by a token that you made"):
        proposals.approve(principal=ann, proposal=made)
    assert changes.claims_of(Account.objects.get(pk=account.pk)).nats.limits.conn == -1
    assert proposals.approve(principal=bob, proposal=made).state == "approved"
    assert changes.claims_of(Account.objects.get(pk=account.pk)).nats.limits.conn == 5


def test_no_token_opens_the_pages_on_which_proposals_are_approved(account: Account) -> None:
    made = make.proposal(account)
    call = calls.caller(operator=account.operator, by=make.principal())
    url = reverse("proposal-approve", args=[account.operator.public_key, made.pk])
    answer = Client().post(url, headers={"Authorization": f"Bearer {call.token}"})
    assert answer.status_code == 302 and answer["Location"].startswith(reverse("account_login"))
    assert Proposal.objects.get().state == "open"


def test_what_can_not_be_proposed_is_a_conflict(account: Account) -> None:
    with pytest.raises(four_eyes.SecondPersonNeeded) as refused:
        four_eyes.refuse(make.principal(), account.operator)
    answer = problems.of_refusal(refused.value)
    assert (answer.status_code, json.loads(answer.content)["code"]) == (409, "second-person-needed")


def test_a_dry_run_tells_the_change_and_proposes_nothing(account: Account) -> None:
    who = make.principal()
    limits = replace(changes.claims_of(account).nats.limits, conn=3)

    def save(version: int) -> Answer:
        accounts.update_limits(principal=who, account=account, limits=limits, version=version)
        return Answer()

    request = RequestFactory().put("/?dry_run=true", headers={"If-Match": "*"})
    told = editing.written(request, account, plan=lambda: accounts.plan_limits(account, limits), save=save)
    assert told.body is not None
    assert "conn" in str(told.body)
    assert not Proposal.objects.exists()
    assert Account.objects.get(pk=account.pk).version == account.version
    with pytest.raises(proposing.Proposed):
        editing.written(
            RequestFactory().put("/", headers={"If-Match": "*"}),
            account,
            plan=lambda: accounts.plan_limits(account, limits),
            save=save,
        )
    assert Proposal.objects.count() == 1
