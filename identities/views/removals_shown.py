"""What hangs on an account that is to be deleted from servers, as plain strings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from identities.formats import sizes
from identities.models import Account, JobState, Operator, Snapshot
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.queries import deliveries
from identities.queries import sharing as neighbours
from identities.services import jobs, live, stakes
from identities.views import guards, live_shown, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStakes:
    """What one cluster said, a line each."""

    name: str
    lines: tuple[str, ...]
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stakes:
    """What the servers said; `waits` while a worker asks, `error` when it could not."""

    asked: shown.When
    waits: bool
    error: str
    clusters: tuple[ClusterStakes, ...]


def url(operator: Operator, key: str, name: str = "account-removal") -> str:
    """The address of the page."""
    return reverse(name, args=[operator.public_key, key])


def is_offered(principal: Principal, account: Account) -> bool:
    """Whether somebody who deletes an account here may have it deleted from its servers too."""
    may = guards.may(principal, Action.ACCOUNT_DELETE, Scope(operator=account.operator_id))
    return may and deliveries.has_clusters(account.operator)


def stakes_of(operator: Operator, key: str) -> Stakes | None:
    """What the servers said last; None when nobody asked."""
    job = stakes.latest(operator, key)
    if job is None:
        return None
    done = job.state == JobState.DONE
    found = jobs.result_of(job).get("clusters", []) if done else []
    return Stakes(
        asked=shown.moment(job.created_at),
        waits=job.state in (JobState.QUEUED, JobState.RUNNING),
        error=job.error,
        clusters=tuple(map(_cluster, found)),
    )


def last_known(account: Account) -> dict[str, Any]:
    """What hangs on a live account as its servers told last, for whoever is about to delete it; where to look at it."""
    seen = Snapshot.objects.filter(
        cluster__operator=account.operator_id, cluster__deleted_at=None, subject=account.public_key
    )
    rows = seen.exclude(taken_at=None).select_related("cluster").order_by("cluster__name_fold")
    return {
        "known": tuple(_last(row) for row in rows),
        "look": "Look first who is connected and what is stored",
        "look_url": shown.account_url("account-live", account),
    }


def _last(row: Snapshot) -> str:
    body = live.body_of(row)
    connections = sum(one["connections"] for one in body.get("usage", ()))
    streams = sum(one["streams"] for one in body.get("tiers", ()))
    size = live_shown.size(sum(one["memory"] + one["disk"] for one in body.get("tiers", ())))
    return (
        f"what {row.cluster.name} had at {shown.moment(row.taken_at).text}: {shown.plural(connections, 'connection')}, "
        f"{shown.plural(streams, 'stream')} of {size}"
    )


def importing(principal: Principal, row: Account, key: str) -> tuple[str, ...]:
    """The names of the accounts that import from it."""
    under = Account(pk=row.pk, public_key=key)
    return tuple(one.row.name for one in neighbours.importers(principal, under))


def _cluster(found: dict[str, Any]) -> ClusterStakes:
    streams = found["streams"]
    lines = [
        f"{shown.plural(found['connections'], 'client')} connected, whose connections end at once"
        if found["connections"]
        else "no client connected",
    ]
    if found["leafnodes"]:
        lines.append(f"{shown.plural(found['leafnodes'], 'leaf node')} connected")
    if streams:
        number = found.get("stream_count") or len(streams)
        more = f" and {number - len(streams):,} more" if number > len(streams) else ""
        size = sizes.size_words(found["bytes"]) if found["bytes"] else "0 B"
        lines.append(f"{shown.plural(number, 'stream')} of {size}: {', '.join(streams)}{more}")
    else:
        lines.append("no streams, as far as the servers tell")
    if silent := found.get("silent"):
        lines.append(f"not known: {', '.join(silent)} did not answer, and may have more")
    return ClusterStakes(
        name=found["name"], lines=() if found["problem"] else tuple(lines), problem=found["problem"]
    )
