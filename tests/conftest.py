"""What all tests share: Hypothesis profiles, full or reduced counts, and clean state between tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

FULL = os.environ.get("NSCWEB_TEST_FULL", "").lower() in {"1", "true", "yes", "on"}
NO_SKIPS = os.environ.get("NSCWEB_TEST_NO_SKIPS", "").lower() in {"1", "true", "yes", "on"}

_common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
settings.register_profile("quick", max_examples=40, derandomize=True, database=None, **_common)
settings.register_profile("full", max_examples=1000, database=None, **_common)
settings.load_profile("full" if FULL else "quick")


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether the figures of the specification are wanted, or reduced ones."""
    return FULL


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Nothing that a process remembers about its database reaches the next test."""
    import sys

    yield
    if health := sys.modules.get("nscweb.health"):
        health.forget()
    if secrets := sys.modules.get("identities.services.secrets"):
        secrets.forget()


@pytest.fixture(autouse=True, scope="session")
def _emptiable_tables() -> Iterator[None]:
    """Tests that commit empty the tables afterwards; SQLite's append-only triggers stand aside for just that."""
    from django.db.backends.sqlite3.operations import DatabaseOperations

    from identities.models import append_only

    flush = DatabaseOperations.execute_sql_flush

    def without_triggers(self: DatabaseOperations, sql_list: list[str]) -> None:
        append_only.remove(self.connection)
        flush(self, sql_list)
        append_only.install(self.connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "execute_sql_flush", without_triggers)
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if NO_SKIPS and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("skipped tests are forbidden here (NSCWEB_TEST_NO_SKIPS)", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if NO_SKIPS and exitstatus == 0 and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
