"""Every page: axe finds nothing, light and dark, wide and narrow; nothing sticks out, throws, or shows a secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from identities.models import IssuedToken
from identities.policy.routes import ROUTES, Access
from identities.services import signing
from identities.views import proving
from tests import make
from tests.e2e import crawl, sample
from tests.e2e import starts as starts_of

pytestmark = pytest.mark.django_db(transaction=True)

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
BY_SIZE = (
    "color-contrast",
    "target-size",
    "scrollable-region-focusable",
    "label",
    "button-name",
    "link-name",
)
"""What another window and theme can break; the rest was asked of the same HTML in a wide window."""
Accessible = Callable[..., None]
OpenContext = Callable[..., BrowserContext]


@dataclass
class Faults:
    """What is wrong, of all pages at once."""

    found: list[str] = field(default_factory=list)

    def __call__(self, check: Callable[..., None], *arguments: Any) -> None:
        try:
            check(*arguments)
        except AssertionError as fault:
            self.found.append(str(fault))


@pytest.fixture
def starts(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """A full installation with its administrator alice: where to begin. Pages that few links lead to are named,
    the account whose lists are full, and those that have more to show than the first of their kind."""
    make.installation()
    make.person(username="alice")
    monkeypatch.setattr(proving, "FRESH_SECONDS", 24 * 3600)  # the walk is long, and asked nowhere who it is
    return starts_of.everywhere(sample.fill())


def nothing_secret(page: Page, bearer_jwts: list[str]) -> None:
    content = page.content()
    assert not crawl.SEED.search(content), f"{page.url} shows a seed"
    assert not any(secret in content for secret in bearer_jwts), f"{page.url} shows a bearer JWT"


def bearer_jwts() -> list[str]:
    found = []
    for token in IssuedToken.objects.exclude(sealed=None):
        with signing.token_text(token) as text:
            found.append(text)
    assert found
    return found


def fits(page: Page) -> None:
    """Nothing makes the page wider than the window."""
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{page.url} is {wide} px too wide"


def test_every_page_is_accessible_in_light_and_dark(
    open_context: OpenContext, starts: tuple[str, ...], live_server: Any, accessible: Accessible
) -> None:
    page = open_context(viewport=WIDE, color_scheme="light", reduced_motion="reduce").new_page()
    crawl.sign_in(page, "alice", make.PASSWORD)
    visited, check, secrets = set(), Faults(), bearer_jwts()
    # each page is judged by every rule and in both themes, so one of each kind; the phone's walk sees more of each
    for which in crawl.every_page(page, live_server.url, *starts, most=1):
        check(fits, page)
        check(nothing_secret, page, secrets)
        check(accessible, page)
        crawl.shoot(page, f"{which}-wide-light")
        page.emulate_media(color_scheme="dark")
        check(accessible, page, "color-contrast")
        crawl.shoot(page, f"{which}-wide-dark")
        page.emulate_media(color_scheme="light")
        visited.add(which.split()[0])
    assert not check.found, "\n\n".join(check.found)
    pages = {name for name, route in ROUTES.items() if route.access is Access.SESSION} - crawl.NO_PAGES
    assert visited >= pages, f"no link leads to {pages - visited}"


def test_every_page_is_accessible_on_a_phone(
    open_context: OpenContext, starts: tuple[str, ...], live_server: Any, accessible: Accessible
) -> None:
    page = open_context(
        viewport=NARROW, color_scheme="dark", has_touch=True, reduced_motion="reduce"
    ).new_page()
    crawl.sign_in(page, "alice", make.PASSWORD)
    check = Faults()
    for which in crawl.every_page(page, live_server.url, *starts):
        check(fits, page)
        check(accessible, page, *BY_SIZE)
        crawl.shoot(page, f"{which}-narrow-dark")
    assert not check.found, "\n\n".join(check.found)


def test_pages_outside_the_frame_are_accessible(
    open_context: OpenContext, starts: tuple[str, ...], accessible: Accessible
) -> None:
    for scheme in ("light", "dark"):
        page = open_context(
            viewport=NARROW, color_scheme=scheme, reduced_motion="reduce", answers=(404,)
        ).new_page()
        page.goto("/")
        accessible(page)
        crawl.shoot(page, f"sign-in-narrow-{scheme}")
        page.get_by_label("Username").fill("alice")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_role("alert").wait_for()
        accessible(page)
        page.goto("/first/no-such-link", wait_until="load")
        accessible(page)
        for address in ("/account/forgotten/", "/account/passkey/", "/account/new-password/1/used/"):
            page.goto(address)
            accessible(page)
        page.goto("/take/no-such-link", wait_until="load")
        accessible(page)
        page.goto(f"/take/{sample.OPEN_LINK[0]}", wait_until="load")
        assert page.get_by_role("button", name="Take the creds").is_visible()
        accessible(page)
        fits(page)
