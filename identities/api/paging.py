"""Lists by keyset: a page ends with an opaque cursor, from which the next one begins."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar

from django.db.models import Model, Q, QuerySet
from pydantic import BaseModel, Field

from identities.api.schemas import Page
from identities.errors import IdentityError

Row = TypeVar("Row", bound=Model)
Item = TypeVar("Item")
MOST = 200


class Paging(BaseModel):
    """Which page, and how long."""

    cursor: Annotated[str, Field(max_length=2000, description="`next` of the page before.")] = ""
    limit: Annotated[int, Field(ge=1, le=MOST)] = 50


def page(
    rows: QuerySet[Row],
    paging: Paging,
    shown: Callable[[Row], Item],
    *,
    by: str = "name",
    descending: bool = False,
) -> Page[Item]:
    """The page of `rows`, ordered by the column `by` (text, number or moment) and then by id.

    Raises:
        IdentityError: a cursor that no page gave.
    """
    sign, word = ("-", "lt") if descending else ("", "gt")
    ordered = rows.order_by(f"{sign}{by}", *([] if by == "pk" else [f"{sign}pk"]))
    if paging.cursor:
        value, pk = _read(paging.cursor, rows.model, by)
        # The first condition is an index range; the second takes out the ties that were shown before.
        ordered = ordered.filter(**{f"{by}__{word}e": value}).filter(
            Q(**{f"{by}__{word}": value}) | Q(**{f"pk__{word}": pk})
        )
    found = list(ordered[: paging.limit + 1])
    more, found = len(found) > paging.limit, found[: paging.limit]
    return Page(
        items=[shown(row) for row in found],
        next=_cursor(getattr(found[-1], by), found[-1].pk) if more else None,
    )


def _cursor(value: Any, pk: int) -> str:
    told = value.isoformat() if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(json.dumps([told, pk]).encode()).decode().rstrip("=")


def _read(text: str, model: type[Model], by: str) -> tuple[Any, int]:
    refused = IdentityError("No page gave this cursor. Leave it away for the first page.", field="cursor")
    try:
        value, pk = json.loads(base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)))
        if type(pk) is not int or not 0 <= pk < 2**63:
            raise refused
        column = model._meta.pk if by == "pk" else model._meta.get_field(by)
        return _fitting(column.get_internal_type(), value), pk
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise refused from None


def _fitting(kind: str, value: Any) -> Any:
    """The cursor's value as its column holds it. Raises: ValueError."""
    if kind == "DateTimeField":
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment
    if kind.endswith(("IntegerField", "AutoField")):
        if type(value) is not int or abs(value) >= 2**63:
            raise ValueError
    elif type(value) is not str or "\0" in value or not value.encode():  # no lone surrogates either
        raise ValueError
    return value
