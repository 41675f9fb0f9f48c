"""What expires when: nsc's expirations report over operators, accounts, users and their creds, soonest first.

Each kind is read through its index on the expiry, and the pages are merged here, so 40,000 users cost as much as 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from heapq import merge
from itertools import islice
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from identities.models import Account, Operator, User
from identities.policy.principal import Principal

COUNTED = 1000


class Kind(StrEnum):
    """What a row is about; creds are those that can be handed out from here, and expire with their user's JWT."""

    OPERATOR = "operator"
    ACCOUNT = "account"
    USER = "user"
    CREDS = "creds"


_RANKS = {Kind.OPERATOR: 0, Kind.ACCOUNT: 1, Kind.USER: 2, Kind.CREDS: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which expiries are wanted, in unix seconds: up to and including `until` (None: any), later than `after`.

    `never`: also what does not expire, after everything else.
    """

    until: int | None = None
    after: int = 0
    never: bool = False


class Place(NamedTuple):
    """Where a page begins or ends in the order of the report."""

    never: bool
    expires: int
    rank: int
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiring:
    """One row: what, under which account and operator (names and keys), and when (0 = never)."""

    kind: Kind
    id: int
    name: str
    key: str
    expires: int
    operator: str
    operator_key: str
    account: str = ""
    account_key: str = ""
    has_creds: bool = False

    @property
    def place(self) -> Place:
        """Its place in the report."""
        return Place(not self.expires, self.expires, _RANKS[self.kind], self.id)


def soonest(
    principal: Principal,
    window: Window,
    *,
    operators: Sequence[Operator],
    kinds: Sequence[Kind] = (Kind.OPERATOR, Kind.ACCOUNT, Kind.USER),
    operator: Operator | None = None,
    after: Place | None = None,
    size: int,
) -> tuple[Expiring, ...]:
    """Up to `size` rows behind `after`, soonest first, what never expires last.

    `operators` are the visible live ones (already loaded by the page, so they cost nothing here).
    """
    rows: list[Expiring] = []
    if after is None or not after.never:
        streams = [_part(kind, principal, window, operators, operator, after, size) for kind in kinds]
        rows = list(islice(merge(*streams, key=lambda row: row.place), size))
    if window.never and len(rows) < size:
        behind = after if after is not None and after.never else Place(True, 0, -1, 0)
        streams = [_part(kind, principal, window, operators, operator, behind, size) for kind in kinds]
        rows += list(islice(merge(*streams, key=lambda row: row.place), size - len(rows)))
    return tuple(rows)


def counted(
    principal: Principal,
    window: Window,
    *,
    operators: Sequence[Operator],
    kinds: Sequence[Kind],
    operator: Operator | None = None,
) -> tuple[int, bool]:
    """How many rows the window holds, those that never expire left out; accounts and users are counted up to 1,000
    each, and True says that there are more.
    """
    number, more = 0, False
    for kind in kinds:
        if kind is Kind.OPERATOR:
            number += len(_part(kind, principal, window, operators, operator, None, COUNTED))
            continue
        rows = _behind(_rows(kind, principal, operator), window, 0, None)
        found = rows.order_by()[: COUNTED + 1].count()
        number += min(found, COUNTED)
        more = more or found > COUNTED
    return number, more


def _part(
    kind: Kind,
    principal: Principal,
    window: Window,
    operators: Sequence[Operator],
    operator: Operator | None,
    after: Place | None,
    size: int,
) -> list[Expiring]:
    if kind is Kind.OPERATOR:
        chosen = [o for o in operators if operator is None or o.pk == operator.pk]
        return sorted(
            (row for row in map(_operator, chosen) if _wanted(row, window, after)), key=lambda row: row.place
        )[:size]
    rows = _behind(_rows(kind, principal, operator), window, _RANKS[kind], after)
    columns = ("pk", "name", "public_key", "expires", "operator__name", "operator__public_key")
    if kind is Kind.ACCOUNT:
        return [_account(*row) for row in rows.values_list(*columns)[:size]]
    more = (*columns, "account__name", "account__public_key", "has_seed")
    return [_user(kind, row) for row in rows.values_list(*more)[:size]]


def _rows(kind: Kind, principal: Principal, operator: Operator | None) -> QuerySet[Any]:
    rows: QuerySet[Any]
    if kind is Kind.ACCOUNT:
        rows = Account.objects.visible_to(principal).live()
    else:
        users = User.objects.visible_to(principal).live()
        rows = users.filter(has_seed=True) if kind is Kind.CREDS else users
    return rows if operator is None else rows.filter(operator=operator)


def _behind(rows: QuerySet[Any], window: Window, rank: int, after: Place | None) -> QuerySet[Any]:
    if after is not None and after.never:
        rows = rows.filter(expires=0).order_by("pk")
        if rank < after.rank:
            return rows.none()
        return rows.filter(pk__gt=after.id) if rank == after.rank else rows
    rows = rows.filter(expires__gt=window.after).order_by("expires", "pk")
    if window.until is not None:
        rows = rows.filter(expires__lte=window.until)
    if after is None:
        return rows
    if rank < after.rank:
        return rows.filter(expires__gt=after.expires)
    rows = rows.filter(expires__gte=after.expires)
    if rank == after.rank:
        rows = rows.filter(Q(expires__gt=after.expires) | Q(pk__gt=after.id))
    return rows


def _wanted(row: Expiring, window: Window, after: Place | None) -> bool:
    if after is not None and after.never:
        return not row.expires and row.place > after
    if not row.expires or row.expires <= window.after:
        return False
    if window.until is not None and row.expires > window.until:
        return False
    return after is None or row.place > after


def _operator(row: Operator) -> Expiring:
    return Expiring(
        kind=Kind.OPERATOR,
        id=row.pk,
        name=row.name,
        key=row.public_key,
        expires=row.expires,
        operator=row.name,
        operator_key=row.public_key,
    )


def _account(pk: int, name: str, key: str, expires: int, operator: str, operator_key: str) -> Expiring:
    return Expiring(
        kind=Kind.ACCOUNT,
        id=pk,
        name=name,
        key=key,
        expires=expires,
        operator=operator,
        operator_key=operator_key,
        account=name,
        account_key=key,
    )


def _user(kind: Kind, row: tuple[Any, ...]) -> Expiring:
    pk, name, key, expires, operator, operator_key, account, account_key, has_seed = row
    return Expiring(
        kind=kind,
        id=pk,
        name=name,
        key=key,
        expires=expires,
        operator=operator,
        operator_key=operator_key,
        account=account,
        account_key=account_key,
        has_creds=has_seed,
    )
