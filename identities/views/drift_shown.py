"""What the page of drift shows, as plain strings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Q
from django.urls import reverse

from identities.models import Account, Cluster, Holding, HoldingState, Job, JobState, Server
from identities.queries import drift
from identities.services import clock, drifting, jobs, roster
from identities.views import shown

STATES: Mapping[str, shown.State] = {
    HoldingState.SAME: shown.State(word="As it is to be", tone="ok", icon="circle-check"),
    HoldingState.WAITING: shown.State(word="Waiting", tone="muted", icon="hourglass"),
    HoldingState.REFUSED: shown.State(word="Refused", tone="danger", icon="circle-x"),
    HoldingState.MISSING: shown.State(word="Missing there", tone="danger", icon="circle-x"),
    HoldingState.DELETED: shown.State(word="Deleted there", tone="danger", icon="trash-2"),
    HoldingState.OLDER: shown.State(word="Older there", tone="warn", icon="clock"),
    HoldingState.NEWER: shown.State(word="Newer there", tone="danger", icon="triangle-alert"),
    HoldingState.DIFFERENT: shown.State(word="Different there", tone="danger", icon="triangle-alert"),
    HoldingState.EXTRA: shown.State(word="Not ours", tone="warn", icon="info"),
    HoldingState.EXPIRED: shown.State(word="Expired, removed", tone="muted", icon="calendar-clock"),
    HoldingState.LAZY: shown.State(word="Asked for when needed", tone="muted", icon="circle-dashed"),
    HoldingState.UNKNOWN: shown.State(word="Unknown", tone="warn", icon="circle-alert"),
}
ADOPTABLE = frozenset({HoldingState.NEWER, HoldingState.EXTRA})
"""States in which what is there can be taken over here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Show one state alone: how many accounts on how many servers are in it."""

    label: str
    number: str
    url: str
    here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSum:
    """One server: how many accounts are as they are to be, and how many are otherwise, in words; `note` on it."""

    name: str
    note: str
    same: str
    rest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One account that somebody should look at; a state for each server."""

    name: str
    key: shown.Chip
    url: str
    note: str
    states: tuple[tuple[str, shown.State, str], ...]
    adopt_url: str
    remove_url: str
    again_url: str
    delete_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """All of the page that changes by itself."""

    compared: shown.When | None
    running: bool
    problem: str
    worker: bool
    servers: tuple[ServerSum, ...]
    filters: tuple[Filter, ...]
    rows: tuple[Row, ...]
    deliverable: bool
    next_url: str


def live(cluster: Cluster, state: str, after: str) -> Live:
    """Counts, and the accounts in `state` ("" for every kind of drift): eight queries at most."""
    servers = drift.servers(cluster)
    sums = drift.counts(cluster)
    total: Counter[str] = sum(sums.values(), Counter())
    outlived = drift.outlived(cluster, clock.unix())
    overdue = drift.count(cluster, outlived) if total[HoldingState.EXPIRED] else 0
    found = drift.page(cluster, Q(state=state) if state else Q(state__in=drifting.DRIFT) | outlived, after)
    job = drifting.latest(cluster)
    return Live(
        compared=shown.moment(cluster.compared_at) if cluster.compared_at else None,
        running=job is not None and job.state in (JobState.QUEUED, JobState.RUNNING),
        problem=_problem(job),
        worker=bool(jobs.workers_alive()),
        servers=tuple(_sum(server, sums.get(server.pk, Counter()), servers) for server in servers),
        filters=tuple(_filters(cluster, total, state, overdue)),
        rows=tuple(_row(cluster, servers, one) for one in found.accounts),
        deliverable=overdue > 0 or any(_is_mendable(server, sums.get(server.pk, {})) for server in servers),
        next_url=_url(cluster, state=state, after=found.after) if found.after else "",
    )


def _is_mendable(server: Server, numbers: Mapping[str, int]) -> bool:
    return any(numbers.get(one) and drift.takes_over(server, one) for one in drifting.OURS_IS_NEWER)


def _problem(job: Job | None) -> str:
    return job.error if job is not None and job.state == JobState.FAILED else ""


def _sum(server: Server, numbers: Counter[str], servers: list[Server]) -> ServerSum:
    rest = [
        f"{numbers[state]:,} {STATES[state].word.lower()}"
        for state in STATES
        if state != HoldingState.SAME and numbers[state]
    ]
    return ServerSum(
        name=server.name,
        note="does not answer: as it was last seen" if roster.is_absent(server, servers) else "",
        same=f"{numbers[HoldingState.SAME]:,}",
        rest=", ".join(rest) or "nothing",
    )


def _filters(cluster: Cluster, total: Counter[str], here: str, overdue: int) -> list[Filter]:
    drifted = overdue + sum(total[str(state)] for state in drifting.DRIFT)
    found = [Filter(label="All drift", number=f"{drifted:,}", url=_url(cluster), here=not here)]
    found += [
        Filter(
            label=STATES[state].word,
            number=f"{total[state]:,}",
            url=_url(cluster, state=state),
            here=state == here,
        )
        for state in STATES
        if total[state] or state == here
    ]
    return found


def _row(cluster: Cluster, servers: list[Server], drifted: drift.Drifted) -> Row:
    row = drifted.row
    deleted = row is not None and row.deleted_at is not None
    states = []
    for server in servers:
        holding = drifted.holdings.get(server.pk)
        if holding is not None:
            states.append((server.name, STATES[holding.state], holding.said or _when(holding)))
    states_there = {one.state for one in drifted.holdings.values()}
    gone = deleted or drifted.former
    adoptable = not gone and bool(states_there & ADOPTABLE)
    keys = [cluster.operator.public_key, drifted.key]
    taken = row is not None and not deleted and HoldingState.DELETED in states_there
    # Another one is not overwritten by a delivery: it leads to the page where somebody chooses.
    other = row is not None and not deleted and HoldingState.DIFFERENT in states_there
    outlived = row is not None and not deleted and HoldingState.EXPIRED in states_there and not _is_over(row)
    return Row(
        name=row.name if row is not None else "",
        key=shown.chip(drifted.key),
        url=reverse("account", args=keys) if row is not None and not deleted else "",
        note=_note(drifted),
        states=tuple(states),
        adopt_url=shown.cluster_url("cluster-adopt", cluster, drifted.key) if adoptable else "",
        remove_url=reverse("account-removal", args=keys)
        if gone and HoldingState.EXTRA in states_there
        else "",
        again_url=reverse("account-delivery-now", args=keys) if taken or outlived or other else "",
        delete_url=reverse("account-delete", args=keys) if taken else "",
    )


def _when(holding: Holding) -> str:
    if holding.state == HoldingState.EXPIRED and holding.exp:
        return f"ended {shown.moment(clock.at(holding.exp)).text}"
    return f"issued {shown.moment(clock.at(holding.iat)).text}" if holding.iat else ""


def _is_over(row: Account) -> bool:
    return 0 < row.expires <= clock.unix()


def _note(drifted: drift.Drifted) -> str:
    if drifted.row is not None:
        return "deleted here" if drifted.row.deleted_at is not None else ""
    return "has another key now" if drifted.former else "not here"


def _url(cluster: Cluster, **query: str) -> str:
    asked = {name: value for name, value in query.items() if value}
    address = shown.cluster_url("cluster-drift", cluster)
    return f"{address}?{urlencode(asked)}" if asked else address
