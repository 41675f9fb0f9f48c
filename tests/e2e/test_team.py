"""Who may do what in a real browser, with JavaScript and without: people, teams, roles given and taken, and why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from identities.models import Account, Grant
from identities.policy.principal import Role
from tests import make
from tests.e2e import crawl

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(live_server: Any) -> Account:
    make.installation()
    make.person(username="alice")
    made = make.account(make.operator("Op"), "Shop")
    make.person(Role.VIEWER, username="victor", account=made)
    return Account.objects.select_related("operator").get(pk=made.pk)


def narrow_enough(page: Page) -> None:
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"the page is {wide} px too wide"


def makes_a_team(page: Page, look: Callable[[str], None]) -> None:
    """From the menu to a new team, somebody in it, refused once."""
    page.goto("/")
    page.get_by_role("link", name="Team & access").click()
    expect(page.get_by_role("link", name="Teams", exact=True)).to_be_visible()
    look("team")
    page.get_by_role("link", name="Teams", exact=True).click()
    page.get_by_role("link", name="New team").first.click()
    page.get_by_label("Name", exact=True).fill("Platform")
    page.get_by_role("button", name="Make team").click()
    expect(page.get_by_text("Made the team “Platform”.")).to_be_visible()
    page.get_by_role("link", name="Add a member").click()
    page.get_by_label("Person").fill("nobody")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("Nobody signs in as “nobody”.")).to_be_visible()
    page.get_by_label("Person").fill("victor")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("“victor” is in “Platform” now.")).to_be_visible()
    look("team one")


def gives_and_takes(page: Page, account: Account, look: Callable[[str], None]) -> None:
    """A role on an account for the team, and away again."""
    page.goto(reverse("account-access", args=[account.operator.public_key, account.public_key]))
    look("access")
    page.get_by_role("link", name="Give a role").click()
    page.get_by_label("Who gets it").select_option("team")
    page.get_by_label("Name", exact=True).fill("Platform")
    page.get_by_label("Role", exact=True).select_option("user-manager")
    page.get_by_role("button", name="Give it").click()
    expect(page.get_by_text("“Platform” is user manager of “Shop” now.")).to_be_visible()
    narrow_enough(page)
    look("access given")
    page.get_by_role("link", name="Take away User manager").click()
    page.get_by_role("button", name="Take it away").click()
    expect(page.get_by_text("“Platform” is user manager of “Shop” no more.")).to_be_visible()
    assert not Grant.objects.filter(team__name="Platform").exists()


def asks_why(page: Page, account: Account, look: Callable[[str], None]) -> None:
    """What somebody else lacks, and who can give it."""
    page.goto(reverse("powers"))
    narrow_enough(page)
    look("powers")
    page.get_by_role("link", name="Why can't I?").click()
    page.get_by_label("What", exact=True).select_option("user.create")
    page.get_by_label("On which operator or account").fill(account.public_key)
    page.get_by_label("Who", exact=True).fill("victor")
    page.get_by_role("button", name="Tell me").click()
    expect(page.get_by_text("victor may not, on Shop of Op.")).to_be_visible()
    expect(page.get_by_text("alice (Owner)")).to_be_visible()
    look("why")


def test_roles_are_given_taken_and_explained(
    page: Page, account: Account, accessible: Callable[..., None]
) -> None:
    def look(name: str) -> None:
        accessible(page)
        crawl.shoot(page, name)

    page.emulate_media(reduced_motion="reduce")
    crawl.sign_in(page, "alice", make.PASSWORD)
    makes_a_team(page, look)
    gives_and_takes(page, account, look)
    asks_why(page, account, look)


def test_the_same_without_javascript(plain_page: Page, account: Account) -> None:
    crawl.sign_in(plain_page, "alice", make.PASSWORD)
    makes_a_team(plain_page, lambda _: None)
    gives_and_takes(plain_page, account, lambda _: None)
    asks_why(plain_page, account, lambda _: None)
