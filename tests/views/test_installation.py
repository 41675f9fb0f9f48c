"""The installation page: what it tells, the default operator, and the check of the audit chain."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from identities.management.commands.worker import HANDLERS
from identities.models import AuditEvent, Installation, Job, WorkerBeat, append_only
from identities.policy.principal import Role
from identities.services import audit_walks, clock, installation, jobs
from tests import make

pytestmark = pytest.mark.django_db


def get(browser: Client) -> str:
    return browser.get(reverse("installation")).content.decode()


def test_it_tells_what_nsc_env_tells(settings: pytest.FixtureRequest) -> None:
    operator = make.operator("Op")
    page = get(make.client(Role.VIEWER))
    for text in (
        "http://localhost:8000",
        str(settings.NSCWEB_DATA_DIR),  # type: ignore[attr-defined]
        "Django",
        "PyNaCl",
        "NSCWEB_MASTER_KEY",
        "tests (seals)",
        f"/o/{operator.public_key}/jwt/v1/accounts/",
    ):
        assert text in page
    assert "dGVzdHMt" not in page  # the master key itself


def test_the_database_is_named_without_its_password() -> None:
    make.installation()
    found = installation.described(principal=make.COMMAND)
    engine = "SQLite" if connection.vendor == "sqlite" else "PostgreSQL"
    assert found.database.engine.startswith(engine)
    assert str(connection.settings_dict["NAME"]) in found.database.place
    assert "@" not in found.database.place


def test_workers_are_alive_or_silent() -> None:
    make.installation()
    assert "No worker has run here yet" in get(make.client())
    WorkerBeat.objects.create(name="here", at=clock.now())
    WorkerBeat.objects.create(name="gone", at=clock.now() - timedelta(minutes=5))
    page = get(make.client())
    assert "Alive" in page
    assert "Silent" in page


def test_an_administrator_chooses_the_default_operator() -> None:
    first, second = make.operator("First"), make.operator("Second")
    browser = make.client()
    url = reverse("installation-default-operator")
    assert Client().get("/jwt/v1/operator").status_code == 404
    answer = browser.post(url, {"operator": second.public_key}, follow=True)
    assert "“Second” is the default operator." in answer.content.decode()
    assert Installation.objects.get().default_operator == second
    assert Client().get("/jwt/v1/operator").status_code == 200
    event = AuditEvent.objects.latest("seq")
    assert event.summary == "Chose “Second” as default operator"
    browser.post(url, {"operator": second.public_key})
    assert AuditEvent.objects.latest("seq") == event  # nothing changed
    browser.post(url, {"operator": ""})
    assert Installation.objects.get().default_operator is None
    assert first.name in browser.get(url).content.decode()


def test_an_unknown_operator_is_refused() -> None:
    make.operator()
    answer = make.client().post(reverse("installation-default-operator"), {"operator": "O" * 56})
    assert answer.status_code == 422


def test_a_viewer_may_look_but_not_choose() -> None:
    operator = make.operator()
    viewer = make.client(Role.VIEWER)
    url = reverse("installation-default-operator")
    assert viewer.get(url).status_code == 403
    assert viewer.post(url, {"operator": operator.public_key}).status_code == 403
    assert "installation/default-operator" not in get(viewer)
    assert make.client(None).get(reverse("installation")).status_code == 403
    assert Client().get(reverse("installation")).status_code == 302


def test_only_what_can_be_edited_offers_it() -> None:
    page = get(make.client())
    assert re.findall(r">Edit<span[^>]*> ([^<]+)</span>", page) == ["Second factors"]
    assert ">Edit<" not in get(make.client(Role.VIEWER))


def checked(browser: Client) -> str:
    assert browser.post(reverse("installation"))["Location"] == f"{reverse('installation')}#audit"
    assert jobs.work_once(HANDLERS)
    return get(browser)


def test_the_audit_chain_is_checked_by_a_worker_on_demand() -> None:
    make.operator("Op")
    browser = make.client()
    assert "events fit" not in get(browser)
    browser.post(reverse("installation"))
    browser.post(reverse("installation"))
    assert Job.objects.filter(kind=audit_walks.KIND).count() == 1  # one at a time
    page = get(browser)
    assert "Being checked" in page and "every 1s" in page
    assert jobs.work_once(HANDLERS)
    page = get(browser)
    assert f"All {AuditEvent.objects.count()} events fit" in page
    assert "every 1s" not in page
    append_only.remove(connection)
    try:
        AuditEvent.objects.filter(seq=1).update(summary="forged")
    finally:
        append_only.install(connection)
    page = checked(browser)
    assert "The audit was changed from outside" in page
    row = AuditEvent.objects.get(seq=1).pk
    assert f"event 1 (row {row}): changed: summary" in page


def test_a_check_that_goes_on_says_how_far_it_is_and_asks_again() -> None:
    browser = make.client()
    browser.post(reverse("installation"))
    Job.objects.filter(kind=audit_walks.KIND).update(state="running", done=20_000, total=90_000)
    page = get(browser)
    assert "Being checked: 20,000 of 90,000 events" in page
    seen = page.partition("?seen=")[2][:16]
    headers = {"HX-Request": "true", "HX-Target": "audit"}
    url = f"{reverse('installation')}?seen={seen}"
    assert browser.get(url, headers=headers).status_code == 204
    Job.objects.filter(kind=audit_walks.KIND).update(state="failed", error="The disk is full.")
    part = browser.get(url, headers=headers)
    assert ">The disk is full.<" in part.content.decode()
    assert "<html" not in part.content.decode()


def test_more_findings_than_a_page_holds_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("One", "Two", "Three"):
        make.operator(name)
    monkeypatch.setattr(audit_walks, "MOST_TOLD", 1)
    append_only.remove(connection)
    try:
        AuditEvent.objects.update(summary="forged")
    finally:
        append_only.install(connection)
    page = checked(make.client())
    assert "event 3 (row" not in page
    assert AuditEvent.objects.count() == 3
    assert "And 2 more" in page


def test_only_who_sees_the_audit_has_it_checked() -> None:
    assert make.client(None).post(reverse("installation")).status_code == 403
    assert not Job.objects.exists()


def test_the_page_takes_eight_queries_at_most(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    make.operator()
    browser = make.client()
    with django_assert_max_num_queries(8):
        get(browser)
