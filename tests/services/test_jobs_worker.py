from __future__ import annotations

import threading

import pytest
from django.db import OperationalError

from identities.management.commands import worker
from identities.models import Job, WorkerBeat
from identities.services import jobs
from tests import make

pytestmark = pytest.mark.django_db


class Clockwork(threading.Event):
    """An event that is set after being waited for a number of times."""

    def __init__(self, waits: int) -> None:
        super().__init__()
        self.left = waits
        self.pauses: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout)
        self.left -= 1
        if self.left <= 0:
            self.set()
        return self.is_set()


@pytest.fixture(autouse=True)
def _one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's transaction lives in its connection, which must not be closed."""
    monkeypatch.setattr(worker, "close_old_connections", lambda: None)


@pytest.fixture
def greeted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []

    def greet(lease: jobs.Lease) -> jobs.Result:
        done.append(jobs.payload_of(lease.job)["whom"])
        return {}

    monkeypatch.setattr(worker, "HANDLERS", {"greet": jobs.Handler(run=greet)})
    return done


def greet(whom: str) -> Job:
    return jobs.enqueue(principal=make.COMMAND, kind="greet", payload={"whom": whom})


def test_does_everything_that_waits_before_it_pauses_and_then_polls(greeted: list[str]) -> None:
    make.installation()
    for whom in ("Alice", "Bob", "Charlie"):
        greet(whom)
    stop = Clockwork(waits=2)
    worker.run(stop, name="one")
    assert greeted == ["Alice", "Bob", "Charlie"]
    assert stop.pauses == [worker.POLL_SECONDS] * 2


def test_shows_that_it_is_alive_and_says_goodbye(greeted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    make.installation()
    seen: list[str] = []
    monkeypatch.setattr(
        jobs,
        "work_once",
        lambda handlers: seen.extend(WorkerBeat.objects.values_list("name", flat=True)) or False,
    )
    worker.run(Clockwork(waits=1), name="one")
    assert seen == ["one"]
    assert not WorkerBeat.objects.exists()


def test_does_nothing_while_the_installation_is_sealed(greeted: list[str]) -> None:
    greet("Alice")
    worker.run(Clockwork(waits=1), name="one")
    assert greeted == []


def test_waits_for_a_database_that_is_away(greeted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    make.installation()

    def away(handlers: jobs.Handlers) -> bool:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(worker.connection, "close", lambda: None)
    monkeypatch.setattr(jobs, "work_once", away)
    stop = Clockwork(waits=2)
    worker.run(stop, name="one")
    assert stop.pauses[0] == worker.AWAY_SECONDS


def test_threads_beside_it_show_no_beat_of_their_own(
    greeted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make.installation()
    monkeypatch.setattr(jobs, "beat", lambda name: pytest.fail("only the first shows that it is alive"))
    greet("Alice")
    worker.run(Clockwork(waits=1))
    assert greeted == ["Alice"]
