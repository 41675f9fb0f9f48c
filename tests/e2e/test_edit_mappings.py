"""Mappings in a browser: rows are added, the sum and a tried subject are shown while somebody types."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from identities.models import Account
from identities.services import changes
from tests import make
from tests.e2e.dialogs import BOTH_WAYS, address, opened, quiet, saved, shown, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


@BOTH_WAYS
def test_a_mapping_is_made_tried_edited_and_deleted(request: pytest.FixtureRequest, script: bool) -> None:
    make.installation()
    account = make.account(make.operator("Test"), "Shop")
    page = signed_in(request, script=script)
    page.goto(address(account, "mappings/"))
    form = opened(page, "New mapping")
    form.get_by_label("From").fill("orders.*")
    form.get_by_label("Destination 1").fill("new.$1")
    form.get_by_label("Weight 1 in %").fill("60")
    form.get_by_label("Try a subject").fill("orders.eu")
    shown(page, form, r"60 % mapped.*60 %\s+new\.\$1\s+here\s+new\.eu.*40 %\s+stays", script=script)
    quiet(page)
    form.get_by_role("button", name="More rows").click()
    expect(form.get_by_label("Destination 4")).to_be_focused()
    expect(form.get_by_label("Destination 1")).to_have_value("new.$1")
    form.get_by_label("Destination 6").fill("old.{{wildcard(2)}}")
    form.get_by_label("Weight 6 in %").fill("40")
    quiet(page)
    form.get_by_role("button", name="Save", exact=True).last.click()
    expect(form.get_by_text("asks for a * that the source does not have").first).to_be_visible()
    form.get_by_label("Destination 6").fill("old.{{wildcard(1)}}")
    quiet(page)
    form.get_by_label("Destination 6").press("Enter")
    expect(page.get_by_text("Saved the mapping of “orders.*”").first).to_be_visible()
    expect(page.locator("#mapping-list")).to_contain_text("100 % mapped")
    held = changes.claims_of(Account.objects.get(pk=account.pk)).nats.mappings
    assert [(way.subject, way.weight) for way in held["orders.*"]] == [
        ("new.$1", 60),
        ("old.{{wildcard(1)}}", 40),
    ]
    form = opened(page, "Edit the mapping of orders.*")
    form.get_by_label("Weight 1 in %").fill("10")
    saved(page, "Save", "Saved the mapping")
    opened(page, "Delete the mapping of orders.*")
    saved(page, "Delete mapping", "Deleted the mapping")
    expect(page.get_by_role("heading", name="No mappings")).to_be_visible()


@BOTH_WAYS
def test_a_subject_is_tried_above_the_list(request: pytest.FixtureRequest, script: bool) -> None:
    from identities.claims.mappings import WeightedMapping
    from identities.services import mappings

    make.installation()
    account = make.account(make.operator("Test"), "Shop")
    ways = [WeightedMapping(subject="new.$1")]
    mappings.put(
        principal=make.COMMAND, account=account, source="orders.*", targets=ways, version=account.version
    )
    page = signed_in(request, script=script)
    page.goto(address(account, "mappings/"))
    page.get_by_label("Try a subject").fill("orders.eu")
    if not script:
        page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("heading", name="A message on orders.eu")).to_be_visible()
    expect(page.locator("#mapping-list")).to_contain_text("new.eu")
