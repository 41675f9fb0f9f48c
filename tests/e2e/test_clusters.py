"""Clusters in a browser, beside real nats-servers: added, tested, seen, the system user renewed, a server forgotten."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from django.db import connections
from playwright.sync_api import Page, expect

from identities.models import Cluster, Server, User
from identities.services import clock, cluster_tests, jobs
from tests import make, natsserver, nodes
from tests.e2e.crawl import shoot
from tests.e2e.dialogs import BOTH_WAYS, address, opened, saved, signed_in

pytestmark = pytest.mark.django_db(transaction=True)
T = TypeVar("T")
HANDLERS = {cluster_tests.KIND: cluster_tests.HANDLER}


def apart(doing: Callable[[], T]) -> T:
    """Do something in a thread of its own: the browser's has an event loop."""

    def work() -> T:
        try:
            return doing()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=1) as threads:
        return threads.submit(work).result()


def looked_at(page: Page, accessible: Callable[..., None], *, script: bool) -> None:
    """By axe, which is a script itself."""
    if script:
        accessible(page)


def refreshed(page: Page, *, script: bool) -> None:
    """By itself, or by the link that stands there without a script."""
    if not script:
        page.get_by_role("link", name="Refresh").click()


@BOTH_WAYS
def test_a_cluster_is_added_tested_and_watched(
    request: pytest.FixtureRequest,
    script: bool,
    nats: natsserver.Stable,
    accessible: Callable[..., None],
    settings: Any,
) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = True
    operator = make.operator("Test")
    three = apart(lambda: nodes.start(nats, operator, 3))
    page = signed_in(request, script=script)
    page.goto(address(operator, "clusters/"))
    expect(page.get_by_text("A cluster is a set of nats-servers")).to_be_visible()
    looked_at(page, accessible, script=script)
    shoot(page, f"clusters-empty-{script}")
    form = opened(page, "New cluster")
    form.get_by_label("Name").fill("Production")
    form.get_by_label("Server addresses").fill("nats://169.254.169.254")
    form.get_by_role("button", name="Add cluster").click()
    expect(page.get_by_text("metadata service")).to_be_visible()
    form.get_by_label("Server addresses").fill("\n".join(three.urls))
    form.get_by_label("Its system user expires").fill("1y")
    shoot(page, f"cluster-form-{script}")
    saved(page, "Add cluster", "Added cluster “Production”.")
    expect(page.get_by_text("No server has answered yet")).to_be_visible()
    shoot(page, f"cluster-new-{script}")

    page.get_by_role("button", name="Test the connection").click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    assert apart(lambda: jobs.work_once(HANDLERS))
    refreshed(page, script=script)
    expect(page.get_by_text("It works. 3 servers answered.")).to_be_visible()
    expect(page.get_by_text("Full resolver")).to_have_count(3)
    looked_at(page, accessible, script=script)
    shoot(page, f"cluster-test-{script}")

    page.get_by_role("link", name="Servers", exact=True).click()
    for name in ("n1", "n2", "n3"):
        expect(page.get_by_role("row").filter(has_text=name)).to_contain_text("Answers")
    three[2].stop()
    Server.objects.filter(name="n3").update(seen_at=clock.now() - timedelta(minutes=1))
    if not script:
        page.reload()
    expect(page.get_by_role("row").filter(has_text="n3")).to_contain_text("Absent")
    looked_at(page, accessible, script=script)
    shoot(page, f"cluster-{script}")
    opened(page, "Forget server n3")
    saved(page, "Forget server", "Forgot server “n3”.")
    expect(page.get_by_role("row").filter(has_text="n3")).to_have_count(0)

    before = User.objects.get(name="nscweb")
    form = opened(page, "Renew")
    form.get_by_label("Expires").fill("")
    saved(page, "Renew", "Renewed system user “nscweb”.")
    after = User.objects.get(name="nscweb")
    assert (after.public_key, after.expires) == (before.public_key, 0)
    assert after.last_iat > before.last_iat

    page.get_by_label("More actions").click()
    form = opened(page, "Remove")
    expect(form).to_contain_text("not the system user “nscweb”")
    form.get_by_label("to confirm").fill("Production")
    saved(page, "Remove cluster", "Removed cluster “Production”.")
    assert not Cluster.objects.live().exists()


@BOTH_WAYS
def test_what_is_wrong_with_a_cluster_is_said(
    request: pytest.FixtureRequest,
    script: bool,
    nats: natsserver.Stable,
    accessible: Callable[..., None],
    settings: Any,
) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = True
    other = apart(lambda: nodes.start(nats, make.operator("Theirs")))
    operator = make.operator("Test")
    dead = f"nats://127.0.0.1:{natsserver.free_port()}"
    cluster = make.cluster(operator, "Production", urls=(dead, *other.urls))
    page = signed_in(request, script=script)
    page.goto(address(operator, f"clusters/{cluster.pk}/"))
    page.get_by_role("button", name="Test the connection").click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    assert apart(lambda: jobs.work_once(HANDLERS))
    refreshed(page, script=script)
    expect(page.get_by_text("No address leads to a server that lets us in.")).to_be_visible()
    expect(page.get_by_text("Nothing listens at this address.")).to_be_visible()
    expect(page.get_by_text("It runs with another operator's key")).to_be_visible()
    looked_at(page, accessible, script=script)
    shoot(page, f"cluster-test-wrong-{script}")
