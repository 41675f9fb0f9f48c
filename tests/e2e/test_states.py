"""States that no link leads to: open dialogs and menus, refused forms, toasts, tests that run. axe finds nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, Route, expect

from identities.claims.drafts import UserEdit
from identities.formats.server_config import Resolver, ServerConfig
from identities.models import Account, AuditEvent, User, append_only
from identities.services import configs, users
from tests import make, natsclient, natsserver
from tests.e2e import crawl
from tests.e2e.walk import Walk, fill, worker

pytestmark = pytest.mark.django_db(transaction=True)

Seen = Callable[[Page, str], None]
OpenContext = Callable[..., BrowserContext]


@pytest.fixture
def account(live_server: Any) -> Account:
    """An account with one user, and the administrator alice."""
    make.installation()
    make.person(username="alice")
    found = make.account(make.operator("Test"), "TestAccount")
    make.user(found, "TestUser")
    return found


@pytest.fixture
def walk(open_context: OpenContext, account: Account, tmp_path: Path) -> Walk:
    """Alice, signed in."""
    page = open_context(reduced_motion="reduce", color_scheme="light").new_page()
    crawl.sign_in(page, "alice", make.PASSWORD)
    return Walk(page, tmp_path, scripted=True)


@pytest.fixture
def seen(accessible: Callable[..., None]) -> Seen:
    """Asks axe about a page as it stands, light and dark, and takes its picture."""

    def look(page: Page, name: str) -> None:
        accessible(page)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} px too wide"
        crawl.shoot(page, f"state {name}-light")
        page.emulate_media(color_scheme="dark")
        accessible(page, "color-contrast")
        crawl.shoot(page, f"state {name}-dark")
        page.emulate_media(color_scheme="light")

    return look


def user_url(name: str = "user") -> str:
    user = User.objects.get(name="TestUser")
    return reverse(name, args=[user.operator.public_key, user.account.public_key, user.public_key])


def test_a_dialog_its_errors_and_what_is_told_after_it(walk: Walk, seen: Seen, account: Account) -> None:
    page = walk.page
    page.goto(user_url())
    panel = walk.form(walk.link("Edit"))
    seen(page, "dialog")
    fill(panel, {"May publish to": "orders..new", "Expires": "whenever"})
    walk.send(panel, "Save")
    expect(panel.locator("[aria-invalid=true]")).to_have_count(1)
    seen(page, "dialog with an error")
    fill(panel, {"May publish to": "orders.new", "Expires": ""})
    walk.send(panel, "Save")
    walk.told("Saved user “TestUser”.")
    seen(page, "toast after an edit")


def test_a_page_that_is_being_left_asks_for_nothing_more(walk: Walk) -> None:
    page = walk.page
    page.goto(user_url("user-edit"))
    answers: list[str] = []

    def slowly(route: Route) -> None:
        time.sleep(1)  # longer than the page waits before it shows what another change would do
        route.continue_()

    page.route("**" + user_url() + "?*", slowly)
    page.on("response", lambda answer: answers.append(answer.request.post_data or ""))
    panel = page.locator("main > .form-panel")
    fill(panel, {"Tags": "team:ours"})
    panel.get_by_role("button", name="Save", exact=True).click()
    walk.told("Saved user “TestUser”.")
    sent = [data for data in answers if "csrfmiddlewaretoken" in data]
    assert "preview=1" not in sent[-1] and "tags=team%3Aours" in sent[-1]


def test_somebody_else_saved_meanwhile(walk: Walk, seen: Seen) -> None:
    page = walk.page
    page.goto(user_url())
    panel = walk.form(walk.link("Edit"))
    user = User.objects.get(name="TestUser")
    edit = UserEdit(name="TestUser", tags=("team:theirs",))
    users.update(principal=make.COMMAND, user=user, edit=edit, version=user.version)
    fill(panel, {"Tags": "team:ours"})
    walk.send(panel, "Save")
    expect(panel.get_by_role("table")).to_contain_text("team:theirs")
    expect(panel.get_by_label("Tags", exact=True)).to_have_value("team:ours")
    seen(page, "dialog of a stale edit")
    walk.send(panel, "Save")
    walk.told("Saved user “TestUser”.")


def test_menus_and_the_dialog_of_a_deletion(walk: Walk, seen: Seen) -> None:
    page = walk.page
    page.goto(user_url())
    delete = walk.menu("Delete")
    expect(delete).to_be_visible()
    seen(page, "menu of actions")
    panel = walk.form(delete)
    seen(page, "dialog of a deletion")
    panel.get_by_role("link", name="Cancel").click()
    page.get_by_label("Your account").click()
    expect(page.get_by_role("link", name="Your account", exact=True)).to_be_visible()
    seen(page, "menu of the person")


def test_a_dialog_and_the_sidebar_on_a_phone(open_context: OpenContext, account: Account, seen: Seen) -> None:
    page = open_context(
        viewport={"width": 390, "height": 844}, has_touch=True, reduced_motion="reduce"
    ).new_page()
    crawl.sign_in(page, "alice", make.PASSWORD)
    page.get_by_label("Menu", exact=True).click()
    expect(page.get_by_role("link", name="Installation")).to_be_visible()
    seen(page, "sidebar on a phone")
    page.keyboard.press("Escape")
    page.goto(user_url())
    walk = Walk(page, Path(), scripted=True)
    panel = walk.form(walk.link("Edit"))
    fill(panel, {"May publish to": "orders..new"})
    walk.send(panel, "Save")
    expect(panel.locator("[aria-invalid=true]")).to_be_focused()
    seen(page, "dialog on a phone")


def test_a_client_test_while_it_runs_and_after(
    walk: Walk, seen: Seen, account: Account, nats: natsserver.Stable
) -> None:
    page = walk.page
    wanted = ServerConfig(resolver=Resolver.MEMORY, operator_name="", operator_jwt="")
    config = configs.write(principal=make.COMMAND, operator=account.operator, wanted=wanted, preload_all=True)
    server = nats.start(config.text)
    page.goto(user_url())
    creds = walk.download(page.get_by_role("button", name="Download creds"))
    walk.link("Client test").click()
    panel = page.locator(".form-panel")
    panel.get_by_label("Subscribe", exact=True).check()
    fill(panel, {"Server": server.url, "Subject": "hello", "Seconds": "30"})
    walk.send(panel, "Run the test")
    outcome = page.locator("#outcome")
    expect(outcome).to_contain_text("Waiting for a worker…")
    seen(page, "client test that waits")
    with worker():
        expect(outcome).to_contain_text("Running…")
        expect(outcome).to_contain_text("Listening on hello.")
        seen(page, "client test that runs")
        natsclient.hear_yourself(server.url, creds)
        expect(outcome).to_contain_text("It works.")
    expect(outcome).to_contain_text("hello, world")
    seen(page, "client test that worked")


def test_the_audit_is_checked_while_one_looks(walk: Walk, seen: Seen) -> None:
    page = walk.page
    page.goto(reverse("installation"))
    page.get_by_role("button", name="Check it").click()
    audit = page.locator("#audit")
    expect(audit).to_contain_text("Being checked")
    seen(page, "audit that is being checked")
    with worker():
        expect(audit).to_contain_text("events fit")
    expect(page.get_by_role("button", name="Check it")).to_be_visible()
    seen(page, "audit that was checked")
    broken = AuditEvent.objects.order_by("seq").values_list("pk", flat=True)[0]
    append_only.remove(connection)
    AuditEvent.objects.filter(pk=broken).update(summary="forged")
    append_only.install(connection)
    page.get_by_role("button", name="Check it").click()
    with worker():
        expect(audit).to_contain_text(f"event 1 (row {broken}): changed: summary")
    seen(page, "audit that was changed")


def test_what_the_tools_answer(walk: Walk, seen: Seen) -> None:
    page = walk.page
    page.goto(user_url())
    jwt = walk.download(walk.menu("JWT")).read_text()
    for name, text in (("a right token", jwt), ("a wrong token", jwt[:-20] + "A" * 20)):
        page.goto(reverse("inspector"))
        page.get_by_label("JWT or creds file").fill(text)
        page.get_by_role("button", name="Inspect").click()
        expect(page.locator("#found-title")).to_be_visible()
        seen(page, f"inspector {name}")
    searches = {
        "holders": ("orders.new", "publish", "Who may publish to"),
        "no subject": ("orders..new", "publish", "orders..new"),
        "nothing": ("nothing-is-called-so", "anything", "Nothing found"),
    }
    for name, (text, look, answer) in searches.items():
        page.goto(reverse("search") + "?" + urlencode({"q": text, "look": look}))
        expect(page.locator("#search-results")).to_contain_text(answer)
        seen(page, f"search {name}")
