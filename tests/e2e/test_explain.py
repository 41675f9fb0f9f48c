"""“May it …?” and “Why was this denied?” in a real browser, with JavaScript and without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from identities.claims.mappings import WeightedMapping
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.models import User
from identities.services import accounts, changes, clock
from tests import make
from tests.e2e import crawl

pytestmark = pytest.mark.django_db(transaction=True)

LONG = (
    "a-subject-of-one-token-that-is-longer-than-half-of-the-window-is-wide-and-has-no-place-to-break-it-" * 2
)


@pytest.fixture
def user(live_server: Any) -> User:
    make.installation()
    make.person(username="alice")
    account = make.account(make.operator("Op"), "Shop")
    limits = replace(
        UserPermissionLimits.unlimited(),
        pub=Permission(allow=("orders.>",), deny=("orders.secret",)),
        sub=Permission(allow=("orders.>",), deny=("orders.secret",)),
    )
    made = make.user(account, "ann", limits=limits)
    targets = (
        WeightedMapping(subject="v2.$1", weight=40),
        WeightedMapping(subject="orders.$1.new", weight=60),
    )
    edit = changes.edit_body(mappings={"old.*": targets})
    accounts.rewrite(
        principal=make.COMMAND,
        account=account,
        plan=lambda row: changes.plan(row, edit, now=clock.unix()),
        version=account.version,
        done="Mapped",
    )
    return User.objects.select_related("account__operator").get(pk=made.pk)


def ask(page: Page, action: str, subject: str) -> None:
    page.get_by_label("Action", exact=True).select_option(label=action)
    page.get_by_label("Subject", exact=True).fill(subject)
    page.get_by_role("button", name="Ask").click()


def asks_about(page: Page, user: User, look: Callable[[str], None]) -> None:
    """The user's tab, from its page on; then the field that decides."""
    crawl.sign_in(page, "alice", make.PASSWORD)
    keys = [user.account.operator.public_key, user.account.public_key, user.public_key]
    page.goto(reverse("user", args=keys))
    page.get_by_role("link", name="May it …?").click()
    expect(page.get_by_role("heading", name="What is looked at")).to_be_visible()
    ask(page, "publish to", f"orders.{LONG}")
    expect(page.get_by_role("heading", name="Yes: ann may publish")).to_be_visible()
    ask(page, "subscribe to", LONG)
    expect(page.get_by_role("heading", name="No: ann may not subscribe")).to_be_visible()
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"a long subject makes the page {wide} px too wide"
    ask(page, "publish to", "orders.new")
    expect(page.get_by_role("heading", name="Yes: ann may publish to orders.new.")).to_be_visible()
    look("tester yes")
    ask(page, "subscribe to", "orders.>")
    expect(page.get_by_text("are held back")).to_be_visible()
    ask(page, "publish to", "old.x")
    expect(page.get_by_text("becomes v2.x")).to_be_visible()
    look("tester sometimes")
    ask(page, "publish to", "a.*")
    expect(page.get_by_text("Messages go to subjects without wildcards")).to_be_visible()
    look("tester refused")
    ask(page, "make requests on", "orders.secret")
    expect(
        page.get_by_role("heading", name="No: ann may not make requests on orders.secret.")
    ).to_be_visible()
    look("tester no")
    page.get_by_role("link", name="Edit this field").first.click()
    expect(page.get_by_label("May not publish to", exact=True)).to_be_visible()


def allows(page: Page, user: User, look: Callable[[str], None]) -> None:
    """From the tester to the builder: what a task needs is shown, accepted and added; then the tester says yes."""
    keys = [user.account.operator.public_key, user.account.public_key, user.public_key]
    page.goto(reverse("user-explain", args=keys))
    page.get_by_role("link", name="Allow it to …").click()
    page.get_by_label("What it should do").select_option(label="read and watch a bucket")
    page.get_by_label("Name of the stream, bucket or store").fill("cfg")
    page.get_by_role("button", name="Show changes").click()
    expect(page.get_by_text("Opens the bucket.")).to_be_visible()
    look("builder")
    page.get_by_role("button", name="Add these subjects").click()
    expect(page.get_by_text("Saved user “ann”.")).to_be_visible()
    page.goto(reverse("user-explain", args=keys))
    ask(page, "make requests on", "$JS.API.STREAM.INFO.KV_cfg")
    expect(page.get_by_role("heading", name="Yes: ann may make requests")).to_be_visible()


def explains(page: Page, user: User, look: Callable[[str], None]) -> None:
    """A log line from the sidebar's page; an error whose user is chosen; a text that says nothing."""
    page.goto("/")
    page.get_by_role("link", name="Why denied?").click()
    key = f"{user.account.public_key}/Shop/jwt:{user.public_key}"
    line = f'[ERR] 127.0.0.1:1 - cid:6 - "v1:go" - "{key}" - Subscription Violation - Subject "x", Queue: "q", SID 1'
    page.get_by_label("Log lines or error").fill(line)
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_role("heading", name="Subscribing was refused")).to_be_visible()
    expect(page.get_by_role("link", name="ann of Shop")).to_be_visible()
    look("explainer answered")
    page.get_by_label("Log lines or error").fill("nats: authorization violation")
    page.get_by_label("User", exact=True).fill("ann")
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_role("heading", name="The login was refused")).to_be_visible()
    look("explainer login")
    page.get_by_label("Log lines or error").fill("it does not work")
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_text("nothing is said about it rather than guessed")).to_be_visible()
    look("explainer unknown")


def test_a_user_is_asked_about_and_errors_are_explained(
    page: Page, user: User, accessible: Callable[..., None]
) -> None:
    def look(name: str) -> None:
        accessible(page)
        crawl.shoot(page, name)

    asks_about(page, user, look)
    explains(page, user, look)
    allows(page, user, look)


def test_the_same_without_javascript(plain_page: Page, user: User) -> None:
    asks_about(plain_page, user, lambda _: None)
    explains(plain_page, user, lambda _: None)
    allows(plain_page, user, lambda _: None)
