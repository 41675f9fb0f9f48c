"""Steps that browser tests of editors share: the same with htmx in a dialog and, without JavaScript, on a page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests import make
from tests.e2e import crawl

BOTH_WAYS = pytest.mark.parametrize("script", [True, False], ids=["htmx", "no JavaScript"])


def signed_in(request: pytest.FixtureRequest, *, script: bool) -> Page:
    """Somebody with every right, in a browser with or without JavaScript."""
    page: Page = request.getfixturevalue("page" if script else "plain_page")
    make.person(username="alice")
    crawl.sign_in(page, "alice", make.PASSWORD)
    return page


def opened(page: Page, link: str) -> Locator:
    """Follow a link that opens a dialog; the form, in the dialog or on its own page."""
    page.get_by_role("link", name=link, exact=True).first.click()
    form = page.locator(".form-panel")
    expect(form).to_be_visible()
    return form


def shown(page: Page, form: Locator, words: str, *, script: bool) -> None:
    """What would change is shown: by itself once a field was left, without JavaScript by the button."""
    if script:
        page.keyboard.press("Tab")
    else:
        form.get_by_role("button", name="Show changes").click()
    expect(page.locator(".form-preview")).to_contain_text(re.compile(words, re.DOTALL))


def saved(page: Page, button: str, said: str) -> None:
    """Press the button; what has to be accepted is accepted, before that or once it is asked for."""
    form = page.locator(".form-panel")
    tick = form.get_by_role("checkbox", name="I have read this")
    gone = page.locator("body:not(:has(.form-panel))")
    asked = form.get_by_text("Nothing was saved yet")
    press = form.get_by_role("button", name=button, exact=True).last
    quiet(page)
    if tick.count():
        tick.check()
        quiet(page)
    press.click()
    expect(gone.or_(asked).first).to_be_visible()
    if asked.count():
        tick.check()
        quiet(page)
        press.click()
    expect(gone).to_be_visible()
    expect(page.get_by_text(said).first).to_be_visible()


def quiet(page: Page) -> None:
    """In a dialog: leave the field, and wait until the preview that follows a change has come."""
    if page.locator("#dialog[open]").count():
        page.keyboard.press("Tab")
        page.wait_for_timeout(300)  # the page itself waits 250 ms for further changes
        expect(page.locator(".htmx-request")).to_have_count(0)


def address(noun: Any, ending: str = "") -> str:
    """The page of an account or an operator, or one below it."""
    if hasattr(noun, "operator"):
        return f"/operators/{noun.operator.public_key}/accounts/{noun.public_key}/{ending}"
    return f"/operators/{noun.public_key}/{ending}"
