"""A large store comes in by the worker: one person watches, another one's edits go on working meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import connection
from playwright.sync_api import BrowserContext, Page, expect

from identities.models import Account, User
from identities.services import audit
from tests import goldens, make, nscfiles
from tests.e2e import crawl
from tests.e2e.dialogs import address, opened, saved

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
OpenContext = Callable[..., BrowserContext]
ROOT = Path(__file__).parents[2]
LONGEST_EDIT = 5.0
"""Seconds that anybody else's edit may take while an import runs."""
DONE = "Every JWT is here as it was"
WORKER = """
import sys
import django

django.setup()
from django.db import connection
connection.settings_dict["NAME"] = sys.argv[1]
from identities.services import import_jobs, jobs, secrets
secrets.is_sealed()
for line in sys.stdin:
    jobs.work_once(import_jobs.HANDLERS)
"""


@contextmanager
def working() -> Iterator[Callable[[], None]]:
    """A worker in a process of its own; what it gives has it do one job."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(connection.settings_dict["NAME"])],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "NSCWEB_DATA_DIR": str(configured.NSCWEB_DATA_DIR),
        },
        stdin=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    told = process.stdin

    def do_one() -> None:
        told.write("one\n")
        told.flush()

    try:
        yield do_one
    finally:
        told.close()
        process.wait(60)


def packed(folder: Path) -> tuple[Path, Path]:
    """nsc's store of 200 accounts with 20 users each and its keys, packed for an upload."""
    with tarfile.open(goldens.GOLDEN / "large" / "large-200x20.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    store, keys = folder / "stores.tar.gz", folder / "keys.tar.gz"
    store.write_bytes(nscfiles.packed(folder / "large" / "stores"))
    keys.write_bytes(nscfiles.packed(folder / "large" / "keys"))
    return store, keys


def edit(page: Page, number: int) -> float:
    """Change an account's setting and have it saved; the seconds from pressing the button to the answer."""
    form = opened(page, "Edit Message tracing")
    form.get_by_label("Destination").fill(f"traces.{number}")
    began = time.monotonic()
    saved(page, "Save", "Saved: message tracing")
    return time.monotonic() - began


def test_others_edit_while_a_large_store_comes_in(
    open_context: OpenContext, live_server: Any, settings: Any, tmp_path: Path
) -> None:
    settings.NSCWEB_DATA_DIR = tmp_path / "data"
    make.installation()
    account = make.account(make.operator("Team"), "Shop")
    for name in ("alice", "bob"):
        make.person(username=name)
    watching, plain, other = (
        open_context(java_script_enabled=script).new_page() for script in (True, False, True)
    )
    for page, name in ((watching, "alice"), (plain, "alice"), (other, "bob")):
        crawl.sign_in(page, name, make.PASSWORD)
    store, keys = packed(tmp_path)
    other.goto(address(account))
    edit(other, 0)
    with working() as do_one:
        watching.goto("/import")
        watching.get_by_label("Store", exact=True).set_input_files(store)
        watching.get_by_label("Keys", exact=True).set_input_files(keys)
        watching.get_by_role("button", name="Upload and plan").click()
        expect(watching.get_by_text("Waiting for a worker…")).to_be_visible()
        do_one()
        expect(watching.get_by_text("This is what would happen.")).to_be_visible(timeout=60_000)
        watching.get_by_role("button", name="Import", exact=True).click()
        expect(watching.get_by_text("Waiting for a worker…")).to_be_visible()
        address_of_import = watching.url
        stages: dict[str, set[str]] = {"script": set(), "plain": set()}
        waited: list[float] = []
        do_one()
        while watching.get_by_text(DONE).count() == 0:
            waited.append(edit(other, len(waited) + 1))
            plain.goto(address_of_import)
            for name, page in (("script", watching), ("plain", plain)):
                stages[name].update(page.locator(".work p").all_inner_texts())
            assert len(waited) < 100, "the import does not end"
    crawl.shoot(watching, "import-large-report")
    plain.goto(address_of_import)
    expect(plain.get_by_text(DONE).first).to_be_visible()
    assert len(waited) >= 2, "the import was over before anybody edited"
    assert max(waited) < LONGEST_EDIT, waited
    for seen in stages.values():
        assert any(text.startswith(("Reading", "Writing", "Sealing")) for text in seen), stages
    account.refresh_from_db()
    assert f"traces.{len(waited)}" in account.claims
    assert User.objects.filter(operator__name="Large").count() == 4001
    assert Account.objects.exclude(operator=account.operator).count() == 201
    assert audit.first_broken() is None
