"""Where deliveries stand: of one account by cluster and server, of the accounts of a list, of a whole operator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Case, IntegerField, Min, Q, Value, When

from identities.models import (
    Account,
    Cluster,
    Delivery,
    DeliveryState,
    Holding,
    HoldingState,
    Operator,
    Server,
    Wish,
)
from identities.policy.principal import Principal
from identities.queries import reach


@dataclass(slots=True, kw_only=True)
class Line:
    """One server of a cluster, and what it was last seen to hold of the account."""

    server: Server
    holding: Holding | None


@dataclass(slots=True, kw_only=True)
class Stand:
    """Where the delivery to one cluster stands; `row` is None while nobody has asked for one."""

    cluster: Cluster
    row: Delivery | None
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many accounts stand where by the worst of their clusters, and how many that are to be deleted there."""

    accounts: Mapping[str, int]
    removals: Mapping[str, int]


DIFFERS = "differs"
"""Delivered once; by a comparison since then, a server holds something else."""
_WORST = (
    *(state.value for state in (DeliveryState.HELD, DeliveryState.REFUSED, DeliveryState.WAITING)),
    DIFFERS,
    DeliveryState.DONE.value,
)
_NOT_AS_DELIVERED = (
    HoldingState.MISSING,
    HoldingState.DELETED,
    HoldingState.OLDER,
    HoldingState.NEWER,
    HoldingState.DIFFERENT,
    HoldingState.REFUSED,
)


def of_account(operator: int, public_key: str) -> list[Stand]:
    """The live clusters of the operator with this id, with their servers, for one account key: four queries."""
    clusters = list(
        Cluster.objects.live().filter(operator_id=operator).select_related("operator").order_by("name_fold")
    )
    if not clusters:
        return []
    rows = {row.cluster_id: row for row in Delivery.objects.filter(account_key=public_key)}
    held = {row.server_id: row for row in Holding.objects.filter(account_key=public_key)}
    stands = {one.pk: Stand(cluster=one, row=rows.get(one.pk)) for one in clusters}
    for server in Server.objects.filter(cluster__in=clusters).order_by("name", "nats_cluster"):
        stands[server.cluster_id].lines.append(Line(server=server, holding=held.get(server.pk)))
    return list(stands.values())


def has_clusters(operator: Operator) -> bool:
    """Whether any server of the operator can be told by us."""
    return bool(Cluster.objects.live().filter(operator=operator).exists())


def states(operator: Operator, keys: Sequence[str]) -> dict[str, list[str]]:
    """In which states deliveries of these accounts are, `DIFFERS` among them, over all live clusters: one query."""
    rows = Delivery.objects.filter(account_key__in=keys, cluster__operator=operator, cluster__deleted_at=None)
    found: dict[str, list[str]] = {}
    for key, rank in rows.values_list("account_key", _rank(operator)):
        found.setdefault(key, []).append(_WORST[rank])
    return found


def counts(principal: Principal, operator: Operator) -> Counts:
    """How many of the operator's accounts are in which state, the worst over all live clusters: one query.

    Somebody with a part of the operator is told of theirs alone; deletions are for who has all of it.
    """
    whole = reach.whole_operator(principal, operator.pk)
    seen = Account.objects.live().filter(operator=operator)
    if not whole:
        seen = seen.visible_to(principal)
    rows = Delivery.objects.filter(cluster__operator=operator, cluster__deleted_at=None)
    wanted = Q(wish=Wish.PUSH, account_key__in=seen.values("public_key"))
    if whole:
        wanted |= Q(wish=Wish.DELETE)
    each = rows.filter(wanted).order_by().values("account_key", "wish").annotate(rank=Min(_rank(operator)))
    try:
        inner, values = each.values_list("wish", "rank", "account_key").query.sql_with_params()
    except EmptyResultSet:  # an issuer sees no account
        return Counts(accounts={}, removals={})
    grouped = f'SELECT wish, "rank", COUNT(*) FROM ({inner}) AS stood GROUP BY wish, "rank"'  # nosec B608  # noqa: S608
    with (
        connection.cursor() as cursor
    ):  # for Django's own group of a group a page waits as long as for all else
        cursor.execute(grouped, values)
        found = {(wish, _WORST[rank]): number for wish, rank, number in cursor.fetchall()}
    accounts, removals = (
        {state: found[wish, state] for state in _WORST if (wish, state) in found}
        for wish in (Wish.PUSH.value, Wish.DELETE.value)
    )
    return Counts(accounts=accounts, removals=removals)


def _rank(operator: Operator) -> Case:
    """Where a delivery stands, as its place in `_WORST`."""
    servers = Holding.objects.filter(server__cluster__operator=operator, server__cluster__deleted_at=None)
    other = servers.filter(state__in=_NOT_AS_DELIVERED).values("account_key")
    differs = Q(state=DeliveryState.DONE, wish=Wish.PUSH, account_key__in=other)
    return Case(
        When(differs, then=Value(_WORST.index(DIFFERS))),
        *(When(state=state, then=Value(at)) for at, state in enumerate(_WORST) if state != DIFFERS),
        output_field=IntegerField(),
    )


def worst(found: Iterable[str]) -> str:
    """The state that somebody should see of several; "" for none."""
    known = set(found)
    return next((state for state in _WORST if state in known), "")
