"""Is this process alive, and can it do its work? Asked by load balancers and by `make run`."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from identities.services import secrets

OK = "ok"
_KEEP_SECONDS = 2.0
"""How long an answer is reused, so that probing costs at most one write in this time and process."""

log = structlog.get_logger("nscweb.health")
_last: tuple[float, dict[str, str]] = (float("-inf"), {})
_migrated = False


@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """200 while the process answers at all."""
    return JsonResponse({"status": OK})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when database, migrations and key ring are usable, else 503 with what is not."""
    checks = _checks()
    ready = all(value == OK for value in checks.values())
    return JsonResponse(
        {"status": OK if ready else "unavailable", "checks": checks}, status=200 if ready else 503
    )


def _checks() -> dict[str, str]:
    global _last
    now = time.monotonic()
    if now - _last[0] > _KEEP_SECONDS:
        keys = _asked(_keys)
        database = _asked(_write if keys == OK else _read)
        _last = (now, {"database": database, "migrations": _asked(_migrations), "keys": keys})
    return _last[1]


def forget() -> None:
    """Ask anew next time (tests)."""
    global _last, _migrated
    _last, _migrated = (float("-inf"), {}), False


def _asked(question: Callable[[], str]) -> str:
    try:
        return question()
    except DatabaseError as error:
        log.error("readiness", question=question.__name__.strip("_"), error=type(error).__name__)
        return "the database can't be used"


def _read() -> str:
    """Sealed: nothing is written."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return OK


def _write() -> str:
    """A committed write into the cache table, which a read-only or full database refuses."""
    key = ":1:readyz"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM nscweb_cache WHERE cache_key = %s", [key])
        cursor.execute(
            "INSERT INTO nscweb_cache (cache_key, value, expires) VALUES (%s, %s, %s)"
            " ON CONFLICT (cache_key) DO NOTHING",  # two processes are asked at once
            [key, "", "2000-01-01 00:00:00"],
        )
    return OK


def _migrations() -> str:
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return OK if _migrated else "migrations are missing: run manage.py migrate"


def _keys() -> str:
    return "sealed: no usable master key" if secrets.is_sealed() else OK
