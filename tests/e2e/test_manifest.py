"""A manifest is pasted, looked at and applied in a real browser, with a script and without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from identities.models import Account, Operator
from tests import make
from tests.e2e import crawl

pytestmark = pytest.mark.django_db(transaction=True)
OpenContext = Callable[..., BrowserContext]

TEXT = """\
operator: {name: acme}
accounts:
  - name: orders
    limits: {conn: 10}
    users: [{name: alice, pub: {allow: [orders.>]}}]
"""


@pytest.fixture
def acme(live_server: Any) -> Operator:
    make.installation()
    make.person(username="alice")
    return make.operator("acme")


@pytest.mark.parametrize("script", [True, False], ids=["script", "plain"])
def test_a_manifest_is_pasted_looked_at_and_applied(
    open_context: OpenContext,
    accessible: Callable[..., None],
    acme: Operator,
    tmp_path: Path,
    script: bool,
) -> None:
    page = open_context(java_script_enabled=script).new_page()
    crawl.sign_in(page, "alice", make.PASSWORD)
    page.goto(f"/operators/{acme.public_key}/")
    page.get_by_label("More actions").click()
    page.get_by_role("link", name="Manifest").click()
    expect(page.get_by_role("heading", name="Manifest of acme")).to_be_visible()
    page.get_by_label("Manifest", exact=True).fill(TEXT.replace("conn:", "conns:"))
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_text("do you mean “conn”?")).to_be_visible()
    expect(page.get_by_label("Manifest", exact=True)).to_have_value(TEXT.replace("conn:", "conns:"))
    page.get_by_label("Manifest", exact=True).fill(TEXT)
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_text("Applied, this manifest leaves 2 objects created.")).to_be_visible()
    expect(page.get_by_role("heading", name="User “alice” of “orders”")).to_be_visible()
    assert not Account.objects.filter(name="orders").exists()
    if script:
        accessible(page)
    crawl.shoot(page, f"manifest-{'script' if script else 'plain'}")
    page.get_by_role("button", name="Apply this plan").click()
    expect(page.get_by_text("The manifest was applied: 2 objects created.")).to_be_visible()
    assert Account.objects.get(name="orders").user_count == 1
    with page.expect_download() as loading:
        page.get_by_role("link", name="Download", exact=True).click()
    path = tmp_path / loading.value.suggested_filename
    loading.value.save_as(path)
    assert path.name == "acme.yaml"
    page.get_by_label("or a file").set_input_files(path)
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_text("Nothing differs")).to_be_visible()
