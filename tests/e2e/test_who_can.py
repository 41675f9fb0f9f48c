"""“Who can …” in a real browser, with JavaScript and without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from identities.claims.permissions import Permission, UserPermissionLimits
from identities.models import Account
from tests import make
from tests.e2e import crawl

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(live_server: Any) -> Account:
    make.installation()
    make.person(username="alice")
    shop = make.account(make.operator("Op"), "Shop")
    desk = make.account(shop.operator, "Desk")
    make.export(shop, "ask.>", type="service")
    make.imported(desk, "ask.>", of=shop, type="service", local_subject="help.>")
    for account, name, subject in ((shop, "ann", "ask.a"), (desk, "eve", "help.*")):
        limits = replace(UserPermissionLimits.unlimited(), pub=Permission(allow=(subject,)))
        make.user(account, name, limits=limits)
    return shop


def asks(page: Page, shop: Account, look: Callable[[str], None]) -> None:
    """From the account's page: the users here, then those of the importing account, then what is no subject."""
    crawl.sign_in(page, "alice", make.PASSWORD)
    page.goto(reverse("account", args=[shop.operator.public_key, shop.public_key]))
    page.get_by_role("link", name="Who can …").click()
    page.get_by_label("Subject", exact=True).fill("ask.a")
    page.get_by_role("button", name="Find them").click()
    expect(page.get_by_role("heading", name="From where one can publish to ask.a")).to_be_visible()
    expect(page.get_by_role("link", name="ann")).to_be_visible()
    look("who can")
    page.get_by_role("link", name="Show its users").click()
    expect(page.get_by_role("heading", name="Users of Desk by help.a")).to_be_visible()
    expect(page.get_by_role("link", name="eve")).to_be_visible()
    look("who can elsewhere")
    page.get_by_label("Subject", exact=True).fill("a..b")
    page.get_by_role("button", name="Find them").click()
    expect(page.get_by_text("This is no subject")).to_be_visible()
    look("who can refused")
    page.get_by_label("Subject", exact=True).fill("a" * 300)
    page.get_by_role("button", name="Find them").click()
    expect(page.get_by_role("heading", name="From where one can publish to aaa")).to_be_visible()
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"a long subject makes the page {wide} px too wide"


def test_who_can_is_asked_and_answered_across_accounts(
    page: Page, shop: Account, accessible: Callable[..., None]
) -> None:
    def look(name: str) -> None:
        accessible(page)
        crawl.shoot(page, name)

    asks(page, shop, look)


def test_the_same_without_javascript(plain_page: Page, shop: Account) -> None:
    asks(plain_page, shop, lambda _: None)


def finds(page: Page, shop: Account, look: Callable[[str], None]) -> None:
    """From what is wrong to where it is mended."""
    make.export(shop, "deaf", type="service")
    limits = replace(UserPermissionLimits.unlimited(), sub=Permission(allow=("deaf.*",)))
    user = make.user(shop, "wide", limits=limits)
    crawl.sign_in(page, "alice", make.PASSWORD)
    page.goto(reverse("findings", args=[shop.operator.public_key, shop.public_key]))
    expect(page.get_by_role("heading", name="What permissions get wrong")).to_be_visible()
    wider = page.get_by_role("row").filter(has_text="Wider than it looks")
    expect(wider.get_by_role("link", name="wide")).to_be_visible()
    look("findings")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"the page of findings is {wide} px too wide"
    wider.get_by_role("link", name="wide").click()
    expect(page.get_by_role("heading", name="wide")).to_be_visible()
    assert user.public_key in page.url


def test_findings_lead_to_where_they_are_mended(
    page: Page, shop: Account, accessible: Callable[..., None]
) -> None:
    def look(name: str) -> None:
        accessible(page)
        crawl.shoot(page, name)

    finds(page, shop, look)


def test_findings_without_javascript(plain_page: Page, shop: Account) -> None:
    finds(plain_page, shop, lambda _: None)
