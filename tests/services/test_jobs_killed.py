"""Workers that are really killed: their jobs are taken over, and nothing is done twice or lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from identities.models import Job, WorkerBeat
from identities.services import clock, jobs
from tests import make

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROOT = Path(__file__).parents[2]
WORKER = """
import sys
import django

django.setup()
from django.db import connection, transaction
connection.settings_dict["NAME"] = sys.argv[1]
from identities.models import WorkerBeat
from identities.services import clock, jobs

def greet(lease):
    with transaction.atomic():
        WorkerBeat.objects.create(name=f"effect of job {lease.job.pk}", at=clock.now())
        print("begun", lease.fence, flush=True)
        sys.stdin.readline()
    return {"by": sys.argv[2]}

jobs.work_once({"greet": jobs.Handler(run=greet)})
"""


@contextmanager
def worker(name: str) -> Iterator[subprocess.Popen[str]]:
    """A worker process that has begun a job and waits, in the middle of its transaction, for a line to go on."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(connection.settings_dict["NAME"]), name],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)
        process.stdin.close()
        process.stdout.close()


def begun(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    word, fence = process.stdout.readline().split()
    assert word == "begun"
    return int(fence)


def test_a_killed_workers_job_is_done_by_another_once(full: bool) -> None:
    job = jobs.enqueue(principal=make.COMMAND, kind="greet", payload={})
    kills = 4 if full else 2
    for number in range(kills):
        with worker(f"killed-{number}") as killed:
            assert begun(killed) == number + 1
        assert jobs.claim({"greet": jobs.Handler(run=lambda lease: {})}) is None
        assert not WorkerBeat.objects.exists()
        Job.objects.filter(pk=job.pk).update(lease_until=clock.now() - timedelta(seconds=1))
    with worker("last") as last:
        assert begun(last) == kills + 1
        assert last.stdin is not None
        last.stdin.write("go on\n")
        last.stdin.flush()
        assert last.wait(60) == 0
    job.refresh_from_db()
    assert (job.state, jobs.result_of(job), job.fence) == ("done", {"by": "last"}, kills + 1)
    assert WorkerBeat.objects.get().name == f"effect of job {job.pk}"
