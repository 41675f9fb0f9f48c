"""What waits for somebody is exactly what the services would let them decide, whatever they hold and wherever."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytest_django import DjangoAssertNumQueries

from identities import lookup
from identities.claims.drafts import RoleDraft, SigningKeyDraft, UserDraft
from identities.errors import IdentityError
from identities.models import Account, ActivationRequest, Key, Operator, Proposal, Purpose
from identities.policy import decisions, powers
from identities.policy.actions import Action
from identities.policy.principal import Principal, Role, ScopeKind
from identities.queries import waiting
from identities.services import (
    accounts,
    activation_requests,
    changes,
    grants,
    operators,
    proposals,
    proposing,
    signing_keys,
    users,
)
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def orders() -> Account:
    return make.account(make.operator("Main"), "Orders")


@pytest.fixture
def author(orders: Account) -> Principal:
    """Somebody who proposed of each sort: of the operator, of what it grants an account, of an account, of a user."""
    other = make.account(orders.operator, "Billing")
    elsewhere = make.account(make.operator("Other"), "Orders")
    who = make.principal()
    for account in (orders, other, elsewhere):
        make.four_eyes(account.operator)
        make.proposal(account, by=who)
        limits = replace(changes.claims_of(account).nats.limits, conn=7)
        with pytest.raises(proposing.Proposed):
            accounts.update_limits(principal=who, account=account, limits=limits, version=account.version)
        with pytest.raises(proposing.Proposed):
            users.create(principal=who, account=account, draft=UserDraft(name="ann"))
    for operator in (orders.operator, elsewhere.operator):
        with pytest.raises(proposing.Proposed):
            proposals.choose_mode(principal=who, operator=operator, mode="members")
    return who


def at(orders: Account) -> list[Principal]:
    """Somebody for each grant that there can be, on the account's side, and one with two narrow ones."""
    draft = SigningKeyDraft(role=RoleDraft(role="device"))
    row = Account.objects.select_related("operator").get(pk=orders.pk)
    role_key = signing_keys.add(principal=make.COMMAND, account=row, draft=draft, version=row.version)
    places: dict[ScopeKind, grants.Place] = {
        ScopeKind.INSTALLATION: None,
        ScopeKind.OPERATOR: orders.operator,
        ScopeKind.ACCOUNT: orders,
        ScopeKind.ROLE: role_key,
    }
    found = [make.principal(None)]
    for kind, role in powers.POWERS:
        person = make.person(None)
        grants.give(principal=make.COMMAND, holder=person, role=role, place=places[kind])
        found.append(lookup.person_principal(person))
    both = make.person(Role.USER_MANAGER, account=orders)
    make.grant(both, Role.AUDITOR, operator=orders.operator)
    return [*found, lookup.person_principal(both)]


def may_approve(principal: Principal) -> set[int]:
    """By asking the service of each."""
    allowed = set()
    for one in Proposal.objects.visible_to(principal).waiting():
        try:
            proposals.refuse_approval(principal, one)
        except IdentityError:
            continue
        allowed.add(one.pk)
    return allowed


def may_grant(principal: Principal) -> dict[int, set[int]]:
    """By asking of each account that one sees; the accounts by request."""
    found: dict[int, set[int]] = {}
    for account in Account.objects.visible_to(principal).live().filter(operator__deleted_at=None):
        asked = (
            decisions.decide(principal, action, accounts.scope(account))
            for action in (Action.ACTIVATION_ANSWER, Action.ACTIVATION_ISSUE)
        )
        if all(isinstance(each, decisions.Allowed) for each in asked):
            for one in ActivationRequest.objects.asked_of(account).waiting():
                found.setdefault(one.pk, set()).add(account.pk)
    return found


def test_proposals_wait_for_exactly_those_who_may_approve_them(orders: Account, author: Principal) -> None:
    numbers = set()
    for who in (author, *at(orders)):
        told = set(waiting.approvable(who).values_list("pk", flat=True))
        assert told == may_approve(who), who.roles
        numbers.add(len(told))
    assert numbers == {0, 1, 2, 7, 11}, (
        "some may all of it, some what is an operator's, an account's or a user's"
    )


def test_what_a_machine_proposed_waits_for_others_than_who_made_its_token(orders: Account) -> None:
    make.four_eyes(orders.operator)
    maker, other = make.principal(), make.principal()
    one = make.proposal(orders, by=make.machine(orders.operator, by=maker, name="known"))
    unknown = make.proposal(orders, by=make.machine(orders.operator, name="unknown"))
    for who in (maker, other):
        assert set(waiting.approvable(who).values_list("pk", flat=True)) == may_approve(who)
    assert waiting.approvable(maker).count() == 0
    assert [row.pk for row in waiting.approvable(other)] == [one.pk] != [unknown.pk]


