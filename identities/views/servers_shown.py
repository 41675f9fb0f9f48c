"""The servers of a cluster as they tell of themselves, as strings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from identities.models import Account, Cluster, Holding, HoldingState, Snapshot
from identities.services import clock, jobs, live
from identities.views import live_shown, shown
from identities.views.live_shown import Freshness


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRow:
    """One server."""

    name: str
    nats_cluster: str
    version: str
    started: shown.When
    connections: str
    subscriptions: str
    routes: str
    leaf_nodes: str
    incoming: str
    outgoing: str
    slow: str
    memory: str
    jetstream: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRow:
    """The operator JWT that a server runs with."""

    server: str
    key: shown.Chip
    issued: shown.When
    state: shown.State
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What of the page changes by itself."""

    freshness: Freshness
    rows: tuple[ServerRow, ...]
    operators: tuple[OperatorRow, ...]
    expired: str
    expires_soon: str
    removed: str
    removed_url: str


def of_cluster(cluster: Cluster, row: Snapshot) -> Told:
    """The last snapshot of a cluster's servers."""
    servers = live.body_of(row).get("servers", [])
    now = clock.unix()
    live_accounts = Account.objects.live().filter(operator=cluster.operator).exclude(expires=0)
    expired = live_accounts.filter(expires__lte=now).count()
    held = Holding.objects.filter(server__cluster=cluster, state=HoldingState.EXPIRED)
    removed = held.values("account_key").distinct().count()
    soon = live_accounts.filter(expires__gt=now, expires__lte=now + shown.SOON).count()
    return Told(
        freshness=live_shown.freshness(cluster, row, workers=jobs.workers_alive()),
        rows=tuple(map(_row, servers)),
        operators=tuple(
            _operator(cluster, one["server"]["name"], seen, now)
            for one in servers
            for seen in one["operators"]
        ),
        expired=shown.plural(expired, "account") if expired else "",
        expires_soon=shown.plural(soon, "account") if soon else "",
        removed=shown.plural(removed, "account") if removed else "",
        removed_url=f"{shown.cluster_url('cluster-drift', cluster)}?state={HoldingState.EXPIRED}",
    )


def _row(one: Mapping[str, Any]) -> ServerRow:
    return ServerRow(
        name=one["server"]["name"],
        nats_cluster=one["server"]["cluster"],
        version=one["server"]["version"],
        started=shown.unix(int(one["started"])),
        connections=f"{one['connections']:,}",
        subscriptions=f"{one['subscriptions']:,}",
        routes=f"{one['routes']:,}",
        leaf_nodes=f"{one['leaf_nodes']:,}",
        incoming=live_shown.traffic(one["in_messages"], one["in_bytes"]),
        outgoing=live_shown.traffic(one["out_messages"], one["out_bytes"]),
        slow=f"{one['slow']:,}" if one["slow"] else "none",
        memory=f"{live_shown.size(one['memory'])}, {one['cpu']:.0f} % CPU",
        jetstream=f"{live_shown.size(one['js_memory'])} in memory, {live_shown.size(one['js_disk'])} on disk"
        if one["jetstream"]
        else "off",
    )


def _operator(cluster: Cluster, server: str, seen: Mapping[str, Any], now: int) -> OperatorRow:
    ours = cluster.operator
    if seen["key"] != ours.public_key:
        note = "another operator than this one"
    elif seen["issued"] == ours.last_iat:
        note = "the current JWT"
    elif seen["issued"] > ours.last_iat:
        note = "a later JWT than the one here: somebody edited the operator elsewhere; import that one"
    else:
        note = "an earlier JWT: servers take a new one over when they are restarted with it"
    return OperatorRow(
        server=server,
        key=shown.chip(seen["key"], ours.name if seen["key"] == ours.public_key else ""),
        issued=shown.unix(seen["issued"]),
        state=shown.state(seen["expires"], 0, now),
        note=note,
    )
