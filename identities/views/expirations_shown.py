"""The expirations report as strings, and what its filter asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.http import QueryDict

from identities.models import Operator
from identities.queries.expirations import Expiring, Kind, Place, Window
from identities.views import addresses, shown
from identities.views.activity_shown import Choice

DAY = 86_400
WITHIN = {
    "expired": ("already expired", 0),
    "week": ("within a week", 7 * DAY),
    "4weeks": ("within 4 weeks", 28 * DAY),
    "quarter": ("within 90 days", 90 * DAY),
    "year": ("within a year", 365 * DAY),
    "any": ("with an expiry", None),
    "all": ("everything, also what never expires", None),
}
DEFAULT = "4weeks"
"""nsc's default threshold."""
KINDS = {
    "": ("operators, accounts, users", (Kind.OPERATOR, Kind.ACCOUNT, Kind.USER)),
    "operator": ("operators", (Kind.OPERATOR,)),
    "account": ("accounts", (Kind.ACCOUNT,)),
    "user": ("users", (Kind.USER,)),
    "creds": ("creds handed out from here", (Kind.CREDS,)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the report."""

    kind: str
    name: str
    url: str
    path: str
    key: shown.Chip
    expires: shown.When
    state: shown.State
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageShown:
    """What the pagination under the list prints."""

    total: str
    noun: str
    next: str
    first: str
    previous: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the filter bar holds."""

    within: tuple[Choice, ...]
    kinds: tuple[Choice, ...]
    operators: tuple[Choice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A query string, understood; what it can't mean is the default."""

    within: str
    kind: str
    operator: Operator | None
    after: Place | None
    window: Window
    query: QueryDict

    @classmethod
    def of(cls, query: QueryDict, operators: Sequence[Operator], now: int) -> Asked:
        """From a query string."""
        within = query.get("within", DEFAULT)
        within = within if within in WITHIN else DEFAULT
        seconds = WITHIN[within][1]
        kind = query.get("kind", "")
        wanted = query.get("operator", "")
        return cls(
            within=within,
            kind=kind if kind in KINDS else "",
            operator=next((each for each in operators if each.public_key == wanted), None),
            after=_place(query.get("after", "")),
            window=Window(until=None if seconds is None else now + seconds, never=within == "all"),
            query=query,
        )

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds asked for."""
        return KINDS[self.kind][1]

    def page(self, found: Sequence[Expiring], size: int, counted: tuple[int, bool] | None) -> PageShown:
        """The pagination below `found`, which holds one row more than a page when there are more."""
        total = ""
        if counted is not None:
            total = f"{'more than ' if counted[1] else ''}{counted[0]:,}"
        behind = found[size - 1].place if len(found) > size else None
        return PageShown(
            total=total,
            noun="found" if total else "",
            next=self._link("~".join(map(str, (int(behind.never), *behind[1:])))) if behind else "",
            first=self._link("") if self.after is not None else "",
        )

    def filters(self, operators: Sequence[Operator]) -> Filters:
        """The filter bar as it stands."""
        chosen = self.operator.public_key if self.operator else ""
        return Filters(
            within=tuple(
                Choice(value=value, label=label, selected=value == self.within)
                for value, (label, _) in WITHIN.items()
            ),
            kinds=tuple(
                Choice(value=value, label=label, selected=value == self.kind)
                for value, (label, _) in KINDS.items()
            ),
            operators=tuple(
                Choice(value=each.public_key, label=each.name, selected=each.public_key == chosen)
                for each in operators
            ),
        )

    def _link(self, after: str) -> str:
        linked = self.query.copy()
        linked.pop("after", None)
        if after:
            linked["after"] = after
        return f"?{linked.urlencode()}"


def rows(found: Iterable[Expiring], now: int) -> tuple[Row, ...]:
    """The rows of a page."""
    return tuple(_row(each, now) for each in found)


def _row(found: Expiring, now: int) -> Row:
    if found.kind is Kind.OPERATOR:
        url, path = addresses.operator(found.key), ""
    elif found.kind is Kind.ACCOUNT:
        url, path = addresses.account(found.operator_key, found.key), found.operator
    else:
        url = addresses.user(found.operator_key, found.account_key, found.key)
        path = f"{found.operator} / {found.account}"
    return Row(
        kind=found.kind.value,
        name=f"{found.name}.creds" if found.kind is Kind.CREDS else found.name,
        url=url,
        path=path,
        key=shown.chip(found.key),
        expires=shown.unix(found.expires),
        state=shown.state(found.expires, 0, now),
        note="with its creds" if found.kind is Kind.USER and found.has_creds else "",
    )


def _place(text: str) -> Place | None:
    parts = text.split("~")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        return None
    never, expires, rank, pk = map(int, parts)
    return Place(bool(never), expires, rank, pk)
