"""Live pages and lockouts in a real browser: they fill in by themselves, and work without JavaScript too."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from identities.models import Account, Cluster, Job, Snapshot, User
from identities.services import accounts, clock, jobs, kicking, lockouts
from tests import make
from tests.e2e import crawl, live_sample

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(live_server: Any) -> tuple[Cluster, Account]:
    make.installation()
    make.person(username="alice")
    cluster = make.cluster(make.operator("Op"))
    account = make.account(cluster.operator, "Orders")
    for name in ("anna", "ben", "carla", "moritz", "zoe"):
        make.user(account, name)
    live_sample.fill(cluster, account)
    jobs.beat("test")
    return cluster, account


def opened(open_context: Callable[..., Any], **options: Any) -> Page:
    page: Page = open_context(**options).new_page()
    crawl.sign_in(page, "alice", make.PASSWORD)
    return page


def body(account: Account, *names: str) -> str:
    keys = [User.objects.get(account=account, name=name).public_key for name in names]
    return json.dumps(live_sample.account_body(keys))


def taken(account: Account, text: str) -> None:
    Snapshot.objects.filter(subject=account.public_key).update(body=text, taken_at=clock.now())


def test_connections_come_and_go_on_the_page_by_themselves(
    open_context: Callable[..., Any], world: tuple[Cluster, Account], accessible: Any
) -> None:
    cluster, account = world
    page = opened(open_context)
    taken(account, body(account, "anna", "ben"))
    page.goto(reverse("account-live", args=[cluster.operator.public_key, account.public_key]))
    expect(page.get_by_role("link", name="anna", exact=True)).to_be_visible()
    taken(account, body(account, "zoe"))
    expect(page.get_by_role("link", name="zoe", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="anna", exact=True)).to_have_count(0)
    accessible(page)
    crawl.shoot(page, "account-live")
    page.set_viewport_size({"width": 390, "height": 800})
    crawl.shoot(page, "account-live-phone")


def test_a_hidden_page_asks_nothing(open_context: Callable[..., Any], world: tuple[Cluster, Account]) -> None:
    cluster, account = world
    page = opened(open_context)
    page.goto(reverse("account-live", args=[cluster.operator.public_key, account.public_key]))
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true})")
    page.wait_for_timeout(300)  # what it asked before is told of late where much goes on
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(2500)
    assert asked == []


def test_the_steps_of_a_lockout_fill_in(
    open_context: Callable[..., Any], world: tuple[Cluster, Account], accessible: Any
) -> None:
    cluster, account = world
    account = accounts.revoke(principal=make.COMMAND, account=account, entries={"*": 1})
    whom = kicking.Whom(entries={"*": 1})
    job = lockouts.enqueue(principal=make.COMMAND, account=account, whom=whom, reason="Deleted user moritz")
    page = opened(open_context)
    page.goto(reverse("lockout", args=[cluster.operator.public_key, account.public_key, job.pk]))
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    under_way = live_sample.step(push="waiting", looked=False, kicks=[], proven=False)
    Job.objects.filter(pk=job.pk).update(state="running", result=json.dumps({"clusters": [under_way]}))
    expect(page.get_by_text("Delivering", exact=False).first).to_be_visible()
    live_sample.jobs_done(job, {"clusters": [live_sample.step()], "proven": True})
    expect(page.get_by_text("It is out, on every server")).to_be_visible()
    accessible(page)
    crawl.shoot(page, "lockout-done")
    live_sample.jobs_done(job, {"clusters": [live_sample.UNPROVEN], "proven": False})
    page.reload()
    expect(page.get_by_text("Not proven on every server")).to_be_visible()
    accessible(page)
    crawl.shoot(page, "lockout-unproven")


def test_every_live_page_shows_what_it_has_without_javascript(
    open_context: Callable[..., Any], world: tuple[Cluster, Account]
) -> None:
    page = opened(open_context, java_script_enabled=False)
    wanted = ("anna", "Login refused", "billing-1", "Login refused", "n2", "Not kept", "Deleted user moritz")
    for address, words in zip(live_sample.pages(), wanted, strict=False):
        page.goto(address)
        expect(page.locator("main")).to_contain_text(words)
        crawl.shoot(page, f"plain-{address.rpartition('/')[2]}")


def test_a_user_is_disconnected_by_a_button(
    open_context: Callable[..., Any], world: tuple[Cluster, Account], accessible: Any
) -> None:
    cluster, account = world
    user = User.objects.get(account=account, name="anna")
    page = opened(open_context)
    keys = [cluster.operator.public_key, account.public_key, user.public_key]
    page.goto(reverse("user-live", args=keys))
    accessible(page)
    crawl.shoot(page, "user-live")
    page.get_by_role("link", name="Disconnect").click()
    expect(page.get_by_role("dialog")).to_contain_text("Most clients come back at once")
    crawl.shoot(page, "disconnect-dialog")
    page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    expect(page.get_by_role("heading", name="Disconnected user anna")).to_be_visible()
    for name, args in (
        ("cluster-live", [keys[0], cluster.pk]),
        ("cluster-events", [keys[0], cluster.pk]),
        ("whose", []),
    ):
        page.goto(reverse(name, args=args))
        accessible(page)
        crawl.shoot(page, name)
