"""How fast an nsc estate comes in and goes out, beside `nsc validate --all-accounts` on the same store.

    python bench/import.py [--accounts 2000] [--users 20] [--large PATH]

Ours: `manage.py import_nsc` in a process of its own, into a file database (SQLite, synchronous=FULL): every file of
store and keystore (seeds and creds) read, every signature verified, every seed derived and sealed, rows, ledger, audit.
Meanwhile another process writes to the same database, and tells how long it had to wait. Then the same import again,
which must change nothing. Then `manage.py export_nsc --with-keys`, whose files must be those that came in, and the same
packed as a zip file, as a page sends it. How long a file system takes to make files differs tenfold from one minute to
the next, so the export that counts goes into memory (/dev/shm); one goes to disk, beside `cp -r` of the same.

The limits: 5 times nsc's time (NSC names an nsc; else the one on the path, or the one that the tests build), 300 MB,
5 s of waiting; the exit status says so.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LARGE = ROOT / "tests" / "golden" / "large" / "large-200x20.tar.xz"
MOST_TIMES, MOST_MEMORY, MOST_WAIT = 5.0, 300.0, 5.0
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
WAITER = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
worst = 0.0
print("ready", flush=True)
while not sys.stdin.closed:
    started = time.perf_counter()
    database.execute("BEGIN IMMEDIATE")
    database.execute("UPDATE identities_workerbeat SET name = name")
    database.execute("COMMIT")
    worst = max(worst, time.perf_counter() - started)
    print(worst, flush=True)
    time.sleep(0.02)
"""
ZIPPED = """
import sys, django
django.setup()
from identities.models import Operator
from identities.policy.principal import Principal
from identities.services import export_archives, exporting
operator = Operator.objects.get(name=sys.argv[1])
plan = exporting.prepare(principal=Principal.command("bench"), operator=operator, with_keys=True)
print(sum(len(part) for part in export_archives.store(plan)))
"""


def main() -> int:
    """Run, print a table, and return 1 when a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--large", type=Path, default=LARGE)
    asked = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory(prefix="nscweb-bench-") as directory:
        if asked.large.exists():
            with tarfile.open(asked.large) as packed:
                packed.extractall(directory, filter="data")
            good = compare("200 x 20, as nsc made it", Path(directory) / "large") and good
        made = Path(directory) / "made"
        subprocess.run(
            [sys.executable, __file__, "--", str(made), str(asked.accounts), str(asked.users)],
            check=True,
            env={**os.environ, "NSCWEB_DATA_DIR": str(Path(directory) / "maker")},
        )
        good = compare(f"{asked.accounts:,} x {asked.users}", made) and good
    return 0 if good else 1


def compare(what: str, environment: Path) -> bool:
    """Import one environment twice, validate it with nsc, print; whether all limits hold."""
    nsc = [nsc_seconds(environment)]
    with tempfile.TemporaryDirectory(prefix="nscweb-bench-") as data:
        environ = {**os.environ, "NSCWEB_DATA_DIR": data, "DJANGO_SETTINGS_MODULE": "nscweb.settings"}
        environ.pop("DATABASE_URL", None)
        subprocess.run(
            [sys.executable, "-m", "nscweb.prepare"], cwd=ROOT, env=environ, check=True, capture_output=True
        )
        starting = timed([sys.executable, str(ROOT / "manage.py"), "import_nsc", "--help"])
        waiter = subprocess.Popen(
            [sys.executable, "-c", WAITER, str(Path(data) / "nscweb.sqlite3")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            seconds, memory, report = ours(environment, environ)
        finally:
            waiter.kill()
        waited = float((waiter.communicate()[0].split() or ["0"])[-1])
        nsc.append(nsc_seconds(environment))
        again, _, second = ours(environment, environ)
        nsc.append(nsc_seconds(environment))
        with tempfile.TemporaryDirectory(prefix="nscweb-bench-", dir=MEMORY) as memory_folder:
            out = Out(environment, Path(data), Path(memory_folder) / "out", environ)
            nsc.append(nsc_seconds(out.folder))
    counts = report["counts"]
    print(
        f"{what}: {counts['account']['new']:,} accounts, {counts['user']['new']:,} users, {report['files']:,} files"
    )
    print(f"  {'nscweb, everything':<34} {seconds:>8.2f} s")
    print(f"  {'nscweb, the same again':<34} {again:>8.2f} s  (changes nothing: {second['nothing']})")
    print(f"  {'peak memory':<34} {memory:>8.0f} MB (at most {MOST_MEMORY:.0f})")
    print(f"  {'another writer waited at most':<34} {waited:>8.2f} s  (at most {MOST_WAIT:.0f})")
    print(f"  {'export, everything':<34} {out.seconds:>8.2f} s  (the same files as came in: {out.same})")
    print(f"  {'export, the same again':<34} {out.again:>8.2f} s")
    print(f"  {'export, to disk':<34} {out.on_disk:>8.2f} s  (cp -r of the same: {out.copied:.2f} s)")
    print(f"  {'export, as a zip file':<34} {out.zipped:>8.2f} s  ({out.size / 2**20:.0f} MB)")
    print(f"  {'peak memory, folder and zip file':<34} {out.memory:>8.0f} MB (at most {MOST_MEMORY:.0f})")
    good = memory < MOST_MEMORY and waited < MOST_WAIT and second["nothing"]
    good = good and out.same and out.memory < MOST_MEMORY
    if not nsc[0]:
        print("  nsc is not here: nothing to compare with")
        return good
    theirs = statistics.median(nsc)
    ratio = (seconds - starting) / theirs
    print(
        f"  {'nsc validate --all-accounts':<34} {theirs:>8.2f} s  (median of four runs, before, between and after)"
    )
    print(f"  {'starting Python and Django':<34} {starting:>8.2f} s")
    print(f"  {'nscweb without that / nsc':<34} {ratio:>8.2f}    (at most {MOST_TIMES:.0f})")
    going = (out.seconds - starting) / theirs
    print(f"  {'export without that / nsc':<34} {going:>8.2f}    (at most {MOST_TIMES:.0f})")
    return good and ratio <= MOST_TIMES and going <= MOST_TIMES


def ours(environment: Path, environ: dict[str, str]) -> tuple[float, float, dict[str, object]]:
    """Seconds, peak memory in MB and the report of one import."""
    command = [
        "manage.py",
        "import_nsc",
        str(environment / "stores"),
        "--keystore",
        str(environment / "keys"),
        "--json",
    ]
    seconds, memory, said = measured(command, environ)
    return seconds, memory, json.loads(said)


class Out:
    """One export into a folder, the same again, and one as a zip file; what they took."""

    def __init__(self, environment: Path, data: Path, folder: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        (operator,) = (path.name for path in (environment / "stores").iterdir())
        command = ["manage.py", "export_nsc", operator, str(self.folder), "--with-keys"]
        self.seconds, first, _ = measured(command, environ)
        self.again, second, said = measured(command, environ)
        assert "unchanged" in said, said
        self.zipped, third, size = measured(["-c", ZIPPED, operator], environ)
        self.size, self.memory = int(size), max(first, second, third)
        self.on_disk, _, _ = measured([*command[:3], str(data / "out"), "--with-keys"], environ)
        self.copied = timed(["cp", "-r", str(self.folder), str(data / "copy")])
        self.same = files(self.folder) == files(environment)


def files(root: Path) -> dict[str, int]:
    """The files of stores and keystore, by what is in them."""
    return {
        str(path.relative_to(root)): hash(path.read_bytes())
        for folder in ("stores", "keys")
        for path in (root / folder).rglob("*")
        if path.is_file() and path.name != ".gitignore"
    }


def measured(command: list[str], environ: dict[str, str]) -> tuple[float, float, str]:
    """Seconds, peak memory in MB and the output of one successful run of ours."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    assert process.returncode == 0, said
    return seconds, used.ru_maxrss / 1024, said


