"""What a backup holds: every table with its rows as JSON, the same whichever database they come from or go to."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.apps import apps
from django.core.management.color import no_style
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Field, Model, QuerySet
from django.utils.duration import duration_iso_string

CHUNK = 1000
LEFT_OUT = frozenset({"sessions", "usersessions", "contenttypes", "auth"})
"""Apps without a table here: everybody signs in again, and what Django notes of its own models it notes anew."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table, and the columns that are written."""

    model: type[Model]

    @property
    def name(self) -> str:
        """Its name in the database."""
        return self.model._meta.db_table

    @property
    def fields(self) -> tuple[Field[Any, Any], ...]:
        """Its columns, in the order of the model."""
        return tuple(field for field in self.model._meta.concrete_fields if not field.generated)

    @property
    def columns(self) -> list[str]:
        """Their names."""
        return [str(field.column) for field in self.fields]

    def all(self, alias: str = DEFAULT_DB_ALIAS) -> QuerySet[Any]:
        """Its rows, whatever its manager would leave out."""
        return QuerySet(self.model, using=alias)

    def rows(self, alias: str) -> Iterator[list[Any]]:
        """Every row as JSON takes it, by id; a chunk at a time is in memory."""
        names = [field.attname for field in self.fields]
        found = self.all(alias).order_by("pk").values_list(*names)
        for row in found.iterator(chunk_size=CHUNK):
            yield [_plain(value) for value in row]

    def insert(self, connection: BaseDatabaseWrapper, rows: Sequence[Sequence[Any]]) -> None:
        """Put rows in as they were, with their ids; nothing is filled in or computed."""
        quote = connection.ops.quote_name
        places = ", ".join(["%s"] * len(self.fields))
        statement = (  # names come from the model alone
            f"INSERT INTO {quote(self.name)} ({', '.join(map(quote, self.columns))}) VALUES ({places})"  # nosec B608  # noqa: S608
        )
        given = [
            [
                field.get_db_prep_save(field.to_python(value), connection)
                for field, value in zip(self.fields, row, strict=True)
            ]
            for row in rows
        ]
        with connection.cursor() as cursor:
            cursor.executemany(statement, given)

    def next_id(self, alias: str) -> int | None:
        """The last id that was ever given, so that none is given twice; None where the database gives none."""
        pk = self.model._meta.pk
        if pk.get_internal_type() not in ("AutoField", "BigAutoField", "SmallAutoField"):
            return None
        connection = connections[alias]
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(
                    "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, %s)::regclass)",
                    [self.name, pk.column],
                )
            else:
                cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [self.name])
            found = cursor.fetchone()
        return int(found[0]) if found and found[0] is not None else 0

    def go_on_after(self, connection: BaseDatabaseWrapper, last: int) -> None:
        """Give ids above `last` from here on."""
        if not last:
            return
        pk = self.model._meta.pk
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(
                    "SELECT setval(pg_get_serial_sequence(%s, %s), %s)", [self.name, pk.column, last]
                )
            else:
                cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [self.name])
                cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [self.name, last])

    def empty(self, connection: BaseDatabaseWrapper) -> None:
        """Delete all rows."""
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(self.name)}")  # nosec B608  # noqa: S608 - as above


def tables() -> list[Table]:
    """Every table that is backed up."""
    return [
        Table(model)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and model._meta.app_label not in LEFT_OUT
    ]


def migrations(connection: BaseDatabaseWrapper) -> list[list[str]]:
    """The migrations that shaped this database."""
    return sorted([app, name] for app, name in MigrationRecorder(connection).applied_migrations())


def reset_sequences(connection: BaseDatabaseWrapper, which: Iterable[Table]) -> None:
    """Ids are given above those that are there (PostgreSQL does not look; SQLite does)."""
    statements = connection.ops.sequence_reset_sql(no_style(), [table.model for table in which])
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode("ascii")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return duration_iso_string(value)
    if isinstance(value, Decimal | UUID):
        return str(value)
    return value
