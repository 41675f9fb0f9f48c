"""Pages of a list that stands in a claims document, not in the database: the same links as `paging` gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.http import QueryDict

PAGE_SIZE = 50
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[Item]):
    """One page of items; `previous`, `next` and `first` are query strings, "" where there is none."""

    rows: tuple[Item, ...]
    previous: str
    next: str
    first: str
    total: str
    q: str
    filtered: bool


def page(items: Sequence[Item], query: QueryDict, *, size: int = PAGE_SIZE) -> Listing[Item]:
    """The page that `query` (page, from 1) asks for; one that is not there is the nearest one."""
    asked = query.get("page", "")
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 7 else 1
    last = max(1, -(-len(items) // size))
    number = min(max(1, number), last)
    return Listing(
        rows=tuple(items[(number - 1) * size : number * size]),
        previous=_link(query, number - 1) if number > 1 else "",
        next=_link(query, number + 1) if number < last else "",
        first=_link(query, 1) if number > 1 else "",
        total=f"{len(items):,}",
        q=query.get("q", ""),
        filtered=bool(query.get("q", "").strip()),
    )


def _link(query: QueryDict, number: int) -> str:
    linked = query.copy()
    linked.pop("page", None)
    if number > 1:
        linked["page"] = str(number)
    return f"?{linked.urlencode()}"
