"""Somebody at the pages with a real browser: every step once, for pages with and without JavaScript."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.core.management import call_command
from django.db import connections
from playwright.sync_api import Locator, Page, expect

from tests.make import PASSWORD


@dataclass(slots=True)
class Walk:
    """A visitor. `scripted`: dialogs open and lists swap; else every link and form leads to a page of its own."""

    page: Page
    folder: Path
    scripted: bool

    def become_first_administrator(self) -> None:
        """Take the one-time link that the first start prints."""
        printed = io.StringIO()
        call_command("first_admin", stdout=printed)
        self.page.goto(urlsplit(printed.getvalue().split()[-1]).path)
        values = {"Name to sign in with": "alice", "Password": PASSWORD, "Password again": PASSWORD}
        fill(self.page.get_by_role("main"), values)
        self.page.get_by_role("button", name="Create and sign in").click()
        self.told("Welcome, alice.")

    def told(self, text: str) -> None:
        """Wait for the message of the page."""
        expect(self.page.locator("#toasts")).to_contain_text(text)

    def link(self, name: str) -> Locator:
        """The first link of the page's own content that is called so."""
        return self.page.get_by_role("main").get_by_role("link", name=name, exact=True).first

    def menu(self, name: str) -> Locator:
        """The entry of the menu “More actions”, which is opened."""
        self.page.get_by_label("More actions").click()
        return self.link(name)

    def crumb(self, name: str) -> None:
        """Up by the breadcrumb."""
        self.page.get_by_label("Breadcrumb").get_by_role("link", name=name, exact=True).click()
        self.titled(name)

    def titled(self, name: str) -> None:
        """Wait for the page of this name."""
        expect(self.page.get_by_role("heading", name=name, level=1, exact=True)).to_be_visible()

    def form(self, opener: Locator) -> Locator:
        """Click what leads to a form: the dialog that took it in, or the panel of its own page."""
        opener.click()
        panel = self.page.locator("dialog[open] .form-panel" if self.scripted else "main > .form-panel")
        expect(panel).to_be_visible()
        return panel

    def look_and_leave(self, opener: Locator, *, back_on: Locator | None = None) -> None:
        """Open a form and cancel it. A dialog gives the focus back to its opener, by Cancel and by Escape."""
        panel = self.form(opener)
        if self.scripted:
            expect(panel.locator(":focus")).to_have_count(1)
        panel.get_by_role("link", name="Cancel").click()
        expect(panel).to_be_hidden()
        if self.scripted:
            expect(self.page.get_by_role("dialog")).to_be_hidden()
            expect(back_on or opener).to_be_focused()
            (back_on or opener).press("Enter")
            if back_on is not None:
                opener.click()
            expect(panel).to_be_visible()
            self.page.keyboard.press("Escape")
            expect(self.page.get_by_role("dialog")).to_be_hidden()
            expect(back_on or opener).to_be_focused()

    def send(self, panel: Locator, button: str) -> None:
        """Press the button of a form."""
        panel.get_by_role("button", name=button, exact=True).click()

    def download(self, button: Locator) -> Path:
        """Click what hands out a file; the file, in the folder of downloads."""
        with self.page.expect_download() as coming:
            button.click()
        path = self.folder / coming.value.suggested_filename
        coming.value.save_as(path)
        return path

    def choose(self, box: Locator, value: str, button: str) -> None:
        """Choose from a list; without JavaScript a button takes it over."""
        box.select_option(label=value)
        if not self.scripted:
            self.page.get_by_role("main").get_by_role("button", name=button, exact=True).click()

    def refresh(self) -> None:
        """Ask where a test stands; with JavaScript the page does so itself."""
        if not self.scripted:
            self.link("Refresh").click()


def fill(panel: Locator, values: dict[str, str | bool]) -> None:
    """Fill in fields by their labels; `True` ticks a box."""
    for label, value in values.items():
        field = panel.get_by_label(label, exact=True)
        if isinstance(value, bool):
            field.set_checked(value)
        else:
            field.fill(value)


@contextmanager
def worker() -> Iterator[None]:
    """`manage.py worker` beside the pages, doing what waits; on a thread, as playwright's loop runs in this one."""

    def work() -> None:
        try:
            call_command("worker", "--once")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=1) as threads:
        done = threads.submit(work)
        yield
        done.result()
