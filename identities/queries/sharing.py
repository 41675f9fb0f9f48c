"""Which accounts share with which: exporters of an account's imports, importers of its exports, as far as visible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db.models import F, Value
from django.db.models.functions import StrIndex

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.imports import Import
from identities.claims.sharing import Exporter
from identities.models import Account, Operator
from identities.models.accounts import AccountQuerySet
from identities.policy.principal import Principal

MOST_ACCOUNTS = 200
"""How many accounts around one are looked at for cycles of imports."""
_COLUMNS = (
    "public_key", "name", "claims", "deleted_at", "operator__name", "operator__public_key", "operator__strict",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An exporting account: its row (with its operator), and what rules ask about it."""

    row: Account
    exporter: Exporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """An account that imports from another one: its row (with its operator) and those of its imports."""

    row: Account
    imports: tuple[Import, ...]


def known(principal: Principal, keys: Iterable[str], *, operator: Operator) -> dict[str, Known]:
    """The accounts with these keys that the principal may see; one query.

    Of rows with one key the live one under `operator` comes first, then a live one of another operator.
    """
    wanted = {key for key in keys if key}
    if not wanted:
        return {}
    rows = list(_rows(principal).filter(public_key__in=wanted))
    rows.sort(key=lambda row: (row.deleted_at is None, row.operator_id == operator.pk))
    return {row.public_key: Known(row=row, exporter=_exporter(row, operator)) for row in rows}


def around(principal: Principal, imports: Iterable[Import | None], *, operator: Operator) -> dict[str, Known]:
    """The exporters of `imports`, their own exporters, and so on: what a search for cycles goes through.

    One query a step; ends at `MOST_ACCOUNTS` accounts.
    """
    found: dict[str, Known] = {}
    asked: set[str] = set()
    wanted = set(_exporting(imports))
    while wanted and len(found) < MOST_ACCOUNTS:
        asked |= wanted
        fresh = known(principal, sorted(wanted)[:MOST_ACCOUNTS], operator=operator)
        found |= fresh
        further = (key for one in fresh.values() for key in _exporting(one.exporter.claims.nats.imports))
        wanted = set(further) - asked
    return found


def importers(principal: Principal, account: Account) -> list[Importer]:
    """The live accounts that import from this one and that the principal may see, by name."""
    rows = (
        _rows(principal)
        .live()
        .exclude(pk=account.pk)
        .alias(names_it=StrIndex(F("claims"), Value(account.public_key)))
        .filter(names_it__gt=0)
        .order_by("name", "pk")
    )
    found = []
    for row in rows:
        body: AccountBody = codec.from_payload(row.claims).nats
        ours = tuple(one for one in body.imports if one is not None and one.account == account.public_key)
        if ours:
            found.append(Importer(row=row, imports=ours))
    return found


def _rows(principal: Principal) -> AccountQuerySet:
    rows: AccountQuerySet = Account.objects.visible_to(principal)
    return rows.filter(operator__deleted_at=None).select_related("operator").only(*_COLUMNS)


def _exporter(row: Account, operator: Operator) -> Exporter:
    return Exporter(
        key=row.public_key,
        name=row.name,
        claims=codec.from_payload(row.claims),
        strict=row.operator.strict,
        operator="" if row.operator_id == operator.pk else row.operator.name,
        deleted=row.deleted_at is not None,
    )


def _exporting(imports: Iterable[Import | None]) -> Iterator[str]:
    return (one.account for one in imports if one is not None and one.account)
