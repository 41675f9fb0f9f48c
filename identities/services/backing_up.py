"""Writes a backup: all rows of one moment, while others go on writing, into one file that only the backup key opens.

SQLite is copied in one step by its own backup interface, and read from the copy, so that writers wait no longer than
that takes; PostgreSQL is read in one repeatable-read transaction. The master key is not in it, nor are uploads.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from identities.errors import IdentityError
from identities.formats.sealed_stream import Lock, Writer
from identities.models import AuditHead
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit, backup_tables, clock, installation, secrets

FORMAT = 1
ALIAS = "backup"
PATIENCE_MS = 300_000
Tick = Callable[[str, int], None]
"""Told of each table that was written, and of how many rows it had."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was written."""

    tables: int
    rows: int
    size: int


def write(*, principal: Principal, path: Path, lock: Lock, tick: Tick | None = None) -> Outcome:
    """Write a backup to `path`, which must not exist; it is audited before, so the backup holds that event too.

    Nothing is left at `path` unless all of it was written. Raises: Forbidden, IdentityError, OSError.
    """
    decisions.require(principal, Action.BACKUP)
    if not lock.is_passphrase and secrets.is_master_key(lock.secret):
        raise IdentityError(
            "This is the master key. Seal backups with another one: whoever finds a backup and its key could open "
            "every seed."
        )
    if os.path.lexists(path):
        raise IdentityError(f"{path} exists already; a backup is never written over another file.")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(draft, "xb", opener=_private) as file:  # Path.open takes no opener
            _be_patient()
            with transaction.atomic():
                audit.record(principal, Action.BACKUP, [], f"Wrote a backup to {path.name}")
            with _frozen() as alias:
                tables, rows = _write(Writer(file, lock), alias, tick)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        os.link(draft, path)  # fails if the name exists meanwhile
    finally:
        draft.unlink(missing_ok=True)
    return Outcome(tables, rows, size)


def _write(out: Writer, alias: str, tick: Tick | None) -> tuple[int, int]:
    def line(value: object) -> None:
        out.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    tables, total = backup_tables.tables(), 0
    head = AuditHead.objects.using(alias).first()
    line(
        {
            "format": FORMAT,
            "version": installation.version(),
            "made_at": clock.now().isoformat(),
            "database": connection.vendor,
            "audit": {"seq": head.seq, "hash": head.hash} if head else None,
            "migrations": backup_tables.migrations(connections[alias]),
        }
    )
    for table in tables:
        line({"table": table.name, "columns": table.columns, "last_id": table.next_id(alias)})
        count = 0
        for row in table.rows(alias):
            line(row)
            count += 1
        total += count
        if tick is not None:
            tick(table.name, count)
    line({"end": True, "rows": total})
    out.close()
    return len(tables), total


def _be_patient() -> None:
    """SQLite's lock is not fair, and a backup shall not fail because others write without a pause."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")


@contextmanager
def _frozen() -> Iterator[str]:
    """The alias of a connection that sees the database as it is at this moment, for the length of a block."""
    with _copied() if connection.vendor == "sqlite" else _repeatable():
        yield ALIAS


@contextmanager
def _repeatable() -> Iterator[None]:
    with _known(connection.copy(ALIAS)), transaction.atomic(using=ALIAS):
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


@contextmanager
def _copied() -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="backup-", dir=settings.NSCWEB_DATA_DIR) as folder:
        place = Path(folder) / "copy.sqlite3"
        source: Any = connection.copy(ALIAS)  # of its own: the other may be in a transaction
        copy: Any = source.Database.connect(str(place))
        try:
            source.connect()
            source.connection.backup(copy)
        finally:
            copy.close()
            source.close()
        frozen = connection.copy(ALIAS)
        frozen.settings_dict["NAME"] = str(place)
        with _known(frozen):
            yield


@contextmanager
def _known(held: BaseDatabaseWrapper) -> Iterator[None]:
    """Have Django find a connection by its alias."""
    connections[ALIAS] = held
    try:
        yield
    finally:
        held.close()
        del connections[ALIAS]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
