"""Imports edited, renewed and deleted on their pages; what nobody touched stays as it was, tokens too."""

from __future__ import annotations

import pytest
from django.test import Client

from identities.claims import codec
from identities.claims.drafts import Minting
from identities.claims.imports import Import
from identities.models import Account, IssuedToken, Operator
from identities.services import accounts, changes, clock
from tests import make
from tests.pages import Visitor, saved_all_the_same
from tests.views.import_pages import STRANGER, handle, held, token_for, url, values

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Client:
    return make.client()


@pytest.fixture
def operator() -> Operator:
    return make.operator("Test")


@pytest.fixture
def orders(operator: Operator) -> Account:
    return make.account(operator, "Orders")


@pytest.fixture
def billing(operator: Operator) -> Account:
    return make.account(operator, "Billing")


def test_an_untouched_form_signs_nothing_and_keeps_the_token(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.*", token_req=True)
    one = make.imported(
        billing,
        "orders.*",
        of=orders,
        local_subject="eu.$1",
        name="two\nlines",
        allow_trace=True,
        extra={"later": 1},
    )
    signed = IssuedToken.objects.count()
    visitor = Visitor(admin)
    form = visitor.open(url("import-edit", billing, handle(billing)))
    assert "As it is: valid" in form.text
    page = visitor.send(form, action="/edit")
    assert "Nothing was changed, so nothing was signed." in page.text
    assert IssuedToken.objects.count() == signed
    assert held(billing) == (one,)


def test_everything_can_be_edited_and_cleared_again(admin: Client, orders: Account, billing: Account) -> None:
    make.export(orders, "api", type="service")
    make.imported(
        billing,
        "api",
        of=orders,
        type="service",
        local_subject="ask",
        share=True,
        extra={"later": 1},
        name="n",
    )
    visitor = Visitor(admin)
    form = visitor.open(url("import-edit", billing, handle(billing)))
    page = visitor.send(form, local_subject="", share=False, name="")
    assert "Saved the import api" in page.text
    assert held(billing) == (
        Import(subject="api", account=orders.public_key, type="service", extra={"later": 1}),
    )
    assert page.url.startswith(url("import", billing, handle(billing)))


def test_the_token_can_be_cleared_issued_anew_and_replaced(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.>", token_req=True)
    first = make.imported(billing, "orders.new", of=orders).token
    visitor = Visitor(admin)
    at = url("import-edit", billing, handle(billing))
    saved_all_the_same(admin, at, {**values(visitor.open(at), "account"), "minting": "none"})
    assert held(billing)[0].token == ""
    assert "None, and none is asked for" not in visitor.open(url("import", billing, handle(billing))).text
    visitor.send(visitor.open(at), minting="anew")
    second = held(billing)[0].token
    assert second not in ("", first)
    visitor.send(visitor.open(at), token=first)
    assert held(billing)[0].token == first


def test_the_deprecated_to_is_shown_where_it_stands_and_can_be_cleared(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.>")
    accounts.rewrite(
        principal=make.COMMAND,
        account=billing,
        plan=lambda row: changes.plan(
            row,
            changes.edit_body(
                imports=(Import(subject="orders.>", to="from", account=orders.public_key, type="stream"),)
            ),
            now=0,
        ),
        version=billing.version,
        done="Imported",
    )
    visitor = Visitor(admin)
    at = url("import-edit", billing, handle(billing))
    form = visitor.open(at)
    assert form.form("to").values["to"] == ["from"]
    assert "from.orders.>" in form.text
    visitor.send(form, to="", local_subject="from.orders.>")
    (one,) = held(billing)
    assert (one.to, one.local_subject) == ("", "from.orders.>")
    assert "to" not in visitor.open(url("import-edit", billing, handle(billing))).form("account").names


def test_a_stale_edit_shows_both_values(admin: Client, orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>")
    make.imported(billing, "orders.new", of=orders)
    visitor = Visitor(admin)
    mine = visitor.open(url("import-edit", billing, handle(billing)))
    visitor.send(visitor.open(mine.url), name="theirs")
    stale = visitor.send(mine, name="mine")
    assert stale.status == 409
    assert "Name theirs mine" in stale.text


def test_an_expired_token_is_offered_to_be_renewed(admin: Client, orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>", token_req=True)
    make.imported(billing, "orders.new", of=orders, minting=Minting.IF_ASKED)
    visitor = Visitor(admin)
    listed = visitor.open(url("imports", billing))
    assert "Renew" not in listed.text
    old = held(billing)[0].token
    soon = token_for(orders, billing.public_key, "orders.new", expires=clock.unix() + 3600)
    visitor.send(visitor.open(url("import-edit", billing, handle(billing))), token=soon)
    listed = visitor.open(url("imports", billing))
    assert "Expires in" in listed.text
    form = visitor.open(listed.link("Renew the token of orders.new"))
    page = visitor.send(form, token_expires="1y")
    assert "Renewed the token of orders.new" in page.text
    renewed = held(billing)[0].token
    assert renewed not in (old, soon)
    assert codec.decode(renewed).claims.exp > clock.unix() + 300 * 86_400
    refused = visitor.send(
        visitor.open(url("import-renew", billing, handle(billing))), token_expires="2020-01-01"
    )
    assert refused.status == 422


def test_deleting_shows_what_goes(admin: Client, orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>")
    make.imported(billing, "orders.new", of=orders, local_subject="mine")
    visitor = Visitor(admin)
    page = visitor.open(url("import-delete", billing, handle(billing)))
    assert "Clients of “Billing” can no longer receive mine." in page.text
    gone = visitor.send(page, action="/delete")
    assert "Deleted the import orders.new" in gone.text
    assert held(billing) == ()


def test_an_entry_that_holds_nothing_is_shown_and_can_be_deleted(admin: Client, billing: Account) -> None:
    make.imported(billing, "a", of=STRANGER)
    text = billing.claims.replace('"imports":[', '"imports":[null,')
    Account.objects.filter(pk=billing.pk).update(claims=text)
    visitor = Visitor(admin)
    page = visitor.open(url("imports", billing))
    assert "(nothing)" in page.text
    gone = visitor.send(visitor.open(page.link("Delete")), action="/delete")
    assert "Deleted the import" in gone.text
    assert [one.subject for one in held(billing)] == ["a"]


def test_odd_values_of_other_tools_stay_in_an_untouched_form(admin: Client, billing: Account) -> None:
    make.imported(billing, "a", of=STRANGER, name="two\nlines ")
    signed = IssuedToken.objects.count()
    visitor = Visitor(admin)
    form = visitor.open(url("import-edit", billing, handle(billing)))
    page = visitor.send(form, name="twolines")  # what an input of one line makes of it
    assert "Nothing was changed" in page.text
    assert IssuedToken.objects.count() == signed
