"""Is this process alive, and can it do its work? Asked by load balancers and by `make run`."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from identities.services import jobs, secrets

OK = "ok"
_START_ONE = "Start one: manage.py worker"
_KEEP_SECONDS = 2.0
"""How long an answer is reused, so that probing costs at most one write in this time and process."""

log = structlog.get_logger("nscweb.health")
_NEVER: tuple[float, dict[str, str], str] = (float("-inf"), {}, OK)
_last = _NEVER
_migrated = False


@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """200 while the process answers at all."""
    return JsonResponse({"status": OK})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when database, migrations and key ring are usable, else 503 with what is not.

    A silent worker is named, and logged while jobs wait for one, but it leaves the answer at 200: this process does all
    its own work without a worker, and a load balancer that heard 503 would take every page away from people because
    their client tests have to wait. Alert on `worker`, or on `nscweb_workers_alive` of /metrics, instead.
    """
    checks, worker = _found()
    ready = all(value == OK for value in checks.values())
    return JsonResponse(
        {"status": OK if ready else "unavailable", "checks": checks, "worker": worker},
        status=200 if ready else 503,
    )


def _found() -> tuple[dict[str, str], str]:
    """What each check says, and what the worker does."""
    global _last
    now = time.monotonic()
    if now - _last[0] > _KEEP_SECONDS:
        keys = _asked(_keys)
        database = _asked(_write if keys == OK else _read)
        checks = {"database": database, "migrations": _asked(_migrations), "keys": keys}
        worker = _asked(_worker) if keys == OK else "unknown while sealed"
        if _START_ONE in worker and _START_ONE not in _last[2]:  # once a silence
            log.warning("readiness", question="worker", error=worker)
        _last = (now, checks, worker)
    return _last[1:]


def forget() -> None:
    """Ask anew next time (tests)."""
    global _last, _migrated
    _last, _migrated = _NEVER, False


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


def _worker() -> str:
    if jobs.workers_alive():
        return OK
    waiting = jobs.due()
    silent = f"silent: no worker was seen for {jobs.ALIVE.total_seconds():.0f} seconds"
    if not waiting:
        return silent
    return f"{silent}, and {waiting} {'job waits' if waiting == 1 else 'jobs wait'}. {_START_ONE}"
