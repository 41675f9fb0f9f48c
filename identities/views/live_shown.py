"""Live numbers as strings: connections by name, how old they are, and what is wrong with getting newer ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from identities.models import Cluster, ClusterState, Operator, Snapshot
from identities.nkeys import KeyKind, is_public
from identities.queries import holders
from identities.queries.holders import Holder
from identities.services import clock, jobs, live
from identities.views import addresses, shown

OLD = timedelta(seconds=10)
NO_WORKER = (
    "No worker seems to be running, so nobody asks the servers. Start one with `manage.py worker`; `make run` has "
    "one inside."
)
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_STEP = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How far what is shown can be trusted: `tone` is ok, info or warn; `at` is when it was taken, if long ago."""

    tone: str
    icon: str
    text: str
    at: shown.When


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What went one way."""

    messages: str
    size: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRow:
    """One connection. `client` is what it calls itself, else what it runs; `runs` is that where it has a name."""

    name: str
    url: str
    note: str
    key: shown.Chip | None
    client: str
    runs: str
    address: str
    server: str
    since: shown.When
    pending: str
    subscriptions: str
    incoming: Traffic
    outgoing: Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """The connections of one cluster. `total` is a heading, without a number before any is known; `more` says how many
    are not listed, "" for none.
    """

    cluster: str
    freshness: Freshness
    rows: tuple[ConnectionRow, ...]
    total: str
    more: str
    problems: tuple[str, ...]
    empty: str


def size(number: int) -> str:
    """A size for reading at a glance: `0 B`, `1.5 MiB`."""
    value, unit = float(number), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit and value < 10 else f"{value:,.0f} {_UNITS[unit]}"


def traffic(messages: int, size_: int) -> str:
    """Messages and bytes in one cell."""
    return f"{messages:,} · {size(size_)}"


def freshness(cluster: Cluster, row: Snapshot, *, workers: int) -> Freshness:
    """What has to be known about a snapshot before it is believed."""
    at = shown.moment(row.taken_at)
    old = row.taken_at is None or row.taken_at < clock.now() - OLD
    what = "What stands below is what they told last." if at else "Nothing is known yet."
    if old and not workers:
        return Freshness(tone="warn", icon="triangle-alert", text=f"{NO_WORKER} {what}", at=at)
    if old and cluster.state == ClusterState.DOWN:
        why = cluster.problem or "No server answers."
        return Freshness(
            tone="warn", icon="triangle-alert", text=f"The cluster can't be reached. {why} {what}", at=at
        )
    if old and row.problem:
        return Freshness(tone="warn", icon="triangle-alert", text=f"{row.problem} {what}", at=at)
    if row.taken_at is None:
        return Freshness(tone="info", icon="clock", text="The servers are being asked …", at=at)
    if old:
        return Freshness(tone="info", icon="clock", text=f"The servers are being asked … {what}", at=at)
    return Freshness(
        tone="ok",
        icon="circle-check",
        text="Live: the servers are asked every two seconds.",
        at=shown.moment(None),
    )


def of_account(
    operator: Operator, pairs: Sequence[tuple[Cluster, Snapshot]]
) -> tuple[tuple[Connections, ...], tuple[dict[str, Any], ...]]:
    """The connections in each cluster, and the bodies of the snapshots; two queries, whatever is connected."""
    bodies = tuple(live.body_of(row) for _, row in pairs)
    keys = {one["user"] for body in bodies for one in _connections(body)}
    known = holders.of_keys(operator, keys)
    workers = jobs.workers_alive()
    parts = tuple(
        _part(cluster, row, body, known, workers) for (cluster, row), body in zip(pairs, bodies, strict=True)
    )
    return parts, bodies


def named(key: str, known: Mapping[str, Holder]) -> tuple[str, str, str]:
    """What a user's key is called, where its page is ("" for none), and a note on it."""
    holder = known.get(key)
    if holder is None:
        return (shown.short(key), "", "not known here") if key else ("?", "", "without a user key")
    note = "deleted" if holder.deleted else "by a former key" if holder.former else ""
    url = "" if holder.deleted else addresses.user(holder.operator_key, holder.account_key, holder.user_key)
    return holder.name, url, note


def _connections(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for listing in body.get("listings", ()) for one in listing["connections"]]


def _part(
    cluster: Cluster, row: Snapshot, body: Mapping[str, Any], known: Mapping[str, Holder], workers: int
) -> Connections:
    listings = body.get("listings", [])
    rows = tuple(
        _row(one, listing["server"]["name"], known) for listing in listings for one in listing["connections"]
    )
    total = len(rows) if is_public(row.subject, KeyKind.USER) else sum(one["total"] for one in listings)
    hidden = total - len(rows)
    return Connections(
        cluster=cluster.name,
        freshness=freshness(cluster, row, workers=workers),
        rows=rows,
        total=shown.plural(total, "connection") if listings else "Connections",
        more=f"{hidden:,} more are not listed here: look at one user's page." if hidden > 0 else "",
        problems=tuple(
            f"{listing['server']['name']}: {listing['problem']}" for listing in listings if listing["problem"]
        ),
        empty="Nobody is connected." if listings else "Not known yet.",
    )


def _row(one: Mapping[str, Any], server: str, known: Mapping[str, Holder]) -> ConnectionRow:
    name, url, note = named(one["user"], known)
    runs = " ".join(text for text in (one["language"], one["version"]) if text)
    return ConnectionRow(
        name=name,
        url=url,
        note=note,
        key=shown.chip(one["user"]) if one["user"] else None,
        client=one["name"] or runs,
        runs=runs if one["name"] else "",
        address=one["address"],
        server=server,
        since=shown.unix(int(one["since"])),
        pending=size(one["pending"]),
        subscriptions=f"{one['subscriptions']:,}",
        incoming=Traffic(messages=f"{one['in_messages']:,}", size=size(one["in_bytes"])),
        outgoing=Traffic(messages=f"{one['out_messages']:,}", size=size(one["out_bytes"])),
    )
