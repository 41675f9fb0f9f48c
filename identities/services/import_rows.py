"""Rows of an import, laid aside in tables of their own until one short transaction copies them where they belong.

Filling them keeps no other writer waiting, and a copy within the database takes a third of the time that inserting the
same rows from here would. They vanish with the connection: PostgreSQL has temporary tables; for SQLite, which may keep
those in memory, a file is attached that has no name any more.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import NOT_PROVIDED, Model

from identities.errors import IdentityError

AT_ONCE = 2000
_SCHEMA = "staging"


class Overtaken(IdentityError):
    """Somebody changed a row that the import was about to change."""

    code = "overtaken"

    def __init__(self) -> None:
        super().__init__("What was to be imported was changed here meanwhile. Start the import again.")


def reserve(counts: Mapping[type[Model], int]) -> dict[type[Model], Iterator[int]]:
    """Ids for so many rows of each table, which nobody else will be given; unused ones are just never used."""
    ids: dict[type[Model], Iterator[int]] = {}
    with transaction.atomic(), connection.cursor() as cursor:
        for model, count in counts.items():
            if connection.vendor == "postgresql":
                cursor.execute(
                    "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
                    [_table(model), count],
                )
                ids[model] = iter([pk for (pk,) in cursor.fetchall()])
            elif count:
                ids[model] = iter(_reserved(cursor, _table(model), count))
    return ids


class Shelf:
    """Rows of one table on their way. `columns` are those that matter; the others get the model's default.

    `schema` is where they are laid aside: see `room`.
    """

    def __init__(
        self, model: type[Model], ids: Iterator[int], columns: Sequence[str], *, schema: str
    ) -> None:
        self.model, self._ids = model, ids
        self._columns = ("id", *columns)
        missing = [field for field in model._meta.concrete_fields if field.attname not in self._columns]
        self._defaults = {
            field.attname: field.get_default() for field in missing if field.default is not NOT_PROVIDED
        }
        self._name = f"{schema}.staged_{_table(model)}" if schema else f"staged_{_table(model)}"
        self._waiting: list[tuple[Any, ...]] = []
        self._names = ", ".join(connection.ops.quote_name(name) for name in self._columns)
        self.count = 0

    def __enter__(self) -> Shelf:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {self._name}")
            cursor.execute(
                f"CREATE {_kind(self._name)} {self._name} AS "  # nosec B608  # noqa: S608 - names come from the model alone
                f"SELECT {self._names} FROM {_table(self.model)} WHERE 1 = 0"
            )
        return self

    def __exit__(self, *_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {self._name}")

    def next_id(self) -> int:
        """The id of a row that is added later."""
        return next(self._ids)

    def add(self, *values: Any, pk: int = 0) -> int:
        """Lay one row aside; its id, a fresh one unless it is given."""
        pk = pk or next(self._ids)
        self._waiting.append((pk, *values))
        self.count += 1
        if len(self._waiting) >= AT_ONCE:
            self.flush()
        return pk

    def flush(self) -> None:
        """Lay aside what was only remembered so far."""
        rows, self._waiting = self._waiting, []
        if rows:
            marks = ", ".join(["%s"] * len(self._columns))
            with _together(), connection.cursor() as cursor:
                cursor.executemany(f"INSERT INTO {self._name} ({self._names}) VALUES ({marks})", rows)  # nosec B608  # noqa: S608 - as above

    def publish(self) -> None:
        """Copy all rows where they belong; runs in its caller's transaction, after `flush`."""
        if not self.count:
            return
        names = ", ".join(map(connection.ops.quote_name, [*self._columns, *self._defaults]))
        marks = "".join([", %s"] * len(self._defaults))
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {_table(self.model)} ({names}) "  # nosec B608  # noqa: S608 - as above
                f"SELECT {self._names}{marks} FROM {self._name} ORDER BY id",
                list(self._defaults.values()),
            )

    def renumber(self, column: str, pairs: Sequence[tuple[int, int]]) -> None:
        """Replace numbers in a column of what is laid aside: pairs of the new one and the one that stands there."""
        numbers = f"{self._name}_{column}"
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE {_kind(numbers)} {numbers} (fresh bigint, old bigint PRIMARY KEY)")
            cursor.executemany(f"INSERT INTO {numbers} VALUES (%s, %s)", pairs)  # nosec B608  # noqa: S608 - as above
            cursor.execute(
                f"UPDATE {self._name} SET {column} = (SELECT fresh FROM {numbers} WHERE old = {column})"  # nosec B608  # noqa: S608 - as above
            )
            cursor.execute(f"DROP TABLE {numbers}")


def update(model: type[Model], rows: Iterable[tuple[int, int, Mapping[str, Any]]]) -> None:
    """Set columns of rows by id and version, which rises by one; in its caller's transaction.

    Raises: Overtaken: a row has another version.
    """
    listed = list(rows)
    if not listed:
        return
    assigned = ", ".join(f"{connection.ops.quote_name(name)} = %s" for name in listed[0][2])
    statement = (
        f"UPDATE {_table(model)} SET {assigned}, version = version + 1 "  # nosec B608  # noqa: S608 - as above
        "WHERE id = %s AND version = %s AND deleted_at IS NULL"
    )
    with connection.cursor() as cursor:
        cursor.executemany(statement, [(*values.values(), pk, version) for pk, version, values in listed])
        if cursor.rowcount != len(listed):
            raise Overtaken


@contextmanager
def room() -> Iterator[str]:
    """Where rows are laid aside, for the length of a block: "" for temporary tables, else the name of a schema."""
    if (
        connection.vendor == "postgresql" or connection.in_atomic_block
    ):  # in a transaction nothing can be attached
        yield ""
        return
    folder = Path(settings.NSCWEB_DATA_DIR)
    handle, path = tempfile.mkstemp(prefix="staging-", dir=folder)
    os.close(handle)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"ATTACH DATABASE %s AS {_SCHEMA}", [path])
            cursor.execute(f"PRAGMA {_SCHEMA}.journal_mode = MEMORY")
            cursor.execute(f"PRAGMA {_SCHEMA}.synchronous = OFF")
    finally:
        Path(path).unlink()
    try:
        yield _SCHEMA
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DETACH DATABASE {_SCHEMA}")


def _kind(name: str) -> str:
    return "TABLE" if "." in name else "TEMPORARY TABLE"


def _table(model: type[Model]) -> str:
    return model._meta.db_table


def _reserved(cursor: Any, table: str, count: int) -> range:
    cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
    last = cursor.fetchone()
    if last is None:
        cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, count])
        return range(1, count + 1)
    cursor.execute("UPDATE sqlite_sequence SET seq = %s WHERE name = %s", [last[0] + count, table])
    return range(last[0] + 1, last[0] + count + 1)


@contextmanager
def _together() -> Iterator[None]:
    """One transaction for many rows of a temporary table, which takes no lock on SQLite's file."""
    if connection.vendor == "postgresql":
        with transaction.atomic():
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT staging")
        try:
            yield
        finally:
            cursor.execute("RELEASE SAVEPOINT staging")
