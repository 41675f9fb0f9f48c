from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import structlog
from django.db import OperationalError, connection
from django.test import Client

from identities.models import WorkerBeat
from identities.services import clock, jobs
from nscweb import health
from tests import make

pytestmark = pytest.mark.django_db


def test_alive_says_ok_without_asking_the_database(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        response = client.get("/livez")
    assert response.json() == {"status": "ok"}


def test_ready_names_each_thing_it_has_asked(client: Client, unsealed: None) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    answer = response.json()
    assert answer.pop("worker").startswith("silent")
    assert answer == {"status": "ok", "checks": {"database": "ok", "migrations": "ok", "keys": "ok"}}


def test_not_ready_without_a_master_key(client: Client) -> None:
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["keys"].startswith("sealed")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM nscweb_cache")
        assert cursor.fetchone()[0] == 0  # sealed: not even the probe writes


def test_a_silent_worker_is_named_and_the_web_server_is_ready_all_the_same(
    client: Client, unsealed: None
) -> None:
    seen = []
    with structlog.testing.capture_logs() as logged:
        for change in (_nothing, _enqueue, _nothing, _enqueue, lambda: jobs.beat("one"), _silence):
            change()
            health._last = (
                float("-inf"),
                *health._last[1:],
            )  # the answer that is kept for two seconds is old
            response = client.get("/readyz")
            assert (response.status_code, response.json()["status"]) == (200, "ok")
            seen.append(response.json()["worker"])
    silent = "silent: no worker was seen for 60 seconds"
    assert seen == [
        silent,
        f"{silent}, and 1 job waits. Start one: manage.py worker",
        f"{silent}, and 1 job waits. Start one: manage.py worker",
        f"{silent}, and 2 jobs wait. Start one: manage.py worker",
        "ok",
        f"{silent}, and 2 jobs wait. Start one: manage.py worker",
    ]
    assert [line["error"] for line in logged if line["event"] == "readiness"] == [seen[1], seen[5]]


def test_a_sealed_web_server_knows_nothing_of_the_worker(client: Client) -> None:
    assert client.get("/readyz").json()["worker"] == "unknown while sealed"


def test_the_figures_count_workers_and_what_waits_for_them(client: Client, unsealed: None) -> None:
    def figures() -> list[str]:
        lines = client.get("/metrics").content.decode().splitlines()
        return [line for line in lines if line.startswith(("nscweb_workers_alive", "nscweb_jobs_waiting"))]

    assert figures() == ["nscweb_workers_alive 0.0", "nscweb_jobs_waiting 0.0"]
    _enqueue()
    jobs.beat("one")
    jobs.beat("two")
    assert figures() == ["nscweb_workers_alive 2.0", "nscweb_jobs_waiting 1.0"]
    jobs.claim({"any": jobs.Handler(run=lambda lease: {})})
    assert figures() == ["nscweb_workers_alive 2.0", "nscweb_jobs_waiting 0.0"]


def test_figures_of_requests_come_also_while_the_database_is_away(
    client: Client, unsealed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> int:
        raise OperationalError

    monkeypatch.setattr(jobs, "due", away)
    text = client.get("/metrics").content.decode()
    assert "nscweb_requests_total" in text
    assert "nscweb_jobs_waiting" not in text


def _nothing() -> None:
    pass


def _enqueue() -> None:
    jobs.enqueue(principal=make.COMMAND, kind="any", payload={})


def _silence() -> None:
    WorkerBeat.objects.update(at=clock.now() - jobs.ALIVE - timedelta(seconds=1))


def test_not_ready_when_migrations_are_missing(
    client: Client, unsealed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Behind:
        def __init__(self, connection: object) -> None:
            from types import SimpleNamespace

            self.loader = SimpleNamespace(graph=SimpleNamespace(leaf_nodes=list))

        def migration_plan(self, targets: object) -> list[str]:
            return ["identities.9999"]

    monkeypatch.setattr(health, "MigrationExecutor", Behind)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "migrate" in response.json()["checks"]["migrations"]


def test_figures_carry_the_name_of_the_view_never_the_path(client: Client, unsealed: None) -> None:
    client.get("/nothing-here")
    client.get("/livez")
    text = client.get("/metrics").content.decode()
    assert 'nscweb_requests_total{method="GET",status="200",view="livez"}' in text
    assert "nothing-here" not in text
    assert 'nscweb_requests_total{method="GET",status="404",view="none"}' in text


def test_figures_are_for_this_host_or_for_the_holder_of_the_token(
    client: Client, unsealed: None, settings: Any
) -> None:
    assert client.get("/metrics", REMOTE_ADDR="10.0.0.9").status_code == 404
    assert client.get("/metrics", headers={"X-Forwarded-For": "10.0.0.9"}).status_code == 404
    settings.METRICS_TOKEN = "a-long-metrics-token"
    refused = client.get("/metrics", REMOTE_ADDR="10.0.0.9", headers={"Authorization": "Bearer other"})
    assert refused.status_code == 404
    allowed = client.get(
        "/metrics", REMOTE_ADDR="10.0.0.9", headers={"Authorization": "Bearer a-long-metrics-token"}
    )
    assert allowed.status_code == 200


def test_the_address_behind_trusted_proxies_is_the_one_they_vouch_for(
    client: Client, unsealed: None, settings: Any
) -> None:
    settings.TRUSTED_PROXIES = 1
    forged = {"X-Forwarded-For": "127.0.0.1, 10.0.0.9"}
    assert client.get("/metrics", headers=forged).status_code == 404
