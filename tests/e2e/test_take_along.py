"""An operator and an account's creds are taken along in a real browser, with a script and without."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from identities.models import Operator
from tests import make
from tests.e2e import crawl

pytestmark = pytest.mark.django_db(transaction=True)
OpenContext = Callable[..., BrowserContext]


@pytest.fixture
def operator(live_server: Any) -> Operator:
    """Op with App and its users, for alice to take along."""
    make.installation()
    make.person(username="alice")
    account = make.account(make.operator("Op"), "App")
    make.many_users(account, ["ann", "bob"])
    return account.operator


def names(page: Page, button: str, folder: Path) -> list[str]:
    """The files of the archive that a button hands out."""
    with page.expect_download() as loading:
        page.get_by_role("button", name=button).click()
    path = folder / loading.value.suggested_filename
    loading.value.save_as(path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return [path.name, *archive.namelist()]


@pytest.mark.parametrize("script", [True, False], ids=["script", "plain"])
def test_a_store_and_creds_are_taken_along(
    open_context: OpenContext,
    accessible: Callable[..., None],
    operator: Operator,
    tmp_path: Path,
    script: bool,
) -> None:
    page = open_context(java_script_enabled=script).new_page()
    crawl.sign_in(page, "alice", make.PASSWORD)
    page.goto(f"/operators/{operator.public_key}/")
    page.get_by_label("More actions").click()
    page.get_by_role("link", name="Take along").click()
    expect(page.get_by_role("heading", name="Take Op along")).to_be_visible()
    if script:
        accessible(page)
    plain = names(page, "Download", tmp_path)
    assert plain[0] == "Op-nsc.zip"
    assert "stores/Op/accounts/App/users/ann.jwt" in plain
    assert not [name for name in plain if name.endswith((".nk", ".creds"))]
    page.get_by_label("With seeds and creds").check()
    page.get_by_role("button", name="Download").click()
    expect(page.get_by_text("Type your password: seeds and creds leave for it alone.")).to_be_visible()
    crawl.shoot(page, f"take-along-{'script' if script else 'plain'}")
    page.get_by_label("Your password").fill(make.PASSWORD)
    keys = names(page, "Download", tmp_path)
    assert "keys/creds/Op/App/bob.creds" in keys
    page.goto(
        f"/operators/{operator.public_key}/accounts/{operator.accounts.get(name='App').public_key}/users/"
    )
    creds = names(page, "All creds", tmp_path)
    assert creds[0] == "App-creds.zip"
    assert {"creds/App_ann.creds", "context/App_bob.json", "README.txt"} < set(creds)
