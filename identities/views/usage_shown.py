"""What an account uses beside what its JWT allows, as bars with numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from identities.claims.limits import NO_LIMIT, JetStreamLimits, OperatorLimits
from identities.formats import sizes
from identities.views import live_shown

_NEARLY = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One limit: `used` and `limit` in words, `value` of `most` for the bar ("" for no bar). `tone`: ok or warn."""

    label: str
    used: str
    limit: str
    value: str = ""
    most: str = ""
    tone: str = "ok"
    note: str = ""

    @property
    def text(self) -> str:
        """Both numbers as people say it."""
        if self.limit == "unlimited":
            return f"{self.used}, without limit"
        return f"{self.used}, none allowed" if self.limit == "none" else f"{self.used} of {self.limit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What the account uses on one cluster; `known` is false before its servers have told anything."""

    cluster: str
    known: bool
    bars: tuple[Bar, ...]
    totals: tuple[tuple[str, str], ...]
    troubles: tuple[str, ...]


def of_cluster(name: str, limits: OperatorLimits, body: Mapping[str, Any]) -> Use:
    """Bars, totals and troubles of one snapshot."""
    if not body:
        return Use(cluster=name, known=False, bars=(), totals=(), troubles=())
    return Use(
        cluster=name,
        known=True,
        bars=bars(limits, body),
        totals=totals(body) if body.get("usage") else (),
        troubles=troubles(body),
    )


def bars(limits: OperatorLimits, body: Mapping[str, Any]) -> tuple[Bar, ...]:
    """Connections, subscriptions, and JetStream by tier; all servers together."""
    usage = body.get("usage", [])
    return (
        _count("Connections", _sum(usage, "connections"), limits.conn),
        _count("Leaf nodes", _sum(usage, "leaf_nodes"), limits.leaf),
        _count(
            "Subscriptions of one connection",
            max((one["subscriptions"] for one in _connections(body)), default=0),
            limits.subs,
            note="Servers hold each connection to this limit by itself; shown is the one that has most.",
        ),
        Bar(
            label="Largest message allowed",
            used="Not measured",
            limit=sizes.size_words(limits.payload),
            note="Servers tell of no message sizes.",
        ),
        *_jetstream(limits, body.get("tiers", [])),
    )


def totals(body: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What came in and went out since the servers started."""
    usage = body.get("usage", [])
    slow = _sum(usage, "slow")
    return (
        ("In", live_shown.traffic(_sum(usage, "in_messages"), _sum(usage, "in_bytes"))),
        ("Out", live_shown.traffic(_sum(usage, "out_messages"), _sum(usage, "out_bytes"))),
        ("Subscriptions", f"{_sum(usage, 'subscriptions'):,}, those of the servers' own imports included"),
        ("Slow consumers", f"{slow:,}" if slow else "none"),
    )


def troubles(body: Mapping[str, Any]) -> tuple[str, ...]:
    """What servers say is wrong with the account's JWT as they hold it."""
    known = body.get("known", [])
    expired = [one["server"]["name"] for one in known if one["expired"]]
    broken = [one["server"]["name"] for one in known if not one["complete"]]
    told = []
    if expired:
        told.append(f"Expired, by what {_list(expired)} holds: nobody of the account can log in there.")
    if broken:
        told.append(
            f"An import does not work on {_list(broken)}: the exporter does not allow it, or is not known."
        )
    return tuple(told)


def _connections(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (one for listing in body.get("listings", ()) for one in listing["connections"])


def _jetstream(limits: OperatorLimits, tiers: Iterable[Mapping[str, Any]]) -> Iterator[Bar]:
    used = {tier["tier"]: tier for tier in tiers}
    if limits.tiered_limits:
        for name in sorted({*limits.tiered_limits, *used}):
            allowed = limits.tiered_limits.get(name, JetStreamLimits())
            yield from _tier(f"JetStream {name}", allowed, [used[name]] if name in used else [])
    elif limits.jetstream_enabled or used:
        yield from _tier("JetStream", limits, [_replicated(tier) for tier in used.values()])


def _replicated(tier: Mapping[str, Any]) -> dict[str, int]:
    """Without tiers every replica counts."""
    copies = int(str(tier["tier"]).removeprefix("R") or "1")
    return {
        "memory": tier["memory"] * copies,
        "disk": tier["disk"] * copies,
        "streams": tier["streams"],
        "consumers": tier["consumers"],
    }


def _tier(
    label: str, limits: OperatorLimits | JetStreamLimits, used: Iterable[Mapping[str, Any]]
) -> Iterator[Bar]:
    rows = list(used)
    yield _bytes(f"{label}: memory", _sum(rows, "memory"), limits.mem_storage)
    yield _bytes(f"{label}: disk", _sum(rows, "disk"), limits.disk_storage)
    yield _count(f"{label}: streams", _sum(rows, "streams"), limits.streams or NO_LIMIT)
    yield _count(f"{label}: consumers", _sum(rows, "consumers"), limits.consumer or NO_LIMIT)


def _count(label: str, used: int, limit: int, note: str = "") -> Bar:
    return _bar(label, used, limit, f"{used:,}", sizes.number_words(limit), note)


def _bytes(label: str, used: int, limit: int) -> Bar:
    return _bar(label, used, limit, live_shown.size(used), sizes.size_words(limit), "")


def _bar(label: str, used: int, limit: int, used_text: str, limit_text: str, note: str) -> Bar:
    if limit <= 0:
        return Bar(label=label, used=used_text, limit=limit_text, note=note)
    return Bar(
        label=label,
        used=used_text,
        limit=limit_text,
        value=str(min(used, limit)),
        most=str(limit),
        tone="warn" if used >= limit * _NEARLY else "ok",
        note=note,
    )


def _sum(rows: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(row[name] for row in rows)


def _list(names: list[str]) -> str:
    return ", ".join(names)
