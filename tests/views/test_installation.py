"""The installation page: what it tells, the default operator, and the check of the audit chain."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from identities.models import AuditEvent, Installation, WorkerBeat, append_only
from identities.policy.principal import Role
from identities.services import clock, installation
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


def test_the_audit_chain_is_checked_on_demand() -> None:
    make.operator("Op")
    browser = make.client()
    assert "Every event fits" not in get(browser)
    assert "Every event fits" in browser.post(reverse("installation")).content.decode()
    append_only.remove(connection)
    try:
        AuditEvent.objects.filter(seq=1).update(summary="forged")
    finally:
        append_only.install(connection)
    assert "Event 1 does not fit" in browser.post(reverse("installation")).content.decode()


def test_the_page_takes_eight_queries_at_most(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    make.operator()
    browser = make.client()
    with django_assert_max_num_queries(8):
        get(browser)
