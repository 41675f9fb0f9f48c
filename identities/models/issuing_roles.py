"""The roles that issue short-lived creds, with all that issuing needs, in one query that is written out.

A thousand a minute are asked for: putting the query together anew each time would cost more than signing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Model

from identities.models.accounts import Account
from identities.models.handovers import IssuingTerms
from identities.models.keys import Key, Purpose
from identities.models.operators import Operator


def _of(model: type[Model], *wanted: str) -> tuple[type[Model], tuple[str, ...]]:
    """These columns in the order of the model, as `from_db` takes them."""
    return model, tuple(field.attname for field in model._meta.concrete_fields if field.attname in wanted)


_LOADED = {
    "k": _of(
        Key,
        *("id", "operator_id", "account_id", "user_id", "public_key", "kind", "purpose", "role", "sealed"),
    ),
    "a": _of(Account, "id", "operator_id", "public_key", "name", "claims"),
    "o": _of(Operator, "id", "public_key", "name"),
    "t": _of(IssuingTerms, "id", "key_id", "shortest", "usual", "longest"),
}
"""What is read of each; the rest of a row is fetched when somebody asks for it after all."""


def by_keys(operator_key: str, account_key: str, key: str) -> Key | None:
    """The live role with this public key of that account; account, operator and terms are loaded too."""
    return _first(
        "k.public_key = %s AND a.public_key = %s AND o.public_key = %s", (key, account_key, operator_key)
    )


def by_id(pk: int) -> Key | None:
    """The same by its row, as it is now."""
    return _first("k.id = %s", (pk,))


def _first(condition: str, values: Sequence[str | int]) -> Key | None:
    with connection.cursor() as cursor:
        cursor.execute(_sql(condition), [*values, Purpose.ROLE.value])
        row = cursor.fetchone()
    return _key(row) if row is not None else None


@cache
def _sql(condition: str) -> str:
    columns = ", ".join(f'{name}."{column}"' for name, (_, columns) in _LOADED.items() for column in columns)
    key, account, operator, terms = (model._meta.db_table for model, _ in _LOADED.values())
    return (  # names come from the models alone, never from a person
        f"SELECT {columns} FROM {key} AS k JOIN {account} AS a ON a.id = k.account_id "  # nosec B608  # noqa: S608
        f"JOIN {operator} AS o ON o.id = k.operator_id LEFT JOIN {terms} AS t ON t.key_id = k.id "
        f"WHERE {condition} AND k.purpose = %s AND k.deleted_at IS NULL AND a.deleted_at IS NULL "
        "AND o.deleted_at IS NULL"
    )


def _key(row: Sequence[Any]) -> Key:
    found, at = list[Any](), 0
    for model, columns in _LOADED.values():
        values = row[at : at + len(columns)]
        at += len(columns)
        found.append(model.from_db(connection.alias, columns, values) if values[0] is not None else None)
    key, account, operator, terms = found
    account.operator = key.operator = operator
    key.account = account
    Key._meta.get_field("terms").set_cached_value(key, terms)
    made: Key = key
    return made
