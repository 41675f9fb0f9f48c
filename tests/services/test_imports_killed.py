"""An import whose process is killed at any moment leaves all of it or nothing, and the next worker finishes it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from identities.models import Job, Operator, User
from identities.services import audit, clock, import_jobs, jobs, secrets, uploads
from identities.services.import_items import Choices
from tests import goldens, make, nscfiles, rows

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROOT = Path(__file__).parents[2]
WORKER = """
import sys
import django

django.setup()
from django.db import connection
connection.settings_dict["NAME"] = sys.argv[1]
from identities.services import import_jobs, jobs, secrets
secrets.is_sealed()
print("ready", flush=True)
jobs.work_once(import_jobs.HANDLERS)
print("done", flush=True)
"""
COMMAND = """
import sys
from pathlib import Path
import django

django.setup()
from django.db import connection
connection.settings_dict["NAME"] = sys.argv[1]
from django.core.management import call_command
print("ready", flush=True)
call_command("import_nsc", sys.argv[2], keystore=Path(sys.argv[3]), json=True)
"""


@pytest.fixture(autouse=True)
def _own_uploads(settings: Any, tmp_path: Path) -> None:
    """A data directory of this test's own: other processes upload too."""
    settings.NSCWEB_DATA_DIR = tmp_path / "data"


@contextmanager
def running(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that is ready to do what the script says; it is killed at the end of the block, if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(connection.settings_dict["NAME"]), *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "NSCWEB_DATA_DIR": str(settings.NSCWEB_DATA_DIR),
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait(30)
        process.stdout.close()


def work() -> float:
    """Have a worker of its own do what waits; the seconds that it took."""
    with running(WORKER) as process:
        began = time.monotonic()
        assert process.wait(120) == 0
        return time.monotonic() - began


def started(tmp_path: Path) -> Job:
    """An import of a whole store with its keys, planned and waiting for a worker."""
    keys = nscfiles.keystore(tmp_path / "keys", nscfiles.seeds_of("full"))
    upload = uploads.begin()
    uploads.add(upload, "stores.tar.gz", nscfiles.packed(goldens.GOLDEN / "full/stores"))
    uploads.add(upload, "keys.tar.gz", nscfiles.packed(keys))
    plan = import_jobs.begin(principal=make.COMMAND, upload=upload)
    assert jobs.work_once(import_jobs.HANDLERS)
    plan.refresh_from_db()
    return import_jobs.start(principal=make.COMMAND, plan=plan, choices=Choices())


def forget_everything() -> None:
    """Back to an installation without identities, as at the start."""
    call_command("flush", verbosity=0, interactive=False)
    secrets.forget()
    make.installation()


def test_a_killed_import_leaves_all_or_nothing(full: bool, tmp_path: Path) -> None:
    make.installation()
    first = started(tmp_path / "first")
    seconds = work()
    first.refresh_from_db()
    assert first.state == "done"
    whole = rows.count()
    chance = random.Random(20261126)
    nothing = everything = 0
    for number in range(30 if full else 4):
        forget_everything()
        before = rows.identities()
        job = started(tmp_path / str(number))
        with running(WORKER):
            time.sleep(chance.uniform(0, seconds))
        job.refresh_from_db()
        if job.state == "done":
            everything += 1
            assert rows.count() == whole
        else:
            nothing += 1
            assert rows.identities() == before
            Job.objects.filter(pk=job.pk).update(lease_until=clock.now() - timedelta(seconds=1))
            work()
            job.refresh_from_db()
            assert (job.state, rows.count()) == ("done", whole)
        assert User.objects.count() == len(list((goldens.GOLDEN / "full/stores").rglob("users/*.jwt")))
        assert Operator.objects.count() == 1
        assert audit.first_broken() is None
        import_jobs.tidy()
        assert not list((Path(settings.NSCWEB_DATA_DIR) / "uploads").iterdir())
    assert nothing + everything == (30 if full else 4)


def test_a_killed_command_leaves_all_or_nothing(full: bool, tmp_path: Path) -> None:
    make.installation()
    keys = nscfiles.keystore(tmp_path / "keys", nscfiles.seeds_of("full"))
    before, chance = rows.identities(), random.Random(7)
    for _ in range(10 if full else 2):
        with running(COMMAND, str(goldens.GOLDEN / "full/stores"), str(keys)):
            time.sleep(chance.uniform(0, 0.6))
        if Operator.objects.exists():
            assert User.objects.count() == len(list((goldens.GOLDEN / "full/stores").rglob("users/*.jwt")))
            forget_everything()
        assert rows.identities() == before
