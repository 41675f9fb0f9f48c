"""Where deliveries stand: of one account by cluster and server, of the accounts of a list, of a whole operator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Count

from identities.models import Account, Cluster, Delivery, DeliveryState, Holding, Operator, Server
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
    """In which states deliveries of these accounts are, over all live clusters: one query."""
    rows = Delivery.objects.filter(account_key__in=keys, cluster__operator=operator, cluster__deleted_at=None)
    found: dict[str, list[str]] = {}
    for key, state in rows.values_list("account_key", "state"):
        found.setdefault(key, []).append(state)
    return found


def counts(principal: Principal, operator: Operator) -> dict[str, int]:
    """How many deliveries of the operator's accounts are in which state, over all live clusters: one query.

    Somebody with a part of the operator is told of theirs alone; deletions are for who has all of it.
    """
    rows = Delivery.objects.filter(cluster__operator=operator, cluster__deleted_at=None)
    if not reach.whole_operator(principal, operator.pk):
        seen = Account.objects.visible_to(principal).live().filter(operator=operator)
        rows = rows.filter(account_key__in=seen.values("public_key"))
    return dict(rows.order_by().values_list("state").annotate(number=Count("pk")))


def worst(found: Iterable[str]) -> str:
    """The state that somebody should see of several; "" for none."""
    order = (DeliveryState.HELD, DeliveryState.REFUSED, DeliveryState.WAITING, DeliveryState.DONE)
    known = set(found)
    return next((state.value for state in order if state.value in known), "")
