"""Before an edit is signed it is shown; what should have been meant is accepted first."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from identities.models import Account, IssuedToken
from identities.services import changes
from tests import make
from tests.pages import Visitor, saved_all_the_same

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(db: None) -> Client:
    return make.client()


@pytest.fixture
def orders(db: None) -> Account:
    return make.account(make.operator("Test"), "Orders")


def url(name: str, account: Account) -> str:
    return reverse(name, args=[account.operator.public_key, account.public_key])


def test_show_changes_shows_them_and_signs_nothing(admin: Client, orders: Account) -> None:
    signed = IssuedToken.objects.count()
    visitor = Visitor(admin)
    page = visitor.open(url("account-edit", orders))
    assert "What changes in the JWT" not in page.text
    shown = visitor.send(page, description="Orders of the shop", preview="1")
    assert shown.status == 200
    assert "What changes in the JWT" in shown.text
    assert "nats.description not set Orders of the shop" in shown.text
    orders.refresh_from_db()
    assert orders.description == ""
    assert IssuedToken.objects.count() == signed
    visitor.send(shown, action="/edit")
    orders.refresh_from_db()
    assert orders.description == "Orders of the shop"


def test_show_changes_says_when_there_are_none(admin: Client, orders: Account) -> None:
    visitor = Visitor(admin)
    shown = visitor.send(visitor.open(url("account-edit", orders)), preview="1")
    assert "Nothing would change" in shown.text


def test_show_changes_of_what_is_refused_says_why_beside_the_field(admin: Client, orders: Account) -> None:
    visitor = Visitor(admin)
    shown = visitor.send(visitor.open(url("account-limits", orders)), conn="-7", preview="1")
    assert shown.status == 422
    assert "-7 is below -1" in shown.text


def test_a_new_warning_is_accepted_before_it_is_saved(admin: Client, orders: Account) -> None:
    visitor = Visitor(admin)
    page = visitor.open(url("account-limits", orders))
    values = {name: held[0] for name, held in page.form("conn").values.items()}
    values["conn"] = "none"
    answer = saved_all_the_same(admin, page.url, values)
    assert answer.status_code == 302
    orders.refresh_from_db()
    assert changes.claims_of(orders).nats.limits.conn == 0


def test_a_warning_that_was_there_before_is_not_asked_about_again(admin: Client, orders: Account) -> None:
    visitor = Visitor(admin)
    page = visitor.open(url("account-limits", orders))
    values = {name: held[0] for name, held in page.form("conn").values.items()}
    saved_all_the_same(admin, page.url, {**values, "conn": "none"})
    page = visitor.send(visitor.open(page.url), leaf="5")
    assert "Saved the limits" in page.text


def test_an_acceptance_of_other_warnings_does_not_count(admin: Client, orders: Account) -> None:
    visitor = Visitor(admin)
    page = visitor.open(url("account-limits", orders))
    values = {name: held[0] for name, held in page.form("conn").values.items()}
    first = admin.post(page.url, {**values, "conn": "none"})
    code = first.context["form"].preview.code
    again = admin.post(page.url, {**values, "conn": "none", "payload": "none", "accept": code})
    assert again.status_code == 422
    assert changes.claims_of(Account.objects.get(pk=orders.pk)).nats.limits.conn == -1


def test_a_stale_page_shows_no_preview_of_somebody_elses_work_undone(admin: Client, orders: Account) -> None:
    visitor = Visitor(admin)
    mine = visitor.open(url("account-edit", orders))
    visitor.send(visitor.open(url("account-edit", orders)), description="theirs")
    shown = visitor.send(mine, info_url="https://example.com", preview="1")
    assert shown.status == 409
    assert "changed by" in shown.text


def test_htmx_gets_the_panel_with_the_preview_in_it(admin: Client, orders: Account) -> None:
    page = Visitor(admin).open(url("account-edit", orders))
    values = {name: held[0] for name, held in page.form("description").values.items()}
    answer = admin.post(
        page.url, {**values, "description": "x", "preview": "1"}, headers={"HX-Request": "true"}
    )
    text = answer.content.decode()
    assert answer.status_code == 200
    assert text.lstrip().startswith("<section")
    assert 'class="form-preview"' in text
