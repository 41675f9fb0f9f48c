"""Notes which accounts the servers have to be told of, in the transaction of the change itself.

One row an account and cluster: a wake-up. What is sent is what the account's row holds at that moment, so nothing can
overtake anything, and many changes in a row are one delivery.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from identities.models import Account, Cluster, Delivery, DeliveryState, Wish
from identities.policy.principal import Principal
from identities.services import bulk, clock

_PASSES = 20
_PASS_SECONDS = 0.1
_AGAIN = ("wish", "state", "run_at", "attempts", "problem", "found", "by", "by_name", "updated_at")
"""What a further change of the account sets on a row that is there already."""


def wake(*, principal: Principal, operator: int, keys: Sequence[str], wish: Wish = Wish.PUSH) -> None:
    """Have accounts delivered to (or deleted from) all live clusters of the operator with that id, in one statement.

    Called in the transaction of the change that the servers have to learn of; without a cluster nothing is written.
    """
    if not keys:
        return
    given: object
    if connection.vendor == "postgresql":
        listed, given = "(SELECT unnest(%s::text[]) AS value)", [*keys]
    else:
        listed, given = "json_each(%s)", json.dumps([*keys])
    _upsert(
        principal,
        wish,
        "w.value",
        f"{Cluster._meta.db_table} AS c CROSS JOIN {listed} AS w "
        "WHERE c.operator_id = %s AND c.deleted_at IS NULL",
        [given, operator],
    )


def wake_all(*, principal: Principal, cluster: Cluster) -> None:
    """Have every live account of the operator delivered to one cluster: a new one starts from what is wanted now."""
    _upsert(
        principal,
        Wish.PUSH,
        "a.public_key",
        f"{Cluster._meta.db_table} AS c JOIN {Account._meta.db_table} AS a ON a.operator_id = c.operator_id "
        "WHERE c.id = %s AND a.deleted_at IS NULL AND a.token_id IS NOT NULL",
        [cluster.pk],
    )


def again(rows: QuerySet[Delivery]) -> None:
    """Have these delivered again, as they are: servers came back, or nobody knows what they hold.

    Rows that a change is about to wake are left to it for a while, so that two who lock several never wait in a ring.
    """
    for _ in range(_PASSES):
        with transaction.atomic():
            wanted = rows.exclude(state=DeliveryState.WAITING, run_at__lte=clock.now())
            free = wanted.select_for_update(skip_locked=True).values_list("pk", flat=True)
            ids = list(free)
            for start in range(0, len(ids), 500):
                Delivery.objects.filter(pk__in=ids[start : start + 500]).update(
                    state=DeliveryState.WAITING, run_at=clock.now(), attempts=0
                )
        if not wanted.exists():
            return
        time.sleep(_PASS_SECONDS)


def _upsert(principal: Principal, wish: Wish, key: str, source: str, given: Sequence[Any]) -> None:
    """One row for each cluster `c` and `key` of `source`; `generation` rises where there is one already."""
    moment = bulk.moment(clock.now())
    values: dict[str, Any] = {
        "wish": wish.value,
        "state": DeliveryState.WAITING.value,
        "generation": 1,
        "delivered": 0,
        "run_at": moment,
        "attempts": 0,
        "problem": "",
        "found": "",
        "overrule": "",
        "by": principal.key,
        "by_name": principal.name,
        "created_at": moment,
        "updated_at": moment,
    }
    quote = connection.ops.quote_name
    table = quote(Delivery._meta.db_table)
    names = ", ".join(map(quote, ("cluster_id", "account_key", *values)))
    again = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in _AGAIN)
    statement = (  # names come from the models alone
        f"INSERT INTO {table} ({names}) SELECT c.id, {key}{', %s' * len(values)} FROM {source} "  # nosec B608  # noqa: S608
        "ORDER BY 1, 2 ON CONFLICT (cluster_id, account_key) "
        f"DO UPDATE SET generation = {table}.generation + 1, {again}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*values.values(), *given])
