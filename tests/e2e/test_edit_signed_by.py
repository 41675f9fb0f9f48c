"""An account whose issuer's seed is not here: the page asks who signs, with a script and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from identities.models import Account
from identities.nkeys import KeyKind, KeyPair
from identities.services import adopting
from tests import make
from tests.e2e import crawl
from tests.elsewhere import Elsewhere, seeds_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(live_server: Any) -> Account:
    """Signed by a key that is not here; two others of its operator are."""
    make.installation()
    make.person(username="alice")
    there = Elsewhere()
    keys = [KeyPair.create(KeyKind.OPERATOR) for _ in range(3)]
    text = there.operator_jwt(signing_keys=tuple(key.public.text for key in keys))
    operator = adopting.adopt_operator(principal=make.COMMAND, text=text, seeds=seeds_of(*keys[1:])).row
    return adopting.adopt_account(
        principal=make.COMMAND, operator=operator, text=there.account_jwt(by=keys[0])
    ).row


def edit(page: Page, account: Account, *, script: bool, look: Callable[..., None] | None = None) -> str:
    """Describe the account, forget to choose, choose; the key that was chosen."""
    crawl.sign_in(page, "alice", make.PASSWORD)
    page.goto(reverse("account", args=[account.operator.public_key, account.public_key]))
    page.get_by_role("link", name="Edit", exact=True).first.click()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()  # a dialog that opens takes the focus
    page.get_by_label("Description").fill("Orders of the shop")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Choose the key that signs it.").wait_for()
    if look is not None:
        look(page)
    crawl.shoot(page, f"signed-by-{'script' if script else 'plain'}")
    chooser = page.get_by_label("Signed by")
    chosen = chooser.locator("option").nth(1).get_attribute("value") or ""
    chooser.select_option(chosen)
    if script:
        page.locator(".form-preview").get_by_text(chosen).wait_for()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved account “Acc”").first.wait_for()
    return chosen


def check(account: Account, chosen: str) -> None:
    account.refresh_from_db()
    assert (account.description, account.issuer) == ("Orders of the shop", chosen)


def test_with_a_script_the_new_issuer_is_shown_before_saving(
    page: Page, account: Account, accessible: Callable[..., None]
) -> None:
    check(account, edit(page, account, script=True, look=accessible))
    accessible(page)


def test_without_a_script_it_is_chosen_too(plain_page: Page, account: Account) -> None:
    check(account, edit(plain_page, account, script=False))
