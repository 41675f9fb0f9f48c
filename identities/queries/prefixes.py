"""Texts that begin with something, found by an index range where the database compares text bytewise."""

from __future__ import annotations

from django.db import connection
from django.db.models import Q

_LAST = "\U0010ffff"


def begins(field: str, text: str) -> Q:
    """Rows whose `field` begins with `text`, exactly as written.

    SQLite compares bytewise, so a range on the field's index finds them; PostgreSQL's order depends on its
    collation, so there the pattern alone decides.
    """
    exact = Q(**{f"{field}__startswith": text})
    if connection.vendor != "sqlite":
        return exact
    # LIKE ignores ASCII case in SQLite; the range alone is exact.
    return Q(**{f"{field}__gte": text, f"{field}__lt": text + _LAST})
