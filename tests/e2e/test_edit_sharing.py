"""Exports, imports and activations edited in a browser, with a script and without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect

from identities.models import Account, IssuedToken
from identities.services import changes
from tests import make
from tests.e2e import crawl
from tests.e2e.walk import Walk, fill

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def orders(live_server: Any) -> Account:
    """An account “Orders”, and “Billing” beside it."""
    make.installation()
    make.person(username="alice")
    operator = make.operator("Test")
    make.account(operator, "Billing")
    return make.account(operator, "Orders")


def go(walk: Walk, account: str, tab: str) -> None:
    """To a tab of an account."""
    row = Account.objects.select_related("operator").get(name=account)
    walk.page.goto(reverse("account", args=[row.operator.public_key, row.public_key]))
    walk.page.get_by_label("Account", exact=True).get_by_role("link", name=tab, exact=True).click()
    walk.titled(tab)


def preview(walk: Walk, panel: Locator) -> Locator:
    """What the form says that it would do: by itself, or when asked."""
    if not walk.scripted:
        walk.send(panel, "Show changes")
    return walk.page.locator(".form-preview")


def share(walk: Walk) -> None:
    """Offer a private service, import it with a token, revoke that, renew it, delete the export."""
    crawl.sign_in(walk.page, "alice", make.PASSWORD)
    _offer(walk)
    _take(walk)
    _revoke(walk)
    _renew(walk)
    _delete(walk)


def _offer(walk: Walk) -> None:
    go(walk, "Orders", "Exports")
    panel = walk.form(walk.link("New export"))
    panel.get_by_label("Service").check()
    fill(panel, {"Subject": "orders..x"})
    walk.send(panel, "Add export")
    expect(walk.page.get_by_label("Subject", exact=True)).to_be_focused()
    panel = walk.page.locator(".form-panel")
    fill(panel, {"Subject": "orders.*.ask", "Private": True})
    panel.get_by_label("Private").blur()
    expect(preview(walk, panel)).to_contain_text("subject orders.*.ask, type service, token_req yes")
    walk.send(walk.page.locator(".form-panel"), "Add export")
    walk.told("Added the export orders.*.ask.")
    walk.titled("orders.*.ask")


def _take(walk: Walk) -> None:
    go(walk, "Billing", "Imports")
    walk.page.get_by_role("main").get_by_role("link", name="Exports to import").click()
    panel = walk.form(walk.page.get_by_role("link", name="Import orders.*.ask of Orders"))
    fill(panel, {"Local subject": "ask.$1"})
    panel.get_by_label("Local subject").blur()
    said = preview(walk, panel)
    expect(said).to_contain_text("Clients here ask on ask.*")
    expect(said).to_contain_text("ask.A → orders.A.ask")
    expect(said).to_contain_text("“Orders” issues a token for orders.*.ask when this is saved.")
    panel = walk.page.locator(".form-panel")
    fill(panel, {"Local subject": "ask.$2"})
    panel.get_by_label("Local subject").blur()
    expect(preview(walk, panel)).to_contain_text("that do not exist")
    panel = walk.page.locator(".form-panel")
    fill(panel, {"Local subject": "ask.$1"})
    panel.get_by_label("Local subject").blur()
    said = preview(walk, panel)
    expect(said).to_contain_text("ask.A → orders.A.ask")
    expect(said).to_contain_text("an activation token, once this is saved")
    crawl.shoot(walk.page, f"import-{'dialog' if walk.scripted else 'plain'}")
    walk.send(walk.page.locator(".form-panel"), "Add import")
    walk.told("Added the import orders.*.ask.")
    expect(walk.page.get_by_role("main")).to_contain_text("Valid")


def _revoke(walk: Walk) -> None:
    go(walk, "Orders", "Exports")
    walk.link("orders.*.ask").click()
    expect(walk.page.locator("#activations")).to_contain_text("in use")
    number = IssuedToken.objects.activations().get().pk
    file = walk.download(walk.page.get_by_role("link", name=f"JWT of activation {number}"))
    assert file.read_text().startswith("-----BEGIN NATS ACTIVATION JWT-----\n")
    panel = walk.form(walk.page.get_by_role("link", name=f"Revoke activation {number}"))
    expect(panel).to_contain_text("“Billing” can no longer import orders.*.ask.")
    walk.send(panel, "Revoke")
    walk.told("Revoked the activations of orders.*.ask.")
    expect(walk.page.locator("#activations")).to_contain_text("Revoked")


def _renew(walk: Walk) -> None:
    go(walk, "Billing", "Imports")
    panel = walk.form(walk.page.get_by_role("link", name="Renew the token of orders.*.ask"))
    fill(panel, {"Expires": "90d"})
    walk.send(panel, "Renew token")
    walk.told("Renewed the token of orders.*.ask.")
    expect(walk.page.get_by_role("main")).to_contain_text("Valid")


def _delete(walk: Walk) -> None:
    go(walk, "Orders", "Exports")
    walk.link("orders.*.ask").click()
    panel = walk.form(walk.link("Delete"))
    expect(panel).to_contain_text("“Billing” can no longer import orders.*.ask.")
    fill(panel, {"Type “orders.*.ask” to confirm": "orders.*.ask"})
    walk.send(panel, "Delete export")
    walk.told("Deleted the export orders.*.ask.")
    assert changes.claims_of(Account.objects.get(name="Orders")).nats.exports == ()


def test_what_is_shared_is_edited_in_dialogs_that_show_what_they_do(
    page: Page, orders: Account, tmp_path: Path
) -> None:
    share(Walk(page, tmp_path, scripted=True))


def test_the_same_works_without_javascript(plain_page: Page, orders: Account, tmp_path: Path) -> None:
    share(Walk(plain_page, tmp_path, scripted=False))


def test_a_token_from_a_file_is_checked_while_the_form_stands_open(
    page: Page, orders: Account, tmp_path: Path, accessible: Callable[..., None]
) -> None:
    make.export(orders, "orders.>", token_req=True)
    billing = Account.objects.get(name="Billing")
    token = make.imported(billing, "orders.new", of=orders).token
    file = tmp_path / "token.jwt"
    file.write_text(token)
    walk = Walk(page, tmp_path, scripted=True)
    crawl.sign_in(page, "alice", make.PASSWORD)
    go(walk, "Billing", "Imports")
    panel = walk.form(walk.link("New import"))
    fill(panel, {"Exporting account": "Orders", "Subject": "orders.old"})
    panel.get_by_text("A token from elsewhere").click()
    said = page.locator(".form-preview")
    expect(said).to_contain_text("Clients here subscribe to orders.old")
    panel.get_by_label("or a file").set_input_files(file)
    expect(said).to_contain_text("doesn't match import")
    accessible(page)
    crawl.shoot(page, "import-dialog-refused")
    fill(panel, {"Subject": "orders.new", "Local subject": "mine"})
    panel.get_by_label("Local subject").blur()
    expect(said).to_contain_text("is imported already")
    billing.refresh_from_db()
    assert len(changes.claims_of(billing).nats.imports) == 1
