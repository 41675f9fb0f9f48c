"""The roster of a cluster: every server that was ever seen, and what it tells of itself. Absent ones stay."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from identities.models import Cluster, ClusterState, ResolverKind, Server
from identities.resolver import surveying
from identities.resolver.surveying import Seen, ServerKey, Store
from identities.resolver.system import SystemLink
from identities.services import clock

GRACE = timedelta(seconds=3)
"""A server that was last seen so much earlier than another one of its cluster is absent."""
_STORES = (ResolverKind.FULL, ResolverKind.CACHE)
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


def refresh(cluster: Cluster, link: SystemLink, *, again: bool = False) -> list[Server]:
    """Ask who is there, and write it down; returns the servers that answered.

    What a server runs with (operators, resolver) can't change while it runs, so it is asked when one was started
    since; with `again` also where something is not known, as a question may have gone unanswered. Few statements for
    any number of servers. Raises: Refused.
    """
    moment = clock.now()
    rows = {(row.name, row.nats_cluster): row for row in Server.objects.filter(cluster=cluster)}
    lately = [key for key, row in rows.items() if not is_absent(row, rows.values())]
    seen = surveying.present(link, lately, patience=link.target.request_seconds)
    known = [rows.get(_key(one)) for one in seen.values()]
    new = any(_is_new(row, one) for row, one in zip(known, seen.values(), strict=True))
    if new or (again and any(row is None or _is_vague(row) for row in known)):
        seen = surveying.described(link, seen, known=_stores(rows, seen))
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


def _stores(rows: Mapping[ServerKey, Server], seen: Mapping[ServerKey, Seen]) -> dict[ServerKey, Store]:
    """The stores of servers that have told of them in the run that they are in."""
    found = {}
    for key, one in seen.items():
        row = rows.get(_key(one))
        if row is None or _is_new(row, one) or row.resolver not in _STORES or row.allow_delete is None:
            continue
        found[key] = Store(surveying.Kind(row.resolver), row.allow_delete)
    return found


def _is_vague(row: Server) -> bool:
    """Whether something of what it runs with was not told; of a server without a store nobody knows whether it was."""
    return row.resolver not in _STORES or not row.operator_keys


def _key(seen: Seen) -> ServerKey:
    return seen.info.name[:255], seen.info.cluster[:255]


def _values(row: Server) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in _FIELDS if name != "seen_at")


def _fill(row: Server, seen: Seen, *, described: bool) -> None:
    """What is not told now, and was told before in the same run, stays: silence is no other resolver."""
    same = row.server_id == seen.info.id[:56]
    row.server_id, row.host = seen.info.id[:56], seen.info.host[:255]
    row.version = seen.info.version[:64]
    row.started_at = seen.started or row.started_at or row.seen_at
    if not described:
        return
    kind = ResolverKind(seen.kind.value)
    if not same or kind in _STORES or row.resolver not in _STORES:
        row.resolver = kind
    if not same or seen.allow_delete is not None:
        row.allow_delete = seen.allow_delete
    if not same or seen.system_account:
        row.system_account = seen.system_account
    if not same or seen.operators:
        row.operator_keys = json.dumps(dict(sorted(seen.operators.items()))) if seen.operators else ""
