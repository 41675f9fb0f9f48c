"""Four eyes are those of two people: who made a machine's token is the person behind what it proposes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps

from identities import lookup
from identities.errors import IdentityError
from identities.models import Account, ApiToken, Person, Proposal, ServiceAccount
from identities.policy.decisions import Forbidden
from identities.policy.principal import Principal, Role
from identities.queries import approvers
from identities.services import api_tokens, clock, grants, invitations, proposals, service_accounts
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def orders() -> Account:
    """An account of an operator that asks for four eyes of everybody."""
    account = make.account(make.operator("Main"), "Orders")
    make.four_eyes(account.operator)
    return account


def owner(name: str) -> Principal:
    return lookup.person_principal(make.person(username=name))


def machine(number: int | None = None) -> ServiceAccount:
    return ServiceAccount.objects.get(**({} if number is None else {"pk": number}))


def token(by: Principal, holder: ServiceAccount | Person, **options: Any) -> ApiToken:
    ends = clock.now() + timedelta(days=1)
    return api_tokens.make(principal=by, holder=holder, name="t", expires_at=ends, **options).token


def test_who_made_a_machine_s_token_does_not_approve_what_it_proposes_and_others_do(orders: Account) -> None:
    ann, bob = owner("ann"), owner("bob")
    made = make.proposal(orders, by=make.machine(orders.operator, by=ann, name="ci"))
    assert (made.author_id, made.by) == (ann.person_id, machine().audit_key)
    with pytest.raises(IdentityError) as refused:
        proposals.approve(principal=ann, proposal=made)
    assert refused.value.user_message == (
        "“ci” proposed it by a token that you made: a second person has to approve it. Who may: bob."
    )
    made.refresh_from_db()
    assert made.state == "open"
    assert proposals.approve(principal=bob, proposal=made).state == "approved"


def test_of_several_tokens_the_one_by_which_it_was_proposed_counts(orders: Account) -> None:
    ann, bob = owner("ann"), owner("bob")
    by_ann = make.machine(orders.operator, by=ann)
    by_bob = api_tokens.narrowed(
        lookup.service_account_principal(machine()), token(bob, machine(), operator=orders.operator)
    )
    for who, maker, other in ((by_ann, ann, bob), (by_bob, bob, ann)):
        made = make.proposal(Account.objects.get(pk=orders.pk), str(who.token_id), by=who)
        with pytest.raises(IdentityError, match="by a token that you made"):
            proposals.approve(principal=maker, proposal=made)
        assert proposals.approve(principal=other, proposal=made).state == "approved"


@pytest.mark.parametrize("maker", ["ann", "bob", "nobody"])
def test_a_machine_approves_nothing_whoever_made_its_token(orders: Account, maker: str) -> None:
    ann, bob = owner("ann"), owner("bob")
    made = make.proposal(orders, by=ann)
    by = {"ann": ann, "bob": bob, "nobody": make.COMMAND}[maker]
    with pytest.raises(IdentityError, match="A person has to approve it, signed in"):
        proposals.approve(principal=make.machine(orders.operator, by=by), proposal=made)
    own = api_tokens.narrowed(bob, token(bob, Person.objects.get(username="bob")))
    with pytest.raises(IdentityError, match="A person has to approve it, signed in"):
        proposals.approve(principal=own, proposal=made)
    assert Proposal.objects.get(pk=made.pk).state == "open"


def test_what_somebody_proposed_by_a_token_of_their_own_they_do_not_approve(orders: Account) -> None:
    ann = owner("ann")
    own = api_tokens.narrowed(ann, token(ann, Person.objects.get(username="ann")))
    made = make.proposal(orders, by=own)
    with pytest.raises(IdentityError, match="You proposed it yourself: a second person"):
        proposals.approve(principal=ann, proposal=made)
    assert proposals.approve(principal=owner("bob"), proposal=made).state == "approved"


def test_where_nobody_knows_who_made_the_token_nobody_approves_until_it_is_proposed_by_another(
    orders: Account,
) -> None:
    ann, bob = owner("ann"), owner("bob")
    ci = make.machine(orders.operator, name="ci")
    made = make.proposal(orders, by=ci)
    assert made.author is None
    admin = make.principal(
        operator=orders.operator
    )  # who could not have made it, and is refused all the same
    for who in (ann, bob, admin):
        with pytest.raises(IdentityError, match="Nobody knows who made the token by which “ci” proposed it"):
            proposals.approve(principal=who, proposal=made)
    assert proposals.decline(principal=bob, proposal=made).state == "declined"
    anew = api_tokens.narrowed(lookup.service_account_principal(machine()), token(ann, machine()))
    again = proposals.again(principal=anew, proposal=made)
    with pytest.raises(IdentityError, match="by a token that you made"):
        proposals.approve(principal=ann, proposal=again)
    assert proposals.approve(principal=admin, proposal=again).state == "approved"


def test_a_token_that_a_machine_makes_has_the_person_behind_that_machine(orders: Account) -> None:
    ann = owner("ann")
    first = make.api_token(name="first", by=ann)
    make.grant(machine(), Role.ADMINISTRATOR)
    maker = api_tokens.narrowed(lookup.service_account_principal(machine()), first)
    made = make.proposal(orders, by=make.machine(orders.operator, by=maker, name="second"))
    assert made.by_name == "second"
    with pytest.raises(IdentityError, match="“second” proposed it by a token that you made"):
        proposals.approve(principal=ann, proposal=made)
    own = api_tokens.narrowed(ann, token(ann, Person.objects.get(username="ann")))
    assert token(own, machine(first.service_account_id)).maker_id == ann.person_id


def test_a_name_or_role_that_changes_does_not_make_another_person(orders: Account) -> None:
    ann = owner("ann")
    made = make.proposal(orders, by=make.machine(orders.operator, by=ann, name="ci"))
    service_accounts.update(principal=ann, machine=machine(), name="other", description="", is_active=True)
    api_tokens.revoke(principal=ann, token=ApiToken.objects.get())
    Person.objects.filter(pk=ann.person_id).update(username="anna", name="Anna")
    renamed = lookup.person_principal(Person.objects.get(pk=ann.person_id))
    with pytest.raises(IdentityError, match="by a token that you made"):
        proposals.approve(principal=replace(renamed, key="person:0"), proposal=made)


class TestOthers:
    def test_are_those_who_could_approve_by_asking_the_service(self, orders: Account) -> None:
        ann = owner("ann")
        made = make.proposal(orders, by=make.machine(orders.operator, by=ann))
        make.staff(Role.ADMINISTRATOR, operator=orders.operator)
        make.staff(Role.VIEWER)
        make.person(Role.ADMINISTRATOR, account=orders)
        make.person(Role.USER_MANAGER, account=orders)
        make.person(Role.ADMINISTRATOR, account=make.account(orders.operator))
        make.person(Role.ADMINISTRATOR, operator=make.operator())
        make.person(Role.AUDITOR)
        off = make.person()
        off.is_active = False
        off.save()
        able = set()
        for person in Person.objects.filter(is_active=True):
            try:
                proposals.refuse_approval(lookup.person_principal(person), made)
            except IdentityError:
                continue
            able.add(person.pk)
        assert {person.pk for person in approvers.others(made)} == able
        assert len(able) == 2

    def test_are_named_a_few_and_who_is_alone_learns_which_role_is_missing(self, orders: Account) -> None:
        ann = owner("ann")
        made = make.proposal(orders, by=ann)
        assert approvers.told(ann, made) == (
            "Nobody else may yet: somebody needs the role “Account admin” for that."
        )
        for name in ("bea", "cid", "dan", "eve", "fay", "gus"):
            owner(name)
        assert approvers.told(ann, made) == "Who may: bea, cid, dan, eve, fay and others."
        with pytest.raises(Forbidden):  # who may not decide is told nobody's name
            proposals.approve(principal=make.principal(Role.VIEWER), proposal=made)


def test_the_makers_of_tokens_that_there_were_come_from_the_audit(orders: Account) -> None:
    ann = owner("ann")
    known, command = make.api_token(name="known", by=ann), make.api_token(name="command")
    own = token(ann, Person.objects.get(username="ann"))
    ApiToken.objects.update(maker=None)
    gone = make.api_token(name="gone", by=ann)
    ApiToken.objects.filter(pk=gone.pk).update(maker=None, prefix="somebodyelse")
    import_module("identities.migrations.0025_token_makers").fill(apps, None)
    makers = dict(ApiToken.objects.values_list("pk", "maker"))
    assert makers == {
        known.pk: ann.person_id,
        own.pk: ann.person_id,
        command.pk: None,
        gone.pk: None,
    }


def test_whose_edits_need_a_second_person_does_not_choose_them(orders: Account) -> None:
    operator = orders.operator
    admin, loose = make.principal(operator=operator), make.person(None, username="loose")
    for role, place in ((Role.ADMINISTRATOR, operator), (Role.USER_MANAGER, orders)):
        with pytest.raises(Forbidden, match=r"asks for four eyes on what you edit.* an owner makes somebody"):
            grants.give(principal=admin, holder=loose, role=role, place=place)
        draft = invitations.InvitationDraft(name="Bob", roles=((role, place),))
        with pytest.raises(Forbidden, match="asks for four eyes"):
            invitations.invite(principal=admin, draft=draft)
    grants.give(principal=admin, holder=loose, role=Role.VIEWER, place=orders)
    assert set(grants.roles_for(admin, operator)) == {Role.AUDITOR, Role.VIEWER}
    grants.give(principal=owner("ann"), holder=loose, role=Role.ADMINISTRATOR, place=operator)
    assert Person.objects.count() == 3


def test_where_only_others_edits_need_one_an_admin_of_the_operator_chooses(orders: Account) -> None:
    make.four_eyes(orders.operator, "members")
    loose = make.person(None, username="loose")
    with pytest.raises(Forbidden, match="asks for four eyes"):
        grants.give(
            principal=make.principal(account=orders), holder=loose, role=Role.USER_MANAGER, place=orders
        )
    chief = make.principal(operator=orders.operator)
    assert grants.give(principal=chief, holder=loose, role=Role.USER_MANAGER, place=orders).pk
