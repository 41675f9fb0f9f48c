"""A real chromium, driven by playwright, against the live server of pytest-django."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

# playwright's synchronous API runs an event loop in this thread, and Django would refuse to touch the database there
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

from axe_playwright_python.base import AxeResults
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

PATIENCE = 15_000
"""Milliseconds that a page may take to show what is expected; a loaded machine is slow."""
SETTLING = 500
"""Milliseconds for a page that is being left until the next one stands in its place."""
expect.set_options(timeout=PATIENCE)


def _executable() -> str:
    found = (
        os.environ.get("NSCWEB_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )
    if not found:
        pytest.skip("there is no chromium (Debian: apt install chromium; or set NSCWEB_TEST_CHROMIUM)")
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One chromium for the whole run."""
    executable = _executable()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield started
        started.close()


@pytest.fixture
def open_context(browser: Browser, live_server: Any) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browser contexts whose pages start at the live server; options are playwright's.

    A page that violates the content security policy, whose script throws, or that misses a file fails the test.
    `answers` are statuses that this test means to get, beside those of a refused form.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def make(*, answers: tuple[int, ...] = (), **options: Any) -> BrowserContext:
        context = browser.new_context(base_url=live_server.url, accept_downloads=True, **options)
        context.set_default_timeout(PATIENCE)
        context.on("weberror", lambda error: complaints.append(f"script error: {error.error}"))
        context.on("console", lambda message: _hear(message, complaints, _REFUSED + answers))
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    assert not complaints, complaints


_REFUSED = (409, 422)
"""Chromium calls it an error when a form is refused; here that is an answer like any other."""


def _hear(message: Any, complaints: list[str], answers: tuple[int, ...]) -> None:
    meant = any(f"status of {status}" in message.text for status in answers)
    if message.type in ("error", "warning") and not meant:
        complaints.append(f"{message.location.get('url', '')}: {message.text}")


@pytest.fixture
def page(open_context: Callable[..., BrowserContext]) -> Page:
    """A page with JavaScript, light theme."""
    return open_context(color_scheme="light").new_page()


@pytest.fixture
def plain_page(open_context: Callable[..., BrowserContext]) -> Page:
    """A page with JavaScript switched off."""
    return open_context(java_script_enabled=False).new_page()


_AT_REST = """async () => {
    const moving = () => document.getAnimations().filter(each =>
        each.playState === "running" && each.effect.getComputedTiming().endTime !== Infinity);
    while (moving().length) await Promise.allSettled(moving().map(each => each.finished));
}"""
"""Resolves when no transition runs any more: until then a colour is neither the old nor the new one."""


def _judge(page: Page, axe: Axe, options: dict[str, Any]) -> AxeResults:
    """What axe says of the page once it is loaded and at rest."""
    page.wait_for_load_state("load")
    page.evaluate(_AT_REST)
    return axe.run(page, options=options)


@pytest.fixture
def accessible() -> Callable[..., None]:
    """Asserts that axe-core finds nothing on the page as it stands; given rules, only these are asked."""
    axe = Axe()

    def check(page: Page, *rules: str) -> None:
        # preload fetches and inlines style sheets, which our content security policy rightly refuses
        options: dict[str, Any] = {"preload": False, "resultTypes": ["violations"]}
        if rules:
            options["runOnly"] = list(rules)
        try:
            results = _judge(page, axe, options)
        except Error:  # the page was just being left: the next one is meant
            page.wait_for_timeout(SETTLING)
            results = _judge(page, axe, options)
        assert results.violations_count == 0, f"{page.url}\n{results.generate_report()}"

    return check
