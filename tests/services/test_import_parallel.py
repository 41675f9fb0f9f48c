"""Two processes read what one would, and where the second one comes to grief the first reads all of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests import goldens, make, nscfiles

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SCRIPT = """
import json, os, sys
from pathlib import Path
import django

django.setup()
from django.db import connection
connection.settings_dict["NAME"] = sys.argv[1]
from identities.services import import_parallel, import_sources
from identities.services.import_reading import Collector

roots = [Path(path) for path in sys.argv[3:]]
import_parallel.FEWEST = 1
if sys.argv[2] == "broken":
    import_parallel._in_the_copy = lambda *_: os._exit(9)
two, one = Collector(seal=True), Collector(seal=True)
forks = []
fork = os.fork
os.fork = lambda: forks.append(fork()) or forks[-1]
os.sched_getaffinity = lambda _: {0, 1}
import_parallel.folders(two, roots, lambda done, total: None)
for root in roots:
    import_sources.folder(one, root, lambda done, total: None)

def told(collector):
    read = collector.finished()
    return {
        "texts": sorted(item.text for kind in (read.operators, read.accounts, read.users) for item in kind.values()),
        "seeds": sorted(read.seeds),
        "sealed": all(read.seeds.values()),
        "files": read.files,
        "notes": sorted((note.tone, note.message, note.count) for note in read.notes),
        "shared": len({id(user.rights) for user in read.users.values()}),
        "rights": len({user.rights for user in read.users.values()}),
    }

print(json.dumps([told(two), told(one), len(forks)]))
"""


def read(how: str, *roots: Path) -> list[Any]:
    """What two processes and one have read, and how often the process was copied."""
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            SCRIPT,
            str(connection.settings_dict["NAME"]),
            how,
            *map(str, roots),
        ],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("how", ["whole", "broken"])
def test_two_processes_read_what_one_does(how: str, tmp_path: Path) -> None:
    make.installation()
    seeds = nscfiles.seeds_of("full")
    keys = nscfiles.keystore(tmp_path / "keys", seeds)
    two, one, forks = read(how, goldens.GOLDEN / "full/stores", keys)
    assert forks == 1
    assert two == one
    assert two["seeds"] == sorted(seeds)
    assert two["sealed"]
    assert two["shared"] == two["rights"]


def test_odd_stores_are_told_alike(tmp_path: Path) -> None:
    make.installation()
    for name in (
        "user-file-name-differs",
        "user-tampered",
        "account-missing-file",
        "account-of-other-operator",
    ):
        two, one, _ = read("whole", goldens.GOLDEN / f"invalid/store-variants/{name}/stores")
        assert two == one, name
