"""How fast users are issued end to end, beside the fastest that the same work could be done in the same run.

    python bench/issue.py [--users 4000] [--batch 500]

Ours: `services.users.create_many` into a file database (SQLite, synchronous=FULL): key, JWT, own output verified,
sealed seed, rows, ledger, audit, permissions (4 subjects each), and the creds text of every user.
The limit: key generation, building, signing, verifying and sealing with bare PyNaCl, plus a raw `executemany` of the
very rows that ours wrote, in the same batches. Ours must reach half of the limit; the exit status says so.
Beside it: bare PyNaCl + JSON that stores nothing, the single-user service call, and the Go library where Go is here.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUBJECTS = (("orders.*.created", "orders.>"), ("_INBOX.>", "stock.*"))
FLOOR = 0.5
Rows = dict[str, list[tuple[object, ...]]]
TABLES = (
    "identities_issuedtoken",
    "identities_user",
    "identities_key",
    "identities_subjectpattern",
    "identities_permission",
    "identities_auditevent",
    "identities_audittarget",
)


def main() -> int:
    """Run, print a table, and return 1 when ours is below half of the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument(
        "--rounds", type=int, default=4, help="ours and the limit take turns, so that both meet the same load"
    )
    asked = parser.parse_args()
    share = asked.users // asked.rounds
    ours, sealed, raw, bare, ratios = 0.0, 0.0, 0.0, 0.0, []
    with tempfile.TemporaryDirectory(prefix="nscweb-bench-") as directory:
        product = Product(Path(directory))
        for number in range(asked.rounds):
            seconds, rows = product.issue(f"round-{number}", share, asked.batch)
            crypto_seconds, raw_seconds = (
                crypto(share, store=True),
                product.copy.insert(rows, share, asked.batch),
            )
            ratios.append((crypto_seconds + raw_seconds) / seconds)
            ours, sealed, raw = ours + seconds, sealed + crypto_seconds, raw + raw_seconds
            bare += crypto(share, store=False)
        one_call = product.one_call(100)
    users = share * asked.rounds
    figures = [
        ("nscweb, in bulk, end to end", users / ours),
        ("the limit: crypto + raw inserts of the same rows", users / (sealed + raw)),
        ("bare PyNaCl + JSON, stores nothing", users / bare),
        ("nscweb, one user a call", one_call),
    ]
    if (go := golang(users)) is not None:
        figures.append(("Go jwt library, stores nothing", go))
    for what, rate in figures:
        print(f"{what:<50} {rate:>9,.0f} users/s")
    ratio = statistics.median(ratios)
    print(f"{'ours / limit, median of the rounds':<50} {ratio:>9.2f}  (at least {FLOOR})")
    return 0 if ratio >= FLOOR else 1


class Product:
    """nscweb over an empty file database with its own settings, and a copy of that database for the limit."""

    def __init__(self, directory: Path) -> None:
        os.environ["NSCWEB_DATA_DIR"] = str(directory)
        os.environ.pop("DATABASE_URL", None)
        os.environ["DJANGO_SETTINGS_MODULE"] = "nscweb.settings"
        sys.path.insert(0, str(ROOT))
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        from django.conf import settings
        from django.db import connection

        from identities.claims.drafts import AccountDraft, OperatorDraft
        from identities.claims.permissions import Permission, UserPermissionLimits
        from identities.policy.principal import Principal
        from identities.services import accounts, operators, secrets

        secrets.initialise()
        self.me = Principal.command("bench")
        operator = operators.create(
            principal=self.me, draft=OperatorDraft(name="Bench", system_account=False)
        )
        self.account = accounts.create(principal=self.me, operator=operator, draft=AccountDraft(name="Bench"))
        self.limits = UserPermissionLimits(
            pub=Permission(allow=SUBJECTS[0]), sub=Permission(allow=SUBJECTS[1]), subs=-1, data=-1, payload=-1
        )
        self.database = Path(str(settings.DATABASES["default"]["NAME"]))
        self.issue("warm", 20, 20)
        connection.close()
        self.copy = Copy(self.database, directory / "copy.sqlite3")

    def issue(self, prefix: str, users: int, batch: int) -> tuple[float, Rows]:
        """Issue `users` in batches; return the seconds it took and the rows it wrote, by table."""
        from identities.claims.drafts import UserDraft
        from identities.services import creds

        before = {table: self._last(table) for table in TABLES}

        def work() -> None:
            for start in range(0, users, batch):
                names = [f"{prefix}-{number}" for number in range(start, min(start + batch, users))]
                drafts = [UserDraft(name=name, limits=self.limits) for name in names]
                files = creds.issue(principal=self.me, account=self.account, drafts=drafts)
                assert len(files) == len(drafts)

        seconds = timed(work)
        with sqlite3.connect(self.database) as reader:
            return seconds, {
                table: reader.execute(
                    f"SELECT * FROM {table} WHERE id > ? ORDER BY id", (before[table],)
                ).fetchall()
                for table in TABLES
            }

    def one_call(self, users: int) -> float:
        """Users a second when each is a call (and a transaction) of its own."""
        from identities.claims.drafts import UserDraft
        from identities.services import users as service

        drafts = [UserDraft(name=f"one-{number}", limits=self.limits) for number in range(users)]
        return users / timed(
            lambda: [service.create(principal=self.me, account=self.account, draft=draft) for draft in drafts]
        )

    def _last(self, table: str) -> int:
        with sqlite3.connect(self.database) as reader:
            return int(reader.execute(f"SELECT COALESCE(MAX(id), 0) FROM {table}").fetchone()[0])


