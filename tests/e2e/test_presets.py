"""Presets and the comparison of two in a real browser, with JavaScript and without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from identities.claims.permissions import Permission, UserPermissionLimits
from identities.models import User
from tests import make
from tests.e2e import crawl

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "a-subject-of-one-token-that-is-longer-than-half-of-the-window-is-wide-" * 2


@pytest.fixture
def user(live_server: Any) -> User:
    make.installation()
    make.person(username="alice")
    account = make.account(make.operator("Op"), "Shop")
    limits = replace(
        UserPermissionLimits.unlimited(),
        pub=Permission(allow=("old.>", LONG)),
        sub=Permission(allow=("in.> q",)),
    )
    made = make.user(account, "ann", limits=limits)
    make.user(account, "bob", limits=replace(limits, pub=Permission(allow=("old.a",)), subs=5))
    return User.objects.select_related("account__operator").get(pk=made.pk)


def at(user: User, name: str = "user") -> str:
    return reverse(name, args=[user.account.operator.public_key, user.account.public_key, user.public_key])


def narrow_enough(page: Page) -> None:
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"the page is {wide} px too wide"


def compares(page: Page, user: User, look: Callable[[str], None]) -> None:
    """From the user's menu to the comparison with another one; a name that nobody has is said so."""
    page.goto(at(user))
    page.get_by_label("More actions").click()
    page.get_by_role("link", name="Compare with …").click()
    page.get_by_label("The other one").fill("nobody")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("No user and no role of this name or key is known here.")).to_be_visible()
    look("compare unknown")
    page.get_by_label("The other one").fill("bob")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("ann may publish to all that bob may, and to more.")).to_be_visible()
    expect(page.get_by_text("at most 5")).to_be_visible()
    narrow_enough(page)
    look("compare")


def fills(page: Page, user: User, look: Callable[[str], None]) -> None:
    """From the user's menu to a preset, its subjects, what goes; then the user's page says where they come from."""
    page.goto(at(user))
    page.get_by_label("More actions").click()
    page.get_by_role("link", name="Fill from a preset").click()
    expect(page.get_by_role("link", name="Service that answers requests")).to_be_visible()
    look("preset pick")
    page.get_by_role("link", name="Service that answers requests").click()
    page.get_by_label("Subject", exact=True).fill("orders.get")
    page.get_by_role("button", name="Show changes").click()
    expect(page.get_by_text("may no longer publish to old.>")).to_be_visible()
    expect(page.get_by_text("Requests arrive here.")).to_be_visible()
    narrow_enough(page)
    look("preset fill")
    page.get_by_label("I have read this").check()
    page.get_by_role("button", name="Fill it in").click()
    expect(page.get_by_text("Filled user “ann” from “Service that answers requests”.")).to_be_visible()
    expect(page.get_by_text("Up to date")).to_be_visible()
    look("preset user")


def keeps_own(page: Page, user: User, look: Callable[[str], None]) -> None:
    """An own preset is made, refused once, applied, edited, and its newer version applied to whom it filled."""
    page.goto("/")
    page.get_by_role("link", name="Presets", exact=True).click()
    expect(page.get_by_role("link", name="New preset")).to_be_visible()
    look("presets")
    page.get_by_role("link", name="New preset").click()
    page.get_by_label("Name", exact=True).fill("Devices")
    page.get_by_label("May publish to", exact=True).fill("a..${name}")
    page.get_by_role("button", name="Make preset").click()
    expect(page.get_by_text("is no subject").first).to_be_visible()
    look("preset refused")
    page.get_by_label("May publish to", exact=True).fill("state.${name} # How it is")
    page.get_by_role("button", name="Make preset").click()
    expect(page.get_by_text("Made the preset “Devices”.")).to_be_visible()
    page.goto(f"{at(user, 'user-preset')}?preset={page.url.rstrip('/').rpartition('/')[2]}")
    page.get_by_label("Name", exact=True).fill("till")
    page.get_by_role("button", name="Show changes").click()
    page.get_by_label("I have read this").check()
    page.get_by_role("button", name="Fill it in").click()
    page.get_by_role("link", name="Devices").click()
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("May subscribe to", exact=True).fill("commands.${name} # What it should do")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved version 2 of “Devices”.")).to_be_visible()
    look("preset own")
    page.get_by_role("link", name="What version 2 would change").click()
    expect(page.get_by_text("may subscribe to commands.till from now on")).to_be_visible()
    look("preset renew")
    page.get_by_role("button", name="Apply to those that are ticked").click()
    expect(page.get_by_text("Applied version 2 to 1 user or role.")).to_be_visible()


def test_presets_fill_and_two_are_compared(page: Page, user: User, accessible: Callable[..., None]) -> None:
    def look(name: str) -> None:
        accessible(page)
        crawl.shoot(page, name)

    page.emulate_media(reduced_motion="reduce")  # contrast is judged once messages have faded in
    crawl.sign_in(page, "alice", make.PASSWORD)
    compares(page, user, look)
    fills(page, user, look)
    keeps_own(page, user, look)


def test_the_same_without_javascript(plain_page: Page, user: User) -> None:
    crawl.sign_in(plain_page, "alice", make.PASSWORD)
    for act in (compares, fills, keeps_own):
        act(plain_page, user, lambda _: None)
