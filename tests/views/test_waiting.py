"""What waits for somebody stands on their first page, with the way to it, and nothing of what they may not see."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from identities import lookup
from identities.models import Account, ActivationRequest, Proposal
from identities.policy.principal import Principal, Role
from identities.queries import waiting
from tests import make
from tests.pages import Page, Visitor, named

pytestmark = pytest.mark.django_db
HEADING = "Waiting for you"


@pytest.fixture
def orders() -> Account:
    """Exports `orders.>` privately."""
    account = make.account(make.operator("Main"), "Orders")
    make.export(account, "orders.>", token_req=True)
    return account


@pytest.fixture
def billing(orders: Account) -> Account:
    return make.account(orders.operator, "Billing")


def home(visitor: Visitor) -> Page:
    return visitor.open(reverse("dashboard"))


def proposed(account: Account, description: str = "proposed", *, by: Principal | None = None) -> Proposal:
    return make.proposal(Account.objects.select_related("operator").get(pk=account.pk), description, by=by)


def test_a_proposal_is_found_decided_and_gone_from_there(orders: Account) -> None:
    ann, bob = make.principal(), named("bob")
    assert HEADING not in home(bob).text
    made = proposed(orders, by=ann)
    page = home(bob)
    assert f"{HEADING} 1" in page.text
    assert made.summary in page.text
    assert f"Proposed by {ann.name} · Main / Orders" in page.text
    listed = bob.open(page.link("Main / Orders"))
    assert listed.url == reverse("operator-proposals", args=[orders.operator.public_key])
    found = bob.open(page.link(f"/proposals/{made.pk}"))
    assert "Approved and signed." in bob.send(found, action="/approve").text
    assert HEADING not in home(bob).text


def test_a_request_is_found_granted_and_gone_from_there(orders: Account, billing: Account) -> None:
    bob = named("bob", account=orders)
    made = make.activation_request(billing, orders, "orders.new")
    page = home(bob)
    assert f"{HEADING} 1" in page.text
    assert "A token for orders.new" in page.text
    assert f"Asked by {made.by_name} · Main / Orders" in page.text
    assert "Asked of us" in bob.open(page.link("Main / Orders")).text
    found = bob.open(page.link(f"/requests/{made.pk}/"))
    assert "Granted" in bob.send(found, action="/grant").text
    assert HEADING not in home(bob).text


def test_ones_own_waits_for_others(orders: Account) -> None:
    ann = make.person(username="ann")
    client = Client()
    client.force_login(ann)
    proposed(orders, by=lookup.person_principal(ann))
    assert HEADING not in home(Visitor(client)).text
    assert HEADING in home(named("bob")).text


def test_nothing_is_told_or_counted_of_what_one_may_not_decide_or_see(
    orders: Account, billing: Account
) -> None:
    made = proposed(billing, by=make.principal())
    request = make.activation_request(billing, orders, "orders.hidden")
    for visitor in (
        named("viewer", Role.VIEWER),
        named("auditor", Role.AUDITOR, operator=orders.operator),
        named("other", account=make.account(make.operator("Other"))),
        named("asker", Role.USER_MANAGER, account=billing),
    ):
        page = home(visitor).text
        assert HEADING not in page
        assert "orders.hidden" not in page.partition("Latest activity")[0]
    narrow = home(named("narrow", account=orders))
    assert f"{HEADING} 1" in narrow.text, "the request alone"
    assert "Billing" not in narrow.text
    assert made.summary not in narrow.text
    assert [address for _, address in narrow.links if address.endswith(f"/requests/{request.pk}/")]
    assert f"{HEADING} 2" in home(named("owner")).text


def test_twice_as_many_take_as_many_queries_and_the_oldest_are_shown(
    orders: Account, billing: Account
) -> None:
    visitor = named("bob")
    counts, shown = [], []
    for round_ in range(3):
        for number in range(waiting.MOST):
            proposed(orders, f"{round_}-{number}", by=make.principal())
            make.activation_request(billing, orders, f"orders.{round_}.{number}")
        with CaptureQueriesContext(connection) as caught:
            page = home(visitor)
        counts.append(len(caught))
        shown.append(page.text)
    assert counts[0] >= counts[1] == counts[2]
    assert f"{HEADING} {2 * waiting.MOST}" in shown[0]
    assert "the oldest of them here" not in shown[0]
    assert f"{HEADING} {6 * waiting.MOST}, the oldest of them here" in shown[2]
    assert "orders.0.0" in shown[2] and "A token for orders.2.0" not in shown[2]
    assert Proposal.objects.count() == ActivationRequest.objects.count() == 3 * waiting.MOST