class Copy:
    """The same database once more, for raw inserts with the product's own settings."""

    def __init__(self, source: Path, path: Path) -> None:
        shutil.copy(source, path)
        self.database = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-20000"):
            self.database.execute(f"PRAGMA {pragma}")

    def insert(self, rows: Rows, users: int, batch: int) -> float:
        """Seconds for a raw `executemany` of `rows`, in as many transactions as ours took."""
        parts = -(-users // batch)

        def work() -> None:
            for part in range(parts):
                self.database.execute("BEGIN IMMEDIATE")
                for table, all_rows in rows.items():
                    size = -(-len(all_rows) // parts)
                    chunk = all_rows[part * size : (part + 1) * size]
                    if chunk:
                        marks = ",".join("?" * len(chunk[0]))
                        self.database.executemany(f"INSERT INTO {table} VALUES ({marks})", chunk)
                self.database.execute("COMMIT")

        return timed(work)


def crypto(users: int, *, store: bool) -> float:
    """Seconds for key, build, sign (and verify, seal when `store`) with bare PyNaCl."""
    from nacl.secret import Aead
    from nacl.signing import SigningKey

    from identities.nkeys import KeyKind, KeyPair

    signer = SigningKey.generate()
    issuer = KeyPair.create(KeyKind.ACCOUNT).public.text
    box = Aead(os.urandom(32))
    header = "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ"

    def run() -> None:
        for number in range(users):
            key = SigningKey.generate()
            subject = base64.b32encode(b"\xa0" + bytes(key.verify_key) + b"\0\0").decode().rstrip("=")
            top = {"iat": 1_700_000_000, "iss": issuer, "name": f"user-{number}", "sub": subject}
            jti = (
                base64.b32encode(hashlib.new("sha512_256", json.dumps(top).encode()).digest())
                .decode()
                .rstrip("=")
            )
            body = {
                "pub": {"allow": SUBJECTS[0]},
                "sub": {"allow": SUBJECTS[1]},
                "subs": -1,
                "data": -1,
                "payload": -1,
                "type": "user",
                "version": 2,
            }
            payload = json.dumps({"jti": jti, **top, "nats": body}, separators=(",", ":")).encode()
            signed = header.encode() + b"." + base64.urlsafe_b64encode(payload).rstrip(b"=")
            signature = signer.sign(signed).signature
            if store:
                signer.verify_key.verify(signed, signature)
                box.encrypt(bytes(key), subject.encode())

    return timed(run)


def golang(users: int) -> float | None:
    """Users a second through the Go jwt library, or None where Go (or its modules) are not here."""
    if shutil.which("go") is None:
        return None
    done = subprocess.run(
        ["go", "run", ".", str(users)],
        cwd=ROOT / "bench" / "golang",
        capture_output=True,
        text=True,
        check=False,
    )
    return float(done.stdout) if done.returncode == 0 else None


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    raise SystemExit(main())
