"""The roster of a cluster: every server that was ever seen, and what it tells of itself. Absent ones stay."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from identities.models import Cluster, ClusterState, ResolverKind, Server
from identities.resolver import surveying
from identities.resolver.surveying import Seen, ServerKey
from identities.resolver.system import SystemLink
from identities.services import clock

GRACE = timedelta(seconds=3)
"""A server that was last seen so much earlier than another one of its cluster is absent."""
_FIELDS = (
    "server_id",
    "host",
    "version",
    "resolver",
    "allow_delete",
    "system_account",
    "operator_keys",
    "started_at",
    "seen_at",
)


def refresh(cluster: Cluster, link: SystemLink, *, anew: bool = False) -> list[Server]:
    """Ask who is there, and write it down; returns the servers that answered.

    What a server runs with (operators, resolver) can't change while it runs, so it is asked of servers that were
    started since, or of all with `anew`. Few statements for any number of servers. Raises: Refused.
    """
    moment = clock.now()
    rows = {(row.name, row.nats_cluster): row for row in Server.objects.filter(cluster=cluster)}
    lately = [key for key, row in rows.items() if not is_absent(row, rows.values())]
    seen = surveying.present(link, lately, patience=link.target.request_seconds)
    if anew or any(_is_new(rows.get(_key(one)), one) for one in seen.values()):
        seen = surveying.described(link, seen)
        asked = True
    else:
        asked = False
    return write(cluster, list(seen.values()), rows=rows, moment=moment, described=asked)


def write(
    cluster: Cluster,
    seen: Iterable[Seen],
    *,
    rows: Mapping[ServerKey, Server],
    moment: datetime,
    described: bool,
) -> list[Server]:
    """Put what servers told onto the roster, as seen at `moment`; `described`: with what they run with."""
    new, known, changed = [], [], []
    for one in seen:
        row = rows.get(_key(one))
        if row is None:
            row = Server(
                cluster=cluster,
                name=one.info.name[:255],
                nats_cluster=one.info.cluster[:255],
                first_seen_at=moment,
            )
            new.append(row)
        else:
            known.append(row)
        before = _values(row)
        row.seen_at = moment
        _fill(row, one, described=described)
        if row.pk is not None and _values(row) != before:
            changed.append(row)
    made = Server.objects.bulk_create(  # a connection test may have seen them at the same moment
        new,
        update_conflicts=True,
        unique_fields=["cluster", "name", "nats_cluster"],
        update_fields=[*_FIELDS],
    )
    if changed:
        Server.objects.bulk_update(changed, [*_FIELDS])
    if known:
        Server.objects.filter(pk__in=[row.pk for row in known]).update(seen_at=moment)
    Cluster.objects.filter(pk=cluster.pk).update(state=ClusterState.UP, problem="", checked_at=moment)
    return sorted([*known, *made], key=lambda row: (row.name, row.nats_cluster))


def is_absent(server: Server, others: Iterable[Server]) -> bool:
    """Whether a server was silent when others of its cluster answered."""
    return server.seen_at < max(other.seen_at for other in others) - GRACE


def split(cluster: Cluster) -> tuple[list[Server], list[Server]]:
    """The servers of a cluster by name: those that answered lately, and those that are absent. One query."""
    servers = list(cluster.servers.order_by("name", "nats_cluster"))
    absent = [server for server in servers if is_absent(server, servers)]
    return [server for server in servers if server not in absent], absent


def operators_of(server: Server) -> dict[str, int]:
    """The operators that a server runs with, and the `iat` of their JWTs."""
    found: dict[str, int] = json.loads(server.operator_keys or "{}")
    return found


def _is_new(row: Server | None, seen: Seen) -> bool:
    return row is None or row.server_id != seen.info.id[:56] or row.started_at is None


def _key(seen: Seen) -> ServerKey:
    return seen.info.name[:255], seen.info.cluster[:255]


def _values(row: Server) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in _FIELDS if name != "seen_at")


def _fill(row: Server, seen: Seen, *, described: bool) -> None:
    row.server_id, row.host = seen.info.id[:56], seen.info.host[:255]
    row.version = seen.info.version[:64]
    row.started_at = seen.started or row.started_at or row.seen_at
    if described:
        row.resolver = ResolverKind(seen.kind.value)
        row.allow_delete = seen.allow_delete
        row.system_account = seen.system_account
        row.operator_keys = json.dumps(dict(sorted(seen.operators.items()))) if seen.operators else ""
