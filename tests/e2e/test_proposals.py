"""Four eyes in a real browser, with JavaScript and without: two people, one edit, one signature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, expect

from identities.models import Account
from identities.services import changes
from tests import make
from tests.e2e import crawl

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def orders(live_server: Any) -> Account:
    make.installation()
    for name in ("ann", "bob"):
        make.person(username=name)
    return make.account(make.operator("Main"), "Orders")


def operator_page(page: Page, orders: Account, name: str = "operator") -> None:
    page.goto(reverse(name, args=[orders.operator.public_key]))


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without"])
def test_one_proposes_and_the_other_signs(
    open_context: Callable[..., BrowserContext],
    orders: Account,
    accessible: Callable[..., None],
    scripts: bool,
) -> None:
    ann, bob = (open_context(java_script_enabled=scripts).new_page() for _ in range(2))
    crawl.sign_in(ann, "ann", make.PASSWORD)
    operator_page(ann, orders)
    ann.get_by_role("link", name="Proposals").first.click()
    ann.get_by_label("Everybody’s", exact=True).check()
    ann.get_by_role("button", name="Save").click()
    expect(ann.get_by_text("Saved whose edits of “Main” need a second person.")).to_be_visible()
    crawl.shoot(ann, f"proposals {scripts}")
    if scripts:
        accessible(ann)

    ann.goto(reverse("account-edit", args=[orders.operator.public_key, orders.public_key]))
    expect(ann.get_by_text("This operator asks for four eyes")).to_be_visible()
    ann.get_by_label("Description").fill("Orders of the shop.")
    ann.get_by_role("button", name="Save").click()
    expect(ann.get_by_text("You proposed it yourself: a second person has to approve it.")).to_be_visible()
    expect(ann.get_by_role("button", name="Approve and sign")).to_have_count(0)
    crawl.shoot(ann, f"proposal of mine {scripts}")

    crawl.sign_in(bob, "bob", make.PASSWORD)
    bob.goto(reverse("dashboard"))
    expect(bob.get_by_role("region", name="Waiting for you").get_by_text("Proposed by ann")).to_be_visible()
    crawl.shoot(bob, f"what waits {scripts}")
    if scripts:
        accessible(bob)
    operator_page(bob, orders, "operator-proposals")
    bob.get_by_role("link", name="Edited account “Orders”").click()
    bob.get_by_role("textbox", name="Comment").fill("Looks right.")
    bob.get_by_role("button", name="Comment").click()
    expect(bob.get_by_text("Looks right.")).to_be_visible()
    crawl.shoot(bob, f"proposal of another {scripts}")
    if scripts:
        accessible(bob)
    bob.get_by_role("button", name="Approve and sign").click()
    expect(bob.get_by_text("Approved and signed.")).to_be_visible()
    assert changes.claims_of(Account.objects.get(pk=orders.pk)).nats.description == "Orders of the shop."