def nsc_seconds(environment: Path) -> float:
    """Seconds that nsc takes to validate all accounts; 0 without nsc."""
    nsc = os.environ.get("NSC") or shutil.which("nsc") or built()
    if not nsc:
        return 0.0
    folders = [
        f"--{name}-dir={environment / place}"
        for name, place in (("config", "config"), ("data", "stores"), ("keystore", "keys"))
    ]
    return timed([nsc, "validate", "--all-accounts", *folders])


@cache
def built() -> str:
    """The nsc that the tests build; "" where there is no Go."""
    sys.path.insert(0, str(ROOT))
    from tests import nsc

    try:
        return str(nsc.built())
    except nsc.NotHere:
        return ""


def timed(command: list[str]) -> float:
    """Seconds of one successful run."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def make(target: Path, accounts: int, users: int) -> None:
    """Write an nsc environment: operator Bench, its accounts with their users, seeds and creds."""
    sys.path.insert(0, str(ROOT))
    from identities.claims import codec
    from identities.claims.account import AccountBody
    from identities.claims.common import Claims
    from identities.claims.limits import OperatorLimits
    from identities.claims.operator import OperatorBody
    from identities.claims.permissions import Permission, UserPermissionLimits
    from identities.claims.user import UserBody
    from identities.formats import creds
    from identities.nkeys import KeyKind, KeyPair

    now = int(time.time()) - 3600
    store, keys = target / "stores" / "Bench", target / "keys"
    (target / "config").mkdir(parents=True)

    def key(kind: KeyKind) -> KeyPair:
        pair = KeyPair.create(kind)
        text = pair.public.text
        shard = keys / "keys" / text[0] / text[1:3]
        shard.mkdir(parents=True, exist_ok=True)
        (shard / f"{text}.nk").write_bytes(pair.seed().reveal())
        return pair

    def write(path: Path, body: object, pair: KeyPair, signer: KeyPair, name: str) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = codec.encode(Claims(nats=body, sub=pair.public.text, name=name), signer, now).text
        path.write_text(text)
        return text

    operator, signing = key(KeyKind.OPERATOR), key(KeyKind.OPERATOR)
    (store / "accounts").mkdir(parents=True)
    (store / ".nsc").write_text('{"managed":false,"name":"Bench","kind":"operator","version":"1"}')
    write(store / "Bench.jwt", OperatorBody(signing_keys=(signing.public.text,)), operator, operator, "Bench")
    for number in range(accounts):
        account, name = key(KeyKind.ACCOUNT), f"acct{number:05}"
        home = store / "accounts" / name
        write(home / f"{name}.jwt", AccountBody(limits=OperatorLimits.unlimited()), account, signing, name)
        subjects = Permission(allow=(f"{name}.>", "_INBOX.>"))
        limits = UserPermissionLimits(pub=subjects, sub=subjects, subs=-1, data=-1, payload=-1)
        kept = keys / "creds" / "Bench" / name
        kept.mkdir(parents=True)
        for each in range(users):
            user, called = key(KeyKind.USER), f"user{each:02}"
            text = write(home / "users" / f"{called}.jwt", UserBody(limits=limits), user, account, called)
            (kept / f"{called}.creds").write_text(creds.format_creds(text, user))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--"]:
        make(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
        raise SystemExit(0)
    raise SystemExit(main())
