"""Lists by keyset: the first and the last of 40,000 rows cost the same (performance: one index range, no OFFSET)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db.models import F, Model, Q, QuerySet, Value
from django.db.models.functions import StrIndex
from django.http import QueryDict

PAGE_SIZE = 50
COUNTED = 1000
LONGEST_QUERY = 300
MOST_KEYS = 500
"""Up to so many rows are found by a part of their key; more is no part worth looking for."""

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Sort:
    """One way to order a list: by `column`, then by id. `kind` reads a cursor's text: text, number or moment."""

    column: str
    kind: str = "text"
    descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A column's header; `query` is "" where the column can't be sorted by. `aria_sort`: ascending, descending, ""."""

    label: str
    query: str = ""
    aria_sort: str = ""
    css: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Row]):
    """One page of rows; `previous`, `next` and `first` are query strings, "" where there is none."""

    rows: tuple[Row, ...]
    previous: str
    next: str
    first: str
    total: str
    q: str
    sort: str
    filtered: bool


def page(
    rows: QuerySet[Row],
    query: QueryDict,
    *,
    sorts: Mapping[str, Sort],
    total: int | None = None,
    size: int = PAGE_SIZE,
) -> Page[Row]:
    """The page that `query` (sort, after, before) asks for; an unknown sort or a broken cursor is the first page.

    `sorts` is the whitelist, its first entry the default. `total` saves counting where it is known.
    """
    name = query.get("sort", "")
    if name not in sorts:
        name = next(iter(sorts))
    sort = sorts[name]
    after, before = _cursor(query.get("after", ""), sort), _cursor(query.get("before", ""), sort)
    backwards = before is not None and after is None
    wanted = _beyond(rows, sort, before if backwards else after, backwards=backwards)
    found = list(wanted[: size + 1])
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    has_next = backwards or more
    has_previous = more if backwards else after is not None
    return Page(
        rows=tuple(found),
        previous=_link(query, "before", _cursor_text(found[0], sort)) if found and has_previous else "",
        next=_link(query, "after", _cursor_text(found[-1], sort)) if found and has_next else "",
        first=_link(query, "", "") if after is not None or before is not None else "",
        total=_total(rows, query, total, shown=len(found), size=size, alone=not (has_next or has_previous)),
        q=query.get("q", "")[:LONGEST_QUERY],
        sort=name,
        filtered=bool(query.get("q", "").strip()),
    )


def headings(
    query: QueryDict, sorts: Mapping[str, Sort], columns: Sequence[tuple[str, str, str]], current: str
) -> tuple[Heading, ...]:
    """The headers of `columns` (label, sort name or "", CSS class); a click on the current one turns it round.

    `sorts` holds a column's other direction under the same name with a leading `-`.
    """
    made = []
    for label, name, css in columns:
        if name not in sorts:
            made.append(Heading(label=label, css=css))
            continue
        there = current.removeprefix("-") == name.removeprefix("-")
        aria = ("descending" if sorts[current].descending else "ascending") if there else ""
        opposite = name if current.startswith("-") else f"-{name.removeprefix('-')}"
        target = opposite if there and opposite in sorts else name
        made.append(Heading(label=label, query=_link(query, "sort", target), aria_sort=aria, css=css))
    return tuple(made)


def both_ways(**columns: Sort) -> dict[str, Sort]:
    """Sorts by name, each with its opposite under `-name`."""
    made: dict[str, Sort] = {}
    for name, sort in columns.items():
        made[name] = sort
        made[f"-{name}"] = Sort(sort.column, sort.kind, descending=not sort.descending)
    return made


def matching(rows: QuerySet[Row], text: str, *, folded: str = "") -> QuerySet[Row]:
    """Rows whose name holds `text`, ignoring case, or whose public key holds it; keys are compared bytewise.

    `folded` names a column with the case-folded name, where the model has one.
    """
    wanted = text.strip()[:LONGEST_QUERY]
    if not wanted:
        return rows
    named = Q(**{f"{folded}__contains": wanted.casefold()}) if folded else Q(name__icontains=wanted)
    key = wanted.upper()
    if not (key.isascii() and key.isalnum()):
        return rows.filter(named)
    # Two looks, each through an index of its own: one for both would read every row.
    with_place = rows.alias(found_in_key=StrIndex(F("public_key"), Value(key))).filter(found_in_key__gt=0)
    ids = with_place.order_by("public_key").values_list("pk", flat=True)[:MOST_KEYS]
    return rows.filter(named | Q(pk__in=list(ids)))


def _beyond(
    rows: QuerySet[Row], sort: Sort, cursor: tuple[Any, int] | None, *, backwards: bool
) -> QuerySet[Row]:
    down = sort.descending != backwards
    sign = "-" if down else ""
    ordered = rows.order_by(f"{sign}{sort.column}", f"{sign}pk")
    if cursor is None:
        return ordered
    value, pk = cursor
    word = "lt" if down else "gt"
    # The first condition is an index range; the second takes out the ties that were shown before.
    return ordered.filter(**{f"{sort.column}__{word}e": value}).filter(
        Q(**{f"{sort.column}__{word}": value}) | Q(**{f"pk__{word}": pk})
    )


def _cursor(text: str, sort: Sort) -> tuple[Any, int] | None:
    value, separator, pk = text.rpartition("~")
    if not separator or not pk.isascii() or not pk.isdigit() or len(pk) > 18 or "\x00" in value:
        return None
    try:
        if sort.kind == "number":
            number = int(value)
            return (number, int(pk)) if abs(number) < 2**63 else None
        if sort.kind == "moment":
            moment = datetime.fromisoformat(value)
            return (moment, int(pk)) if moment.tzinfo is not None else None
    except ValueError:
        return None
    return value, int(pk)


def _cursor_text(row: Model, sort: Sort) -> str:
    value = getattr(row, sort.column)
    return f"{value.isoformat() if isinstance(value, datetime) else value}~{row.pk}"


def _link(query: QueryDict, name: str, value: str) -> str:
    linked = query.copy()
    for gone in ("after", "before", *((name,) if name else ())):
        linked.pop(gone, None)
    if name:
        linked[name] = value
    return f"?{linked.urlencode()}"


def _total(
    rows: QuerySet[Any], query: QueryDict, known: int | None, *, shown: int, size: int, alone: bool
) -> str:
    """How many rows there are; a filtered list is not counted, as that would read every name for a number."""
    if alone:
        return f"{shown:,}"
    if query.get("q", "").strip():
        return f"more than {size:,}"
    return _counted(rows) if known is None else f"{known:,}"


def _counted(rows: QuerySet[Any]) -> str:
    number = rows.order_by()[: COUNTED + 1].count()
    return f"more than {COUNTED:,}" if number > COUNTED else f"{number:,}"
