"""Deliveries in a browser: server by server, which of two JWTs stands, deleting on servers; also without a script."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from identities.models import Account, Delivery, Holding
from tests import make
from tests.e2e import delivery_sample
from tests.e2e.dialogs import BOTH_WAYS, address, opened, saved, signed_in
from tests.views.test_deliveries import holds

pytestmark = pytest.mark.django_db(transaction=True)


@BOTH_WAYS
def test_an_account_is_followed_to_its_servers_and_a_person_chooses(
    request: pytest.FixtureRequest, script: bool, accessible: Any
) -> None:
    make.installation()
    operator = make.operator("Test")
    cluster = make.cluster(operator, name="Production")
    account = make.account(operator, "Shop")
    for name in ("n1", "n2", "n3"):
        make.server(cluster, name, resolver="full", allow_delete=True)
    holds(account, "newer", name="n1"), holds(account, "newer", name="n2")
    delivery_sample.fill(cluster, account)
    page = signed_in(request, script=script)
    page.emulate_media(reduced_motion="reduce")  # contrast is judged once a dialog has faded in
    page.goto(address(account, "delivery"))
    expect(page.locator("#delivery")).to_contain_text("Another one there")
    if script:
        accessible(page)
    form = opened(page, "Look and choose")
    expect(form).to_contain_text("changed elsewhere")
    if script:
        accessible(page)
    form.get_by_label("The one that the servers hold").check()
    saved(page, "Let this one stand", "It is settled which JWT of “Shop” stands.")
    assert Delivery.objects.get(account_key=account.public_key).state == "waiting"
    Holding.objects.filter(account_key=account.public_key).delete()
    account = Account.objects.select_related("operator", "token").get(pk=account.pk)
    holds(account, "same", name="n1"), holds(account, "refused", name="n2", said="no room")
    expect(page.locator("#delivery")).to_contain_text("1 of 3 servers") if script else page.reload()
    expect(page.locator("#delivery")).to_contain_text("no room")
    page.get_by_role("button", name="Deliver now").click()
    expect(page.locator("main")).to_contain_text("Delivery to servers")

    gone = Account.objects.get(name="Removed")
    page.goto(reverse_on(page.url, "account-removal", operator.public_key, gone.public_key))
    expect(page.locator("#stakes")).to_contain_text("no answer yet")
    if script:
        accessible(page)
    page.get_by_label("Type “Removed” to confirm").fill("Removed")
    page.get_by_role("button", name="Delete from the servers").click()
    expect(page.locator("main")).to_contain_text("Production: Waiting")


def reverse_on(url: str, name: str, *keys: str) -> str:
    """An address on the server that `url` is on."""
    return "/".join(url.split("/")[:3]) + reverse(name, args=keys)
