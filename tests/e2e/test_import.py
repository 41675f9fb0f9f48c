"""A store and its keys are uploaded, planned, watched and reported in a real browser, with a script and without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from identities.models import User
from identities.services import import_jobs, jobs
from tests import goldens, make, nscfiles
from tests.e2e import crawl
from tests.e2e.walk import worker

pytestmark = pytest.mark.django_db(transaction=True)
OpenContext = Callable[..., BrowserContext]


@pytest.fixture
def archives(live_server: Any, tmp_path: Path) -> tuple[Path, Path]:
    """A packed store and its packed keys, for alice to upload."""
    make.installation()
    make.person(username="alice")
    keys = nscfiles.keystore(tmp_path / "keys", nscfiles.seeds_of("full"))
    store, packed = tmp_path / "stores.tar.gz", tmp_path / "keys.tar.gz"
    store.write_bytes(nscfiles.packed(goldens.GOLDEN / "full/stores"))
    packed.write_bytes(nscfiles.packed(keys))
    return store, packed


def bring(page: Page, archives: tuple[Path, Path], *, script: bool) -> None:
    """From the sidebar to the report."""
    kind = "script" if script else "plain"
    crawl.sign_in(page, "alice", make.PASSWORD)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Import").click()
    page.get_by_label("Store", exact=True).set_input_files(archives[0])
    page.get_by_label("Keys", exact=True).set_input_files(archives[1])
    crawl.shoot(page, f"import-form-{kind}")
    page.get_by_role("button", name="Upload and plan").click()
    expect(page.get_by_text("Waiting for a worker…")).to_be_visible()
    with worker():
        pass
    onward(page, "This is what would happen.", script=script)
    crawl.shoot(page, f"import-plan-{kind}")
    expect(page.get_by_role("heading", name="What to know first")).to_be_visible()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", name="stores.tar.gz, keys.tar.gz")).to_be_visible()
    lease = jobs.claim(import_jobs.HANDLERS)
    assert lease is not None
    jobs.renew(lease, done=40, total=100, so_far={"stage": "Reading: 40 files so far…"})
    onward(page, "Reading: 40 files so far…", script=script)
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "40")
    crawl.shoot(page, f"import-progress-{kind}")
    jobs._perform(lease, import_jobs.HANDLERS[lease.job.kind])
    onward(page, "Every JWT is here as it was", script=script)
    crawl.shoot(page, f"import-report-{kind}")
    page.get_by_role("main").get_by_role("link", name="Billing").click()
    expect(page.get_by_role("heading", name="Billing", level=1)).to_be_visible()


def onward(page: Page, text: str, *, script: bool) -> None:
    """Wait until the page says so; without a script somebody asks again."""
    if not script:
        page.get_by_role("link", name="Refresh").click()
    expect(page.get_by_text(text).first).to_be_visible()


def test_with_a_script_the_page_follows_by_itself(page: Page, archives: tuple[Path, Path]) -> None:
    bring(page, archives, script=True)
    assert User.objects.filter(has_seed=True).count() == User.objects.count() == 25


def test_without_a_script_somebody_asks_again(open_context: OpenContext, archives: tuple[Path, Path]) -> None:
    bring(open_context(java_script_enabled=False).new_page(), archives, script=False)
    assert User.objects.filter(has_seed=True).count() == User.objects.count() == 25
