"""Drift in a real browser: what differs is found, compared again and delivered, with a script and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from identities.models import Cluster, Delivery, DeliveryState, Holding, HoldingState
from identities.services import clock, jobs
from tests import make
from tests.e2e import crawl

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("script", [True, False], ids=["htmx", "no JavaScript"])
def test_what_differs_is_found_compared_again_and_delivered(
    open_context: Callable[..., Any], live_server: Any, accessible: Any, script: bool
) -> None:
    make.installation()
    make.person(username="alice")
    cluster = make.cluster(make.operator("Op"))
    server = make.server(cluster)
    Cluster.objects.update(compared_at=clock.now())
    held = {"Gone": HoldingState.DELETED, "Behind": HoldingState.OLDER, "Fine": HoldingState.SAME}
    for name, state in held.items():
        key = make.account(cluster.operator, name).public_key
        Holding.objects.create(server=server, account_key=key, state=state, at=clock.now())
    jobs.beat("test")
    Delivery.objects.all().delete()
    page = open_context(java_script_enabled=script).new_page()
    crawl.sign_in(page, "alice", make.PASSWORD)
    page.goto(f"/operators/{cluster.operator.public_key}/clusters/{cluster.pk}/drift")
    accounts = page.get_by_role("table").last
    expect(accounts).to_contain_text("Gone")
    expect(accounts).not_to_contain_text("Fine")
    if script:
        accessible(page)
    page.get_by_role("link", name="Deleted there").click()
    expect(accounts).not_to_contain_text("Behind")
    expect(accounts.get_by_role("button", name="Deliver again")).to_be_visible()
    page.get_by_role("button", name="Compare now").click()
    expect(page.get_by_text("The servers are being compared.")).to_be_visible()
    page.get_by_role("button", name="Deliver what is missing, deleted there or older").click()
    expect(page.get_by_text("2 accounts will be delivered.")).to_be_visible()
    assert Delivery.objects.filter(state=DeliveryState.WAITING).count() == 2
