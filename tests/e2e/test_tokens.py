"""Service accounts, tokens and the page of the API in a real browser, with JavaScript and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from identities.services import api_tokens
from tests import make
from tests.e2e import crawl

pytestmark = pytest.mark.django_db(transaction=True)


def narrow_enough(page: Page) -> None:
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"the page is {wide} px too wide"


def lets_a_machine_in(page: Page, look: Callable[[str], None]) -> None:
    """A service account is made; its token is shown once, and revoked."""
    page.goto(reverse("team"))
    page.get_by_role("link", name="Service accounts", exact=True).click()
    expect(page.get_by_role("link", name="New service account")).to_be_visible()
    look("machines none")
    page.get_by_role("link", name="New service account").click()
    page.get_by_label("Name", exact=True).fill("ci")
    page.get_by_role("button", name="Make service account").click()
    expect(page.get_by_text("Made the service account “ci”.")).to_be_visible()
    page.get_by_role("link", name="New token").click()
    page.get_by_label("Name", exact=True).fill("runner")
    page.get_by_label("May only read").check()
    look("token new")
    page.get_by_role("button", name="Make token").click()
    expect(page.get_by_text("it is shown this once")).to_be_visible()
    assert api_tokens.SHAPE.search(page.content())
    narrow_enough(page)
    look("token made")
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_text("reads only")).to_be_visible()
    narrow_enough(page)
    look("machine")
    page.get_by_role("link", name="Revoke runner").click()
    page.get_by_role("button", name="Revoke token").click()
    expect(page.get_by_text("The token “runner” opens nothing any more.")).to_be_visible()


def reads_the_reference(page: Page, look: Callable[[str], None]) -> None:
    """An operation is found, unfolded, and leads to the shape that it takes."""
    page.goto(reverse("reference"))
    look("reference")
    page.get_by_text("Create a user", exact=True).click()
    expect(page.locator("#create-user").get_by_text("user.create")).to_be_visible()
    narrow_enough(page)
    look("reference open")
    page.get_by_label("Find operations").fill("suspen")
    page.get_by_label("Find operations").press("Enter")
    expect(page.get_by_text("Let a suspended user in again")).to_be_visible()
    expect(page.get_by_text("Create a user", exact=True)).to_have_count(0)
    look("reference found")


@pytest.fixture
def person(live_server: Any) -> str:
    make.installation()
    make.person(username="alice")
    return "alice"


def test_a_machine_is_let_in_and_the_api_is_read(
    page: Page, person: str, accessible: Callable[..., None]
) -> None:
    def look(name: str) -> None:
        accessible(page)
        crawl.shoot(page, name)

    page.emulate_media(reduced_motion="reduce")  # contrast is judged once messages have faded in
    crawl.sign_in(page, person, make.PASSWORD)
    lets_a_machine_in(page, look)
    reads_the_reference(page, look)


def test_the_same_without_javascript_on_a_narrow_screen(plain_page: Page, person: str) -> None:
    plain_page.set_viewport_size({"width": 390, "height": 800})
    crawl.sign_in(plain_page, person, make.PASSWORD)
    lets_a_machine_in(plain_page, lambda _: None)
    reads_the_reference(plain_page, lambda _: None)
