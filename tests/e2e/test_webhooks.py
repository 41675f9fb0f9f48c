"""A webhook in a browser, with and without JavaScript: made, its secret read once, tried out, switched off, deleted."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from identities.models import Webhook
from identities.services import webhook_messages
from tests import hooked, make
from tests.e2e.dialogs import BOTH_WAYS, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


@BOTH_WAYS
def test_a_webhook_is_made_tried_out_and_removed(request: pytest.FixtureRequest, script: bool) -> None:
    make.installation()
    make.operator("Test")
    page = signed_in(request, script=script)
    with hooked.server() as there:
        page.goto("/activity")
        page.get_by_role("link", name="Webhooks").click()
        page.get_by_role("link", name="New webhook").click()
        page.get_by_label("Whose events").select_option("Test")
        page.get_by_label("Name").fill("Chat")
        page.get_by_label("Address").fill("http://169.254.169.254/")
        page.get_by_label("Users", exact=True).check()
        page.get_by_role("button", name="Make webhook").click()
        expect(page.get_by_text("metadata service")).to_be_visible()
        expect(page.get_by_label("Users", exact=True)).to_be_checked()
        page.get_by_label("Address").fill(there.url)
        page.get_by_role("button", name="Make webhook").click()
        expect(page.get_by_text("whsec_")).to_be_visible()
        page.get_by_role("link", name="I have kept it").click()
        expect(page.get_by_role("heading", name="Chat", exact=True)).to_be_visible()
        expect(page.get_by_text("whsec_")).to_have_count(0)
        page.get_by_role("button", name="Send a test").click()
        expect(page.locator("#log")).to_contain_text("Waits")
        webhook_messages.once()
        page.reload()
        expect(page.locator("#log")).to_contain_text("Delivered")
        assert [json.loads(one.body)["type"] for one in there.received] == ["test"]
        page.get_by_role("button", name="Again Test message").click()
        expect(page.locator("#log tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_text("It is off.")).to_be_visible()
    page.get_by_role("link", name="Delete").click()
    page.locator("[name=confirm]").fill("Chat")
    page.get_by_role("button", name="Delete webhook").click()
    expect(page.get_by_role("heading", name="No webhooks yet")).to_be_visible()
    assert not Webhook.objects.exists()
