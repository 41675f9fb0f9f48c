"""The nsc tutorial, clicked in a real browser and accepted by a real nats-server, with JavaScript and without."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests import natsclient, natsserver
from tests.e2e import crawl
from tests.e2e.walk import Walk, fill, worker

pytestmark = pytest.mark.django_db(transaction=True)

CAST: dict[str, dict[str, str | bool]] = {
    "TestUser": {},
    "TestService": {"May subscribe to": "req.a", "Can answer requests": True},
    "TestClient": {"May publish to": "req.a", "Can make requests": True},
}


@pytest.mark.parametrize("scripted", [True, False], ids=["with JavaScript", "by plain links and forms"])
def test_the_tutorial(
    open_context: Callable[..., BrowserContext], nats: natsserver.Stable, tmp_path: Path, scripted: bool
) -> None:
    folder = tmp_path / "downloads"
    folder.mkdir()
    context = open_context(
        java_script_enabled=scripted,
        reduced_motion="reduce",
        permissions=["clipboard-read", "clipboard-write"],
    )
    walk = Walk(context.new_page(), folder, scripted)
    walk.become_first_administrator()
    create_operator_and_account(walk)
    creds = create_users(walk)
    find_who_may_publish(walk)
    inspect_a_jwt(walk)

    server = nats.start(configuration(walk))
    assert natsclient.hear_yourself(server.url, creds["TestUser"]) == b"hello, world"
    assert natsclient.ask(server.url, creds["TestClient"], creds["TestService"]) == b"cba"
    said = natsclient.refusals_of_publishing(server.url, creds["TestClient"], "elsewhere")
    assert any("permissions violation for publish" in text.lower() for text in said), said
    run_client_tests(walk, server.url)

    delete_a_user(walk)
    assert natsclient.lets_in(server.url, creds["TestUser"])  # no server has heard of it yet
    server.reload(configuration(walk))
    assert not natsclient.lets_in(server.url, creds["TestUser"])
    assert natsclient.lets_in(server.url, creds["TestClient"])


def create_operator_and_account(walk: Walk) -> None:
    page = walk.page
    page.get_by_label("Main").get_by_role("link", name="Operators").click()
    walk.titled("Operators")
    panel = walk.form(walk.link("New operator"))
    expect(panel.get_by_label("Create a system account")).to_be_checked()
    fill(panel, {"Name": "Test"})
    walk.send(panel, "Create operator")
    walk.told("Created operator “Test”.")
    panel = walk.form(walk.link("New account"))
    fill(panel, {"Name": "TestAccount"})
    walk.send(panel, "Create account")
    walk.told("Created account “TestAccount”.")


def create_users(walk: Walk) -> dict[str, Path]:
    """The three users with their creds. One is refused at first, another is edited before its creds go out."""
    creds = {}
    for name, values in CAST.items():
        panel = walk.form(walk.link("New user"))
        fill(panel, {"Name": name, **values})
        if name == "TestService":
            have_a_subject_refused(walk)
        walk.send(panel, "Create user")
        walk.told(f"Created user “{name}”.")
        if name == "TestUser":
            edit(walk)
        creds[name] = walk.download(walk.page.get_by_role("button", name="Download creds").first)
        assert creds[name].name == f"{name}.creds"
        walk.crumb("TestAccount")
    return creds


def have_a_subject_refused(walk: Walk) -> None:
    """A malformed subject: told beside its field, which has the focus; everything typed is still there."""
    panel = walk.page.locator(".form-panel")
    fill(panel, {"May subscribe to": "req..a"})
    walk.send(panel, "Create user")
    subjects = panel.get_by_label("May subscribe to", exact=True)
    error = panel.locator(".field", has=walk.page.get_by_label("May subscribe to", exact=True)).get_by_role(
        "list"
    )
    expect(error).to_contain_text("cannot contain consecutive")
    expect(error.locator("li > *")).to_have_count(2)  # an icon, and the words in one piece
    expect(subjects).to_be_focused()
    expect(subjects).to_have_attribute("aria-invalid", "true")
    expect(subjects).to_have_attribute("aria-describedby", re.compile(rf"\b{error.get_attribute('id')}\b"))
    expect(subjects).to_have_value("req..a")
    expect(panel.get_by_label("Name", exact=True)).to_have_value("TestService")
    expect(panel.get_by_label("Can answer requests", exact=True)).to_be_checked()
    fill(panel, {"May subscribe to": "req.a"})


def edit(walk: Walk) -> None:
    """Leave the dialogs of editing and deleting first, then save an edit."""
    walk.look_and_leave(walk.link("Edit"))
    walk.look_and_leave(walk.menu("Delete"), back_on=walk.page.get_by_label("More actions"))
    panel = walk.form(walk.link("Edit"))
    fill(panel, {"Tags": "team:a"})
    walk.send(panel, "Save")
    walk.told("Saved user “TestUser”.")
    expect(walk.page.get_by_role("main")).to_contain_text("team:a")


def find_who_may_publish(walk: Walk) -> None:
    page = walk.page
    page.get_by_label("Search operators, accounts, users, keys and subjects").fill("req.a")
    page.keyboard.press("Enter")
    walk.titled("Search")
    results = page.locator("#search-results")
    expect(results.get_by_role("heading", name="Subjects in permissions")).to_be_visible()
    walk.choose(page.get_by_label("Look for"), "who may publish to it", "Search")
    expect(results.get_by_role("heading", name="Who may publish to req.a")).to_be_visible()
    expect(results.get_by_role("link", name="TestClient")).to_be_visible()
    expect(results.get_by_role("link", name="TestService")).to_have_count(0)
    results.get_by_role("link", name="TestClient").click()
    walk.titled("TestClient")


def inspect_a_jwt(walk: Walk) -> None:
    page = walk.page
    jwt = walk.download(walk.menu("JWT")).read_text()
    page.get_by_label("Main").get_by_role("link", name="Inspector").click()
    page.get_by_label("JWT or creds file").fill(jwt)
    page.get_by_role("button", name="Inspect").click()
    expect(page.get_by_role("heading", name="User “TestClient”")).to_be_visible()
    found = page.get_by_role("main")
    expect(found).to_contain_text("Signature is right")
    expect(found.get_by_role("link", name="TestAccount")).to_be_visible()


def configuration(walk: Walk) -> str:
    """The configuration for the MEMORY resolver: shown, copied, downloaded."""
    page = walk.page
    page.get_by_label("Main").get_by_role("link", name="Operators").click()
    walk.titled("Operators")
    walk.link("Test").click()
    walk.titled("Test")
    walk.link("Server configuration").click()
    page.get_by_role("radio", name="MEMORY").check()
    if not walk.scripted:
        page.get_by_role("button", name="Show").click()
    text = page.locator("#config-text")
    expect(text).to_contain_text("resolver: MEMORY")
    downloaded = walk.download(walk.link("Download")).read_text()
    copy = page.locator("[data-copy-from=config-text]")
    if walk.scripted:
        copy.click()
        expect(copy).to_have_class("button small needs-script copied")
        assert page.evaluate("navigator.clipboard.readText()") == downloaded
    else:
        expect(copy).to_be_hidden()
        assert text.text_content() == downloaded
    return downloaded


def go_to_user(walk: Walk, name: str) -> None:
    page = walk.page
    page.get_by_label("Search operators, accounts, users, keys and subjects").fill(name)
    page.keyboard.press("Enter")
    walk.titled("Search")
    page.locator("#search-results").get_by_role("link", name=name).click()
    walk.titled(name)


def run_client_tests(walk: Walk, url: str) -> None:
    """The client test: a request that is answered, and a refusal in the server's own words."""
    page = walk.page
    go_to_user(walk, "TestService")
    walk.link("Client test").click()
    panel = page.locator(".form-panel")
    panel.get_by_label("Answer here while another user requests").check()
    asked = {"Server": url, "The other user": "TestClient", "Subject": "req.a"}
    fill(panel, {**asked, "Message": "how are you?", "Answer": "fine, thanks"})
    walk.send(panel, "Run the test")
    outcome = page.locator("#outcome")
    expect(outcome).to_contain_text("Waiting for a worker…")
    with worker():
        pass
    walk.refresh()
    expect(outcome).to_contain_text("It works.")
    arrived = outcome.get_by_role("listitem").filter(has_text="Received")
    expect(arrived.filter(has_text="TestService")).to_contain_text("how are you?")
    expect(arrived.filter(has_text="TestClient")).to_contain_text("fine, thanks")

    go_to_user(walk, "TestClient")
    walk.link("Client test").click()
    fill(panel, {"Server": url, "Subject": "elsewhere", "Message": "x"})
    walk.send(panel, "Run the test")
    expect(outcome).to_contain_text("Waiting for a worker…")
    with worker():
        pass
    walk.refresh()
    expect(outcome).to_contain_text("It did not work.")
    expect(outcome).to_contain_text("may not publish")
    expect(outcome).to_contain_text("Permissions Violation")


def delete_a_user(walk: Walk) -> None:
    """Deleted only when its name is typed."""
    go_to_user(walk, "TestUser")
    panel = walk.form(walk.menu("Delete"))
    button = panel.get_by_role("button", name="Delete user")
    name = panel.get_by_label("Type “TestUser” to confirm")
    name.fill("TestClient")
    if walk.scripted:
        expect(button).to_be_disabled()
    else:
        button.click()
        expect(panel.locator(".field-error")).to_be_visible()
        assert not crawl.SEED.search(walk.page.content())
    name.fill("TestUser")
    button.click()
    walk.told("Deleted and revoked user “TestUser”.")
