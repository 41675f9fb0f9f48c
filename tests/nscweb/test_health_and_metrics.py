from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from nscweb import health

pytestmark = pytest.mark.django_db


def test_alive_says_ok_without_asking_the_database(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        response = client.get("/livez")
    assert response.json() == {"status": "ok"}


def test_ready_names_each_thing_it_has_asked(client: Client, unsealed: None) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "checks": {"database": "ok", "migrations": "ok", "keys": "ok"}}


def test_not_ready_without_a_master_key(client: Client) -> None:
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["keys"].startswith("sealed")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM nscweb_cache")
        assert cursor.fetchone()[0] == 0  # sealed: not even the probe writes


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
