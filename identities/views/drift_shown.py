"""What the page of drift shows, as plain strings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from identities.models import Cluster, HoldingState, Job, JobState, Server
from identities.queries import drift
from identities.services import clock, drifting, jobs
from identities.views import shown

STATES: Mapping[str, shown.State] = {
    HoldingState.SAME: shown.State(word="As it is to be", tone="ok", icon="circle-check"),
    HoldingState.WAITING: shown.State(word="Waiting", tone="muted", icon="hourglass"),
    HoldingState.REFUSED: shown.State(word="Refused", tone="danger", icon="circle-x"),
    HoldingState.MISSING: shown.State(word="Missing there", tone="danger", icon="circle-x"),
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
    """One server: how many accounts are as they are to be, and how many are otherwise, in words."""

    name: str
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
    """Counts, and the accounts in `state` ("" for every kind of drift): seven queries."""
    roster = drift.servers(cluster)
    sums = drift.counts(cluster)
    found = drift.page(cluster, [state] if state else [str(one) for one in drifting.DRIFT], after)
    job = drifting.latest(cluster)
    total: Counter[str] = sum(sums.values(), Counter())
    return Live(
        compared=shown.moment(cluster.compared_at) if cluster.compared_at else None,
        running=job is not None and job.state in (JobState.QUEUED, JobState.RUNNING),
        problem=_problem(job),
        worker=bool(jobs.workers_alive()),
        servers=tuple(_sum(server, sums.get(server.pk, Counter())) for server in roster),
        filters=tuple(_filters(cluster, total, state)),
        rows=tuple(_row(cluster, roster, one) for one in found.accounts),
        deliverable=any(total[one] for one in drifting.OURS_IS_NEWER),
        next_url=_url(cluster, state=state, after=found.after) if found.after else "",
    )


def _problem(job: Job | None) -> str:
    return job.error if job is not None and job.state == JobState.FAILED else ""


def _sum(server: Server, numbers: Counter[str]) -> ServerSum:
    rest = [
        f"{numbers[state]:,} {STATES[state].word.lower()}"
        for state in STATES
        if state != HoldingState.SAME and numbers[state]
    ]
    return ServerSum(
        name=server.name, same=f"{numbers[HoldingState.SAME]:,}", rest=", ".join(rest) or "nothing"
    )


def _filters(cluster: Cluster, total: Counter[str], here: str) -> list[Filter]:
    drifted = sum(total[str(state)] for state in drifting.DRIFT)
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


def _row(cluster: Cluster, roster: list[Server], drifted: drift.Drifted) -> Row:
    row = drifted.row
    deleted = row is not None and row.deleted_at is not None
    states = []
    for server in roster:
        holding = drifted.holdings.get(server.pk)
        if holding is not None:
            when = f"issued {shown.moment(clock.at(holding.iat)).text}" if holding.iat else ""
            states.append((server.name, STATES[holding.state], holding.said or when))
    states_there = {one.state for one in drifted.holdings.values()}
    gone = deleted or drifted.former
    adoptable = not gone and bool(states_there & ADOPTABLE)
    keys = [cluster.operator.public_key, drifted.key]
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
    )


def _note(drifted: drift.Drifted) -> str:
    if drifted.row is not None:
        return "deleted here" if drifted.row.deleted_at is not None else ""
    return "has another key now" if drifted.former else "not here"


def _url(cluster: Cluster, **query: str) -> str:
    asked = {name: value for name, value in query.items() if value}
    address = shown.cluster_url("cluster-drift", cluster)
    return f"{address}?{urlencode(asked)}" if asked else address