def test_with_a_token_nothing_waits_as_a_person_has_to_approve(orders: Account, author: Principal) -> None:
    second = make.principal()
    assert waiting.approvable(second).count() == Proposal.objects.count()
    for who in (replace(second, token_id=5), replace(second, person_id=None), make.COMMAND):
        assert waiting.approvable(who).count() == 0


def test_what_was_decided_or_is_gone_waits_no_more(orders: Account, author: Principal) -> None:
    second = make.principal()
    mine = Proposal.objects.filter(account=orders)
    before = waiting.approvable(second).count()
    proposals.decline(principal=second, proposal=mine.select_related("operator")[0])
    assert waiting.approvable(second).count() == before - 1
    accounts.delete(principal=make.COMMAND, account=orders, version=orders.version)
    assert waiting.approvable(second).filter(account=orders).count() == 0
    other = Operator.objects.get(name="Other")
    operators.delete(principal=make.COMMAND, operator=other, version=other.version)
    assert set(waiting.approvable(second).values_list("operator__name", flat=True)) == {"Main"}


def test_requests_wait_for_exactly_those_who_may_grant_them(orders: Account) -> None:
    billing, theirs = make.account(orders.operator), make.account(make.operator("Other"))
    for exporter in (orders, theirs):
        make.export(exporter, "orders.>", token_req=True)
    asked = [
        make.activation_request(billing, orders, "orders.new"),
        make.activation_request(theirs, orders, "orders.new"),
        make.activation_request(billing, theirs, "orders.new"),
    ]
    numbers = []
    for who in at(orders):
        told = {one.pk: {one.exporter} for one in waiting.grantable(who)}
        assert told == may_grant(who), who.roles
        numbers.append(len(told))
    assert sorted(set(numbers)) == [0, 2, 3]
    who = make.principal(account=orders)
    activation_requests.decline(principal=who, account=orders, request=asked[0])
    assert [one.pk for one in waiting.grantable(who)] == [asked[1].pk]
    accounts.delete(principal=make.COMMAND, account=theirs, version=theirs.version)
    assert waiting.grantable(make.principal()).count() == 0


def test_of_accounts_with_one_key_the_nearest_is_the_one_that_is_asked(orders: Account) -> None:
    billing, twin = make.account(orders.operator), make.account(make.operator("Other"))
    make.export(orders, "orders.>", token_req=True)
    request = make.activation_request(billing, orders, "orders.new")
    key = Key.objects.get(account=orders, public_key=orders.public_key, purpose=Purpose.IDENTITY)
    key.pk, key.account, key.operator_id, key.sealed = None, twin, twin.operator_id, None
    key.save()
    for who, number in ((make.principal(account=twin), 0), (make.principal(account=orders), 1)):
        assert len(may_grant(who)) == waiting.grantable(who).count() == number
    assert [one.exporter for one in waiting.grantable(make.principal())] == [orders.pk]
    strange = make.account(make.operator("Third"))
    far = make.activation_request(strange, orders, "orders.new")
    assert may_grant(make.principal()) == {request.pk: {orders.pk}, far.pk: {orders.pk, twin.pk}}
    for account in (orders, twin):
        found = waiting.grantable(make.principal(account=account)).get(pk=far.pk)
        assert found.exporter == account.pk


def test_the_oldest_are_told_and_all_are_counted(orders: Account, author: Principal) -> None:
    billing = make.account(orders.operator)
    make.export(Account.objects.select_related("operator").get(pk=orders.pk), "orders.>", token_req=True)
    for number in range(waiting.MOST + 2):
        make.activation_request(billing, orders, f"orders.{number}")
    found = waiting.waiting(make.principal())
    assert [one.pk for one in found.proposals] == list(
        Proposal.objects.order_by("pk").values_list("pk", flat=True)[: waiting.MOST]
    )
    assert [one.request.subject for one in found.requests] == [f"orders.{n}" for n in range(waiting.MOST)]
    assert {one.account.name for one in found.requests} == {"Orders"}
    assert found.number == Proposal.objects.count() + waiting.MOST + 2


def test_who_may_decide_nothing_is_asked_for_nothing(
    orders: Account, author: Principal, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for who in (make.principal(None), make.principal(Role.VIEWER, operator=orders.operator)):
        with django_assert_num_queries(0):
            assert waiting.waiting(who) == waiting.Waiting()
