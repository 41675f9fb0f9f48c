"""Roles and the users they issue, edited in a real browser: with JavaScript, and with it switched off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect

from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.models import Account, User
from identities.services import changes, signing_keys
from tests import make
from tests.e2e import crawl

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(live_server: Any) -> Account:
    make.installation()
    make.person(username="alice")
    return make.account(make.operator("Test"), "Orders")


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def scripted(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def signed_in(request: pytest.FixtureRequest, account: Account, scripted: bool) -> Page:
    opened: Page = request.getfixturevalue("page" if scripted else "plain_page")
    crawl.sign_in(opened, "alice", make.PASSWORD)
    return opened


def address(name: str, account: Account, *more: str) -> str:
    return reverse(name, args=[account.operator.public_key, account.public_key, *more])


def becomes(page: Page) -> Locator:
    return page.locator("#role-becomes")


def show(page: Page, scripted: bool) -> None:
    """Leave the field, which is enough with JavaScript; else press the button."""
    if scripted:
        page.keyboard.press("Tab")
    else:
        save(page, "Show changes")


def save(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()


def accept_and_save(page: Page, button: str) -> None:
    page.get_by_label("I have read this").check()
    save(page, button)


def test_a_role_is_made_and_edited_while_the_page_says_what_it_becomes(
    signed_in: Page, scripted: bool, account: Account, accessible: Callable[..., None]
) -> None:
    page = signed_in
    page.goto(address("signing-keys", account))
    page.get_by_role("link", name="New role").click()
    page.get_by_label("Name", exact=True).fill("worker")
    page.get_by_label("May publish to").fill("orders.{{name()}}.{{tag(team)}}")
    show(page, scripted)
    expect(becomes(page)).to_contain_text("orders.alice.blue")
    expect(page.get_by_role("heading", name="What changes in the JWT")).to_be_visible()
    page.get_by_label("Or any name").fill("two words")
    show(page, scripted)
    expect(becomes(page)).to_contain_text("Left out: “orders.two words.blue” is no subject.")
    crawl.shoot(page, "role-create-typed")
    if scripted:
        accessible(page)
    save(page, "Add role")
    expect(page.get_by_text("Added the role “worker”.")).to_be_visible()
    key = changes.claims_of(Account.objects.get(pk=account.pk)).nats.signing_keys[0].key
    make.user(Account.objects.get(pk=account.pk), "bob", signer=key)

    page.goto(address("signing-key", account, key))
    expect(becomes(page)).to_contain_text("“bob”")
    page.get_by_role("link", name="Edit role").click()
    page.get_by_label("May publish to").fill("other.{{name()}}")
    show(page, scripted)
    expect(becomes(page)).to_contain_text("other.bob")
    expect(page.get_by_text("1 user (“bob”) of this role")).to_be_visible()
    crawl.shoot(page, "role-edit-typed")
    accept_and_save(page, "Save")
    expect(page.get_by_text("Saved the role.")).to_be_visible()
    template = changes.claims_of(Account.objects.get(pk=account.pk)).nats.signing_keys[0].template
    assert template.pub.allow == ("other.{{name()}}",)

    page.goto(address("signing-keys", account))
    page.get_by_role("link", name="Remove worker").click()
    expect(page.get_by_text("This key issued 1 user (“bob”)")).to_be_visible()
    page.get_by_label("Type “worker” to confirm").fill("worker")
    save(page, "Remove")
    expect(page.get_by_text("Removed role “worker”.")).to_be_visible()
    expect(page.get_by_text("Its users can't log in. Move them to another key.")).to_be_visible()


def menu(page: Page, item: str) -> None:
    """Choose from the menu; what it opens listens to changes as soon as htmx has settled."""
    page.locator("details.menu > summary").click()
    page.get_by_role("link", name=item).click()
    page.get_by_role("heading", level=1, name="bob").and_(page.locator("#dialog-title")).wait_for()
    page.wait_for_load_state("networkidle")


def test_a_user_is_moved_gets_a_new_key_and_is_suspended(
    signed_in: Page, scripted: bool, account: Account
) -> None:
    page = signed_in
    draft = SigningKeyDraft(role=RoleDraft(role="worker"))
    key = signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)
    user = make.user(Account.objects.get(pk=account.pk), "bob")

    page.goto(address("user", account, user.public_key))
    menu(page, "Move to another key")
    page.get_by_label("Move it to").select_option(key.public_key)
    show(page, scripted)
    expect(page.get_by_text("alone says what “bob” may do")).to_be_visible()
    crawl.shoot(page, "user-move-typed")
    accept_and_save(page, "Move")
    expect(page.get_by_text("it carries no permissions and no limits of its own")).to_be_visible()
    crawl.shoot(page, "user-of-role")

    menu(page, "Rotate key")
    accept_and_save(page, "Rotate key")
    expect(page.get_by_text("“bob” has a new key. Hand out its new creds.")).to_be_visible()
    assert User.objects.get(name="bob").public_key != user.public_key
    page.goto(address("user", account, user.public_key))
    assert page.url.endswith(address("user", account, User.objects.get(name="bob").public_key))

    menu(page, "Suspend")
    expect(page.get_by_text("Who is connected as “bob” is dropped")).to_be_visible()
    save(page, "Suspend")
    expect(page.get_by_text("its key stands revoked in the account")).to_be_visible()
    expect(page.get_by_role("button", name="Download creds")).to_have_count(0)
    crawl.shoot(page, "user-suspended")
    page.get_by_role("link", name="Lift suspension").first.click()
    save(page, "Lift suspension")
    expect(page.get_by_text("Lifted the suspension of “bob”.")).to_be_visible()
    assert User.objects.get(name="bob").suspended_at is None
