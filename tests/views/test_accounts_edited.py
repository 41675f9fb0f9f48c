"""Accounts edited on their pages: what changes, what signs nothing, and what is said when another was faster."""

from __future__ import annotations

import pytest
from django.test import Client

from identities.forms.base import THEIRS_TAKEN
from identities.models import Account, IssuedToken, Operator
from identities.services import accounts, changes
from tests import make
from tests.views.account_pages import edited, limited, url

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin() -> Client:
    return make.client()


@pytest.fixture
def operator() -> Operator:
    return make.operator("Test")


@pytest.fixture
def orders(operator: Operator) -> Account:
    return make.account(operator, "Orders")


def test_an_account_is_renamed_and_described_anew(admin: Client, orders: Account) -> None:
    typed = edited(orders, name="Sales", description="d", tags="b,a")
    assert admin.post(url("account-edit", orders), typed).status_code == 302
    orders.refresh_from_db()
    body = changes.claims_of(orders).nats
    assert (orders.name, body.description, body.tags) == ("Sales", "d", ("a", "b"))


def test_an_edit_that_changes_nothing_signs_nothing(admin: Client, operator: Operator) -> None:
    account = make.account(operator, "Orders", description="two\nlines", tags=("z", "a"))
    before = IssuedToken.objects.count()
    typed = edited(account, description="two\r\nlines", tags="z\r\na")
    answer = admin.post(url("account-edit", account), typed, follow=True)
    assert "Nothing was changed" in answer.content.decode()
    assert IssuedToken.objects.count() == before
    again = admin.post(url("account-limits", account), limited(account), follow=True)
    assert "Nothing was changed" in again.content.decode()


def test_a_stale_edit_shows_both_values_and_loses_nothing(admin: Client, orders: Account) -> None:
    admin.post(url("account-edit", orders), edited(orders, description="theirs"))
    mine = edited(orders, description="mine", tags="typed")
    answer = admin.post(url("account-edit", orders), mine, headers=HTMX)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "was changed by administrator" in page
    assert ">theirs<" in page
    assert ">mine<" in page
    assert "typed" in page
    orders.refresh_from_db()
    mine["version"] = str(orders.version)
    assert f'name="version" value="{orders.version}"' in page
    assert admin.post(url("account-edit", orders), mine).status_code == 302
    orders.refresh_from_db()
    assert changes.claims_of(orders).nats.description == "mine"


def test_a_stale_edit_takes_over_theirs_where_nobody_typed_here(admin: Client, orders: Account) -> None:
    mine = edited(orders, tags="mine")
    admin.post(url("account-edit", orders), edited(orders, description="theirs"))
    answer = admin.post(url("account-edit", orders), mine)
    form = answer.context["form"]
    assert [(one.label, one.theirs, one.yours) for one in form.differences] == [
        ("Description", "theirs", THEIRS_TAKEN),
        ("Tags", "", "mine"),
    ]
    again = {bound.html_name: bound.value() or "" for bound in form}
    assert admin.post(url("account-edit", orders), again).status_code == 302
    orders.refresh_from_db()
    body = changes.claims_of(orders).nats
    assert (body.description, body.tags) == ("theirs", ("mine",))


def test_what_was_deleted_meanwhile_is_not_found(admin: Client, orders: Account) -> None:
    typed = edited(orders, description="x")
    accounts.delete(principal=make.COMMAND, account=orders, version=orders.version)
    assert admin.post(url("account-edit", orders), typed).status_code == 404
