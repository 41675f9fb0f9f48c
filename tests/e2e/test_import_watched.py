"""A store of 200 accounts with 20 users each comes in while one browser watches it and another one goes on editing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from identities.models import Account, Job, JobState, Operator, User
from identities.services import import_jobs
from tests import goldens, make
from tests.e2e import crawl
from tests.e2e.walk import worker

pytestmark = pytest.mark.django_db(transaction=True)
OpenContext = Callable[..., BrowserContext]
LARGE = goldens.GOLDEN / "large/large-200x20.tar.xz"
LONGEST = 180_000
"""Milliseconds that the whole import may take beside everything else that runs here."""


@pytest.fixture
def account(live_server: Any) -> Account:
    make.installation()
    make.person(username="alice")
    make.person(username="bob")
    return make.account(make.operator("Mine"), "Team")


def planned(page: Page) -> None:
    """Upload the store and wait for its plan."""
    crawl.sign_in(page, "alice", make.PASSWORD)
    page.goto("/import")
    page.get_by_label("Store", exact=True).set_input_files(LARGE)
    page.get_by_role("button", name="Upload and plan").click()
    expect(page.get_by_text("Waiting for a worker…")).to_be_visible()
    with worker():
        pass
    expect(page.get_by_text("This is what would happen.")).to_be_visible(timeout=LONGEST)


def edited(page: Page, address: str, description: str) -> None:
    """Change the account's description, and see that it was saved."""
    page.goto(f"{address}edit")
    page.get_by_label("Description").fill(description)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#toasts")).to_contain_text("Team")
    assert Account.objects.get(name="Team").description == description


@pytest.mark.slow
def test_edits_go_on_while_a_large_store_comes_in(open_context: OpenContext, account: Account) -> None:
    watching, editing = open_context().new_page(), open_context().new_page()
    planned(watching)
    crawl.sign_in(editing, "bob", make.PASSWORD)
    address = f"/operators/{account.operator.public_key}/accounts/{account.public_key}/"
    watching.get_by_role("button", name="Import", exact=True).click()
    expect(watching.get_by_role("heading", name=LARGE.name)).to_be_visible()
    edits = 0
    with worker():
        while Job.objects.filter(
            kind=import_jobs.IMPORT, state__in=[JobState.QUEUED, JobState.RUNNING]
        ).exists():
            edits += 1
            edited(editing, address, f"edit number {edits}")
            if edits == 1:
                crawl.shoot(watching, "import-large-watched")
    assert edits >= 2
    expect(watching.get_by_text("Every JWT is here as it was")).to_be_visible(timeout=LONGEST)
    crawl.shoot(watching, "import-large-report")
    large = Operator.objects.exclude(name="Mine").get()
    assert Account.objects.filter(operator=large, deleted_at=None).count() == 201
    assert User.objects.filter(operator=large).count() >= 4000
    assert Account.objects.get(name="Team").description == f"edit number {edits}"
