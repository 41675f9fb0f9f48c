"""Many rows of one table in one statement: what an ORM's `bulk_create` does, without an object a row.

Issuing 500 users writes some 4,500 rows; building a model object for each costs more than the cryptography does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Model


class Table:
    """Inserts tuples into the table of one model; `columns` must name every column but `id`, in tuple order."""

    def __init__(self, model: type[Model], *columns: str) -> None:
        known = {field.attname for field in model._meta.concrete_fields} - {"id"}
        if set(columns) != known:
            raise TypeError(
                f"{model.__name__} has other columns: {sorted(known.symmetric_difference(columns))}"
            )
        quote = connection.ops.quote_name
        self._name = model._meta.db_table
        self._insert = (  # names come from the model alone, never from a person
            f"INSERT INTO {quote(self._name)} ({', '.join(map(quote, (*columns, 'id')))}) "  # nosec B608  # noqa: S608
            f"VALUES ({', '.join(['%s'] * (len(columns) + 1))})"
        )

    def insert(self, rows: Sequence[tuple[Any, ...]]) -> list[int]:
        """Insert `rows` and return their ids, in the same order; runs in its caller's transaction."""
        if not rows:
            return []
        with connection.cursor() as cursor:
            ids = self._reserved(cursor, len(rows))
            cursor.executemany(self._insert, [(*row, pk) for row, pk in zip(rows, ids, strict=True)])
        return ids

    def _reserved(self, cursor: Any, count: int) -> list[int]:
        """The next `count` ids. SQLite's are free to take: the transaction holds the only write lock."""
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
                [self._name, count],
            )
            return sorted(pk for (pk,) in cursor.fetchall())
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [self._name])
        last = cursor.fetchone()
        first = (last[0] if last else 0) + 1
        return list(range(first, first + count))


def save(row: Model) -> None:
    """Insert one new row and give it its id; for where so many are made that the price of `Model.save` counts."""
    fields = [field for field in row._meta.concrete_fields if not field.primary_key]
    values = tuple(field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields)
    (row.pk,) = Table(type(row), *(field.attname for field in fields)).insert([values])


def update(model: type[Model], columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Set `columns` of many rows, each by its id, which stands last in its tuple; in its caller's transaction."""
    quote = connection.ops.quote_name
    assigned = ", ".join(f"{quote(column)} = %s" for column in columns)
    statement = f"UPDATE {quote(model._meta.db_table)} SET {assigned} WHERE id = %s"  # nosec B608  # noqa: S608 - as above
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)


def moment(value: datetime) -> Any:
    """A time as the database's driver takes it in a raw statement."""
    return connection.ops.adapt_datetimefield_value(value)
