"""Requests for activations in a real browser, with JavaScript and without: asked from an import, granted by another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext, expect

from identities.models import Account
from identities.services import changes
from tests import make
from tests.e2e import crawl

pytestmark = pytest.mark.django_db(transaction=True)


def url(name: str, account: Account, *more: object) -> str:
    return reverse(name, args=[account.operator.public_key, account.public_key, *more])


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without"])
def test_one_asks_and_the_other_grants(
    live_server: Any,
    open_context: Callable[..., BrowserContext],
    accessible: Callable[..., None],
    scripts: bool,
) -> None:
    operator = make.operator("Main")
    orders, billing = make.account(operator, "Orders"), make.account(operator, "Billing")
    make.export(orders, "orders.>", token_req=True)
    make.person(username="bob", account=billing)
    make.person(username="ann", account=orders)
    bob, ann = (open_context(java_script_enabled=scripts).new_page() for _ in range(2))
    crawl.sign_in(bob, "bob", make.PASSWORD)
    bob.goto(url("imports", billing))
    bob.get_by_role("link", name="New import").first.click()
    bob.get_by_label("Exporting account").fill(orders.public_key)
    bob.get_by_label("Subject", exact=True).fill("orders.new")
    if scripts:
        bob.get_by_label("Subject", exact=True).press("Tab")
    else:
        bob.get_by_role("button", name="Show changes").click()
    bob.get_by_role("link", name="Ask for its token").click()
    expect(bob.get_by_label("Subject", exact=True)).to_have_value("orders.new")
    bob.get_by_label("Reason").fill("For the monthly reports.")
    crawl.shoot(bob, f"asking {scripts}")
    bob.get_by_role("button", name="Ask", exact=True).click()
    expect(bob.get_by_text("Asked. Whoever may answer sees it.")).to_be_visible()
    crawl.shoot(bob, f"asked {scripts}")
    if scripts:
        accessible(bob)

    crawl.sign_in(ann, "ann", make.PASSWORD)
    ann.goto(url("account", orders))
    ann.get_by_role("link", name="Requests").click()
    crawl.shoot(ann, f"asked of us {scripts}")
    ann.get_by_role("table").get_by_role("link").first.click()
    expect(ann.get_by_text("For the monthly reports.")).to_be_visible()
    crawl.shoot(ann, f"to be answered {scripts}")
    if scripts:
        accessible(ann)
    ann.get_by_label("Words along with it").fill("Until summer.")
    ann.get_by_role("button", name="Grant and sign").click()
    expect(ann.get_by_text("Granted: the token is issued, and stands in the import")).to_be_visible()

    bob.reload()
    expect(bob.get_by_text("Until summer.")).to_be_visible()
    bob.get_by_role("link", name="the imports").click()
    expect(bob.get_by_role("link", name="orders.new")).to_be_visible()
    crawl.shoot(bob, f"imported {scripts}")
    (one,) = changes.claims_of(Account.objects.get(pk=billing.pk)).nats.imports
    assert one.token
