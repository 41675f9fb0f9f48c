"""Writes what came of deliveries: what each server was seen to hold, and where the delivery stands."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import connection, transaction

from identities.models import Delivery, DeliveryState, Holding, HoldingState
from identities.services import bulk, clock, leases

LONGEST_PAUSE = 300.0
_COLUMNS = ("state", "digest", "jti", "iat", "exp", "said", "at")
_LAST_SEEN = ("digest", "jti", "iat", "exp")
"""Columns that a server that does not answer leaves as they were: what it was last seen to hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one server was seen to hold of an account, and the words that it said."""

    state: HoldingState
    digest: str = ""
    jti: str = ""
    iat: int = 0
    exp: int = 0
    said: str = ""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of one delivery. `servers` is by the id of the server's row; `found` the JWT there that a person
    has to choose about."""

    row: Delivery
    state: DeliveryState
    problem: str = ""
    found: str = ""
    servers: dict[int, Seen] = field(default_factory=dict)
    gone: bool = False
    """The account was deleted meanwhile, and nobody asked for it to be deleted there: there is nothing to deliver."""


def pause(attempts: int) -> timedelta:
    """How long to wait before the next attempt: twice as long each time, and not all at the same moment."""
    longest = min(2.0 ** min(attempts, 16), LONGEST_PAUSE)
    return timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311 - spreads load, keeps no secret


def write(held: leases.Held, outcomes: Sequence[Outcome]) -> None:
    """Write outcomes in one transaction; a change that was made meanwhile stays waiting.

    Raises: LostCluster: another worker has the cluster; nothing is written.
    """
    if not outcomes:
        return
    with transaction.atomic():
        leases.still(held)
        rows = Delivery.objects.select_for_update(skip_locked=True)
        free = set(rows.filter(pk__in=[one.row.pk for one in outcomes]).values_list("pk", flat=True))
        # A row that is locked is being woken by somebody: it will be delivered again.
        mine = [one for one in outcomes if one.row.pk in free]
        for one in mine:
            if one.gone:
                Delivery.objects.filter(pk=one.row.pk, generation=one.row.generation).delete()
        _holdings(mine)
        _deliveries([one for one in mine if not one.gone])


def _holdings(outcomes: Sequence[Outcome]) -> None:
    moment = bulk.moment(clock.now())
    rows = sorted(
        (
            server,
            one.row.account_key,
            seen.state.value,
            seen.digest,
            seen.jti[:64],
            seen.iat,
            seen.exp,
            seen.said,
            moment,
        )
        for one in outcomes
        for server, seen in one.servers.items()
    )
    quote = connection.ops.quote_name
    names = ", ".join(map(quote, ("server_id", "account_key", *_COLUMNS)))
    table = quote(Holding._meta.db_table)
    again = ", ".join(f"{quote(name)} = {_next(table, quote(name), name)}" for name in _COLUMNS)
    statement = (
        f"INSERT INTO {table} ({names}) VALUES (%s, %s{', %s' * len(_COLUMNS)}) "  # nosec B608  # noqa: S608
        f"ON CONFLICT (server_id, account_key) DO UPDATE SET {again}"  # names come from the model alone
    )
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)


def _next(table: str, quoted: str, name: str) -> str:
    """What a column of a row that is there already becomes, as SQL made of the model's names alone."""
    if name not in _LAST_SEEN:
        return f"excluded.{quoted}"
    waits = f"excluded.state = '{HoldingState.WAITING.value}'"
    return f"CASE WHEN {waits} THEN {table}.{quoted} ELSE excluded.{quoted} END"


def _deliveries(outcomes: Sequence[Outcome]) -> None:
    now = clock.now()
    moment = bulk.moment(now)
    rows = []
    for one in outcomes:
        again = one.row.attempts + 1 if one.state is DeliveryState.WAITING else 0
        later = bulk.moment(now + pause(again)) if again else moment
        same = one.row.generation
        rows.append(
            (same, same, one.state.value, same, later, again, one.problem, one.found, moment, one.row.pk)
        )
    table = connection.ops.quote_name(Delivery._meta.db_table)
    statement = (
        f"UPDATE {table} SET delivered = %s, "  # nosec B608  # noqa: S608 - the name comes from the model
        "state = CASE WHEN generation = %s THEN %s ELSE state END, "
        "run_at = CASE WHEN generation = %s THEN %s ELSE run_at END, "
        "attempts = %s, problem = %s, found = %s, updated_at = %s WHERE id = %s"
    )
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)
