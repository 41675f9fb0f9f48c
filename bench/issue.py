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
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUBJECTS = (("orders.*.created", "orders.>"), ("_INBOX.>", "stock.*"))
FLOOR = 0.5
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
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nscweb-bench-") as directory:
        prepare(Path(directory))
        ours, one_call, rows = product(asked.users, asked.batch, Path(directory))
        bare = crypto(asked.users, store=False)
        sealed = crypto(asked.users, store=True)
        raw = inserts(Path(directory), rows, asked.users, asked.batch)
    limit = asked.users / (sealed + raw)
    figures = [
        ("nscweb, in bulk, end to end", asked.users / ours),
        ("the limit: crypto + raw inserts of the same rows", limit),
        ("bare PyNaCl + JSON, stores nothing", asked.users / bare),
        ("nscweb, one user a call", one_call),
    ]
    if (go := golang(asked.users)) is not None:
        figures.append(("Go jwt library, stores nothing", go))
    for what, rate in figures:
        print(f"{what:<50} {rate:>9,.0f} users/s")
    ratio = asked.users / ours / limit
    print(f"{'ours / limit':<50} {ratio:>9.2f}  (at least {FLOOR})")
    return 0 if ratio >= FLOOR else 1


def prepare(directory: Path) -> None:
    """Set up Django over an empty file database with the product's own settings."""
    os.environ["NSCWEB_DATA_DIR"] = str(directory)
    os.environ.pop("DATABASE_URL", None)
    os.environ["DJANGO_SETTINGS_MODULE"] = "nscweb.settings"
    sys.path.insert(0, str(ROOT))
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from identities.services import secrets

    secrets.initialise()


def product(users: int, batch: int, directory: Path) -> tuple[float, float, dict[str, list[tuple[object, ...]]]]:
    """Issue `users` in batches; return seconds, single-call users/s, and the rows written by table."""
    from identities.claims.drafts import AccountDraft, OperatorDraft, UserDraft
    from identities.claims.permissions import Permission, UserPermissionLimits
    from identities.formats import creds
    from identities.models import Key
    from identities.nkeys import SecretBytes
    from identities.policy.principal import Principal
    from identities.services import accounts, operators, secrets
    from identities.services import users as service

    me = Principal.command("bench")
    operator = operators.create(principal=me, draft=OperatorDraft(name="Bench", system_account=False))
    account = accounts.create(principal=me, operator=operator, draft=AccountDraft(name="Bench"))
    limits = UserPermissionLimits(
        pub=Permission(allow=SUBJECTS[0]), sub=Permission(allow=SUBJECTS[1]), subs=-1, data=-1, payload=-1
    )

    def draft(name: str) -> UserDraft:
        return UserDraft(name=name, limits=limits)

    service.create_many(principal=me, account=account, drafts=[draft(f"warm-{n}") for n in range(20)])
    database = directory / "nscweb.sqlite3"
    database = database if database.exists() else next(directory.glob("*.sqlite3"))
    before = {table: _last(database, table) for table in TABLES}

    def issue() -> None:
        for start in range(0, users, batch):
            made = service.create_many(
                principal=me, account=account, drafts=[draft(f"user-{n}") for n in range(start, min(start + batch, users))]
            )
            keys = {key.user_id: key for key in Key.objects.filter(user__in=made)}
            for user in made:
                key = keys[user.pk]
                with secrets.opened(key.sealed, table="key", public_key=key.public_key, purpose="seed") as seed:
                    assert isinstance(seed, SecretBytes)
                    creds.format_creds(user.token.text, seed)

    seconds = timed(issue)
    with sqlite3.connect(database) as reader:
        rows = {
            table: reader.execute(f"SELECT * FROM {table} WHERE id > ? ORDER BY id", (before[table],)).fetchall()
            for table in TABLES
        }
    singles = 100
    single = timed(
        lambda: [service.create(principal=me, account=account, draft=draft(f"one-{n}")) for n in range(singles)]
    )
    return seconds, singles / single, rows


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
            jti = base64.b32encode(hashlib.new("sha512_256", json.dumps(top).encode()).digest()).decode().rstrip("=")
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


def inserts(directory: Path, rows: dict[str, list[tuple[object, ...]]], users: int, batch: int) -> float:
    """Seconds for a raw `executemany` of the same rows into the same schema, in as many transactions."""
    from django.conf import settings
    from django.db import connection

    source = Path(str(settings.DATABASES["default"]["NAME"]))
    connection.close()
    copy = directory / "copy.sqlite3"
    shutil.copy(source, copy)
    database = sqlite3.connect(copy, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("PRAGMA foreign_keys=OFF")
    for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall():
        database.execute(f"DROP TRIGGER {name}")
    for table in reversed(TABLES):
        database.execute(f"DELETE FROM {table}")
    parts = -(-users // batch)

    def run() -> None:
        for part in range(parts):
            database.execute("BEGIN IMMEDIATE")
            for table, all_rows in rows.items():
                size = -(-len(all_rows) // parts)
                chunk = all_rows[part * size : (part + 1) * size]
                if chunk:
                    database.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(chunk[0]))})", chunk)
            database.execute("COMMIT")

    return timed(run)


def golang(users: int) -> float | None:
    """Users a second through the Go jwt library, or None where Go (or its modules) are not here."""
    if shutil.which("go") is None:
        return None
    done = subprocess.run(
        ["go", "run", ".", str(users)], cwd=ROOT / "bench" / "golang", capture_output=True, text=True, check=False
    )
    return float(done.stdout) if done.returncode == 0 else None


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _last(database: Path, table: str) -> int:
    with sqlite3.connect(database) as reader:
        return int(reader.execute(f"SELECT COALESCE(MAX(id), 0) FROM {table}").fetchone()[0])


if __name__ == "__main__":
    raise SystemExit(main())
