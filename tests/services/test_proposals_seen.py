"""Who sees what of a proposal, and who has a say in it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import Client

from identities import lookup
from identities.claims.sharing import export_handles
from identities.models import Account, Person, Proposal
from identities.policy.decisions import Forbidden
from identities.policy.principal import Principal, Role
from identities.services import accounts, changes, exports, manifests, proposals, proposing
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(db: None) -> Account:
    """An account of an operator that asks for four eyes of everybody."""
    account = make.account(make.operator("Main"), "Orders")
    make.four_eyes(account.operator)
    return account


def test_a_reader_is_told_of_no_account_that_they_may_not_see(account: Account) -> None:
    make.export(account, "orders.>")
    hidden = make.account(account.operator, "Hidden")
    make.imported(hidden, "orders.>", of=account)
    admin = make.principal(account=account)
    made = export_dropped(Account.objects.get(pk=account.pk), admin)
    assert proposals.consequences(admin, made) == []
    (line,) = proposals.consequences(make.principal(operator=account.operator), made)
    assert line.startswith("“Hidden” can no longer import orders.>.")
    with_both = make.principal(account=account)
    make.grant(Person.objects.get(pk=with_both.person_id), Role.VIEWER, account=hidden)
    assert proposals.consequences(as_now(with_both), made) == [line]
    for role in (Role.ADMINISTRATOR, Role.USER_MANAGER, Role.VIEWER):
        page = make.client(role, account=account).get(
            f"/operators/{account.operator.public_key}/proposals/{made.pk}"
        )
        assert page.status_code == 200 and b"Hidden" not in page.content


def export_dropped(account: Account, who: Principal) -> Proposal:
    (handle,) = export_handles(changes.claims_of(account).nats.exports)
    with pytest.raises(proposing.Proposed) as made:
        exports.delete(principal=who, account=account, handle=handle, version=account.version)
    return made.value.proposal


def as_now(who: Principal) -> Principal:
    return lookup.person_principal(Person.objects.get(pk=who.person_id))


def test_who_may_not_do_it_themselves_does_not_decline_it(account: Account) -> None:
    limits = replace(changes.claims_of(account).nats.limits, conn=7)
    author = make.principal(operator=account.operator)
    with pytest.raises(proposing.Proposed) as raised:
        accounts.update_limits(principal=author, account=account, limits=limits, version=account.version)
    made = raised.value.proposal
    for role in (Role.USER_MANAGER, Role.ADMINISTRATOR):  # limits are the operator's
        with pytest.raises(Forbidden):
            proposals.decline(principal=make.principal(role, account=account), proposal=made)
    assert Proposal.objects.get(pk=made.pk).state == "open"


def test_an_account_admin_sees_withdraws_and_comments_on_a_manifest_of_their_own(account: Account) -> None:
    admin = make.principal(account=account)
    text = manifests.text(admin, account.operator).replace("name: Orders", "name: Orders\n    description: x")
    with pytest.raises(proposing.Proposed) as raised:
        manifests.apply(principal=admin, operator=account.operator, data=text)
    made = raised.value.proposal
    assert made.account is None
    assert proposals.find(admin, account.operator, made.pk) == made
    other = make.principal(account=make.account(account.operator))
    with pytest.raises(lookup.NotFound):
        proposals.find(other, account.operator, made.pk)
    browser = Client()
    browser.force_login(Person.objects.get(pk=admin.person_id))
    address = f"/operators/{account.operator.public_key}/proposals/{made.pk}"
    assert browser.get(address).status_code == 200
    assert browser.post(f"{address}/comment", {"text": "For the audit"}).status_code == 302
    assert browser.post(f"{address}/withdraw").status_code == 302
    assert Proposal.objects.get(pk=made.pk).state == "withdrawn"
