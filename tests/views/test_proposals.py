"""Pages of proposals: where an edit leads, who may decide, and what stands there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from identities import lookup
from identities.claims.drafts import AccountEdit
from identities.models import Account, Operator, Person, Proposal, User
from identities.policy.principal import Role
from identities.services import accounts, changes
from tests import make
from tests.pages import Page, Visitor, named

pytestmark = pytest.mark.django_db
COMMAND: dict[str, Any] = {"principal": make.COMMAND}


@pytest.fixture
def orders(db: None) -> Account:
    """An account of an operator that asks everybody for a second person."""
    account = make.account(make.operator("Main"), "Orders")
    make.four_eyes(account.operator)
    return account


def url(name: str, row: Account | Operator, *more: object) -> str:
    keys = [row.operator.public_key, row.public_key] if isinstance(row, Account) else [row.public_key]
    return reverse(name, args=[*keys, *more])


def proposed(visitor: Visitor, orders: Account, description: str = "Orders of the shop.") -> Page:
    """Somebody edits the account, and lands on the proposal."""
    form = visitor.open(url("account-edit", orders))
    assert "This operator asks for four eyes" in form.text
    return visitor.send(form, action="/edit", description=description)


def test_an_edit_leads_to_its_proposal_and_a_second_person_signs_it(orders: Account) -> None:
    ann, bob = named("ann"), named("bob")
    page = proposed(ann, orders)
    assert page.status == 200
    assert "Nothing is signed until a second person approves it" in page.text
    assert "Edited account “Orders”: nats.description" in page.text
    assert "nats.description not set Orders of the shop." in page.text
    assert "You proposed it yourself: a second person has to approve it." in page.text
    assert not any(form.action.endswith("/approve") for form in page.forms)
    assert Account.objects.get(pk=orders.pk).version == 1

    listed = bob.open(bob.open(url("operator", orders.operator)).link("/proposals"))
    assert "Edited account “Orders”: nats.description" in listed.text
    page = bob.open(listed.link(f"/proposals/{Proposal.objects.get().pk}"))
    said = bob.send(page, action="/comment", text="Which shop?")
    assert "bob" in said.text and "Which shop?" in said.text
    done = bob.send(said, action="/approve")
    assert "Approved and signed." in done.text
    assert changes.claims_of(Account.objects.get(pk=orders.pk)).nats.description == "Orders of the shop."
    assert not any(form.action.endswith("/approve") for form in done.forms)


def test_a_new_user_is_proposed_from_a_page_without_a_row_of_its_own(orders: Account) -> None:
    ann, bob = named("ann"), named("bob")
    form = ann.open(url("user-create", orders))
    page = ann.send(form, action="/users/new" if "/users/new" in form.url else "", name="picker")
    assert "a new key, made when this is approved" in page.text
    assert not User.objects.filter(name="picker").exists()
    bob.send(bob.open(page.url), action="/approve")
    assert User.objects.get(name="picker").has_seed


def test_a_stale_proposal_says_what_changed_and_is_proposed_again_by_its_author(orders: Account) -> None:
    ann, bob = named("ann"), named("bob")
    page = proposed(ann, orders)
    accounts.update(
        **COMMAND, account=orders, edit=AccountEdit(name="Orders", info_url="https://x.example"), version=1
    )
    stale = bob.open(page.url)
    assert "What this was made from has changed since then" in stale.text
    assert "nats.info_url not set https://x.example" in stale.text
    assert not any(form.action.endswith(("/approve", "/again")) for form in stale.forms)
    again = ann.send(ann.open(page.url), action="/again")
    assert again.url != page.url
    assert "has changed since then" not in again.text
    assert "Approved and signed." in bob.send(bob.open(again.url), action="/approve").text


def test_declining_says_why_and_withdrawing_is_for_the_author(orders: Account) -> None:
    ann, bob = named("ann"), named("bob")
    one, other = proposed(ann, orders, "one"), proposed(ann, orders, "other")
    declined = bob.send(bob.open(one.url), action="/decline", note="Not that one.")
    assert "Declined." in declined.text and "Not that one." in declined.text
    assert not any(form.action.endswith("/withdraw") for form in bob.open(other.url).forms)
    assert "Withdrawn." in ann.send(ann.open(other.url), action="/withdraw").text
    listed = bob.open(url("operator-proposals", orders.operator))
    assert "Nothing waits." in listed.text
    assert "Declined by bob" in bob.open(url("operator-proposals", orders.operator) + "?all=1").text


def test_who_decided_first_is_told_to_the_second(orders: Account) -> None:
    ann, bob, eve = named("ann"), named("bob"), named("eve")
    page = proposed(ann, orders)
    seen = eve.open(page.url)
    bob.send(bob.open(page.url), action="/decline")
    late = eve.send(seen, action="/approve")
    assert late.status == 422
    assert "It was declined by bob meanwhile." in late.text


def test_four_eyes_are_switched_on_at_once_and_off_by_two() -> None:
    operator = make.operator("Main")
    ann, bob = named("ann"), named("bob")
    page = ann.open(url("operator-proposals", operator))
    on = ann.send(page, action="/four-eyes", mode="everybody")
    assert "Saved whose edits" in on.text
    off = ann.send(on, action="/four-eyes", mode="")
    assert "nobody's edits need a second person" in off.text
    assert Operator.objects.get(pk=operator.pk).four_eyes == "everybody"
    bob.send(bob.open(off.url), action="/approve")
    assert Operator.objects.get(pk=operator.pk).four_eyes == ""


def test_a_viewer_reads_and_decides_nothing_and_a_stranger_finds_nothing(orders: Account) -> None:
    made = make.proposal(orders)
    viewer = named("vera", Role.VIEWER)
    page = viewer.open(url("proposal", orders.operator, made.pk))
    assert page.status == 200
    assert [form for form in page.forms if "/proposals/" in form.action] == []
    stranger = named("steve", account=make.account(orders.operator))
    for name in ("approve", "decline", "withdraw", "comment", "again"):
        address = url(f"proposal-{name}", orders.operator, made.pk)
        assert viewer.client.post(address).status_code == 403
        assert stranger.client.post(address).status_code == 404
    assert stranger.open(url("proposal", orders.operator, made.pk)).status == 404
    assert "Edited account" not in stranger.open(url("operator-proposals", orders.operator)).text
    assert viewer.client.post(url("operator-four-eyes", orders.operator), {"mode": ""}).status_code == 403


def test_who_made_a_machine_s_token_is_told_so_and_who_else_may_approve(orders: Account) -> None:
    ann, bob = named("ann"), named("bob")
    owner = lookup.person_principal(Person.objects.get(username="ann"))
    made = make.proposal(orders, by=make.machine(orders.operator, by=owner, name="ci"))
    address = url("proposal", orders.operator, made.pk)
    page = ann.open(address)
    assert "by ci (a machine; its token was made by ann)." in page.text
    why = "“ci” proposed it by a token that you made: a second person has to approve it. Who may: bob."
    assert why in page.text
    assert [form.action for form in page.forms if form.action.endswith("/approve")] == []
    assert ann.client.post(url("proposal-approve", orders.operator, made.pk)).status_code == 422
    assert Proposal.objects.get().state == "open"
    theirs = bob.open(address)
    assert "its token was made by ann" in theirs.text and why not in theirs.text
    assert "Approved and signed." in bob.send(theirs, action="/approve").text


def test_of_a_token_that_nobody_made_the_page_says_so_and_what_to_do(orders: Account) -> None:
    bob = named("bob")
    made = make.proposal(orders, by=make.machine(orders.operator, name="ci"))
    page = bob.open(url("proposal", orders.operator, made.pk))
    assert "by ci (a machine; nobody knows who made its token)." in page.text
    assert "Have it proposed again by a new token, and decline this one." in page.text
    assert not any(form.action.endswith("/approve") for form in page.forms)
    assert "Declined." in bob.send(page, action="/decline").text


def test_an_empty_comment_is_refused_and_said_where(orders: Account) -> None:
    made = make.proposal(orders)
    bob = named("bob")
    page = bob.open(url("proposal", orders.operator, made.pk))
    refused = bob.send(page, action="/comment", text="")
    assert refused.status == 422
    assert "required" in refused.text


def test_what_stands_in_a_proposal_can_not_break_its_page(orders: Account) -> None:
    ann = named("ann")
    page = proposed(ann, orders, "<img src=x onerror=alert(1)>")
    assert "<img src=x" not in page.html
    assert "&lt;img src=x" in page.html


def test_the_list_takes_as_many_queries_however_many_there_are(orders: Account) -> None:
    admin = make.client()
    counts = []
    for _ in range(2):
        for _ in range(3):
            make.proposal(orders)
        with CaptureQueriesContext(connection) as seen:
            assert admin.get(url("operator-proposals", orders.operator)).status_code == 200
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_limits_are_proposed_with_what_they_do_to_whoever_is_connected(orders: Account) -> None:
    ann = named("ann")
    limits = replace(changes.claims_of(orders).nats.limits, conn=0)
    form = ann.open(url("account-limits", orders))
    page = ann.send(form, action="/limits", conn=str(limits.conn))
    if page.status == 422:
        page = ann.send(page, accept=page.response.context["form"].preview.code)
    assert "nats.limits.conn unlimited 0" in page.text
