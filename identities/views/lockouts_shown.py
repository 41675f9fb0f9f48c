"""A lockout as steps in words: what is done, what is under way, and what can't be proven and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from identities.claims.account import AccountBody
from identities.claims.revocations import EVERYONE, loosened
from identities.models import Account, Job, JobState
from identities.services import changes, jobs, kicking, lockouts
from identities.views import live_shown, shown

_HELD = {
    "there": "has it",
    "refused": "refused it",
    "newer": "holds a newer one",
    "held": "nothing was sent to it",
    "waiting": "waits",
}
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: `tone` is ok, warn, danger or muted; `lines` tell of each server; `url` is where to look, "" for
    nowhere.
    """

    title: str
    text: str
    tone: str
    icon: str
    lines: tuple[str, ...] = ()
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCluster:
    """The steps on one cluster; `name` is "" where there is only one."""

    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Everything of the page that may change."""

    title: str
    started: shown.When
    by: str
    over: bool
    heading: str
    first: Step | None
    clusters: tuple[OnCluster, ...]
    outcome: Step | None
    waiting: str
    no_worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """One lockout in the list of the last ones."""

    title: str
    url: str
    at: shown.When
    by: str
    state: shown.State


def latest(account: Account) -> tuple[Earlier, ...]:
    """The last lockouts of an account; one query."""
    return tuple(
        Earlier(
            title=_title(account, jobs.payload_of(job)),
            url=reverse("lockout", args=[account.operator.public_key, account.public_key, job.pk]),
            at=shown.moment(job.created_at),
            by=job.by_name,
            state=_state(job),
        )
        for job in lockouts.latest(account)
    )


def _state(job: Job) -> shown.State:
    if job.state in (JobState.QUEUED, JobState.RUNNING):
        return shown.State(word="Under way", tone="muted", icon="clock")
    if job.state == JobState.DONE and jobs.result_of(job).get("proven"):
        return shown.State(word="Proven", tone="ok", icon="circle-check")
    return shown.State(word="Not proven", tone="warn", icon="triangle-alert")


def told(account: Account, job: Job) -> Told:
    """A lockout of `account`."""
    payload, result = jobs.payload_of(job), jobs.result_of(job)
    over = job.state in (JobState.DONE, JobState.FAILED)
    kick_only, may_return = payload["kick_only"], lockouts.may_return(payload)
    clusters = result.get("clusters", [])
    first = None if kick_only else _signed(account, payload)
    lapsed = first is not None and first.tone != "ok"
    several = len(clusters) > 1
    return Told(
        title=_title(account, payload),
        started=shown.moment(job.created_at),
        by=job.by_name,
        over=over,
        heading="Disconnecting" if may_return else "Locking out",
        first=first,
        clusters=tuple(
            OnCluster(
                name=one["name"] if several else "",
                steps=tuple(_steps(account, one, kick_only=kick_only, over=over)),
            )
            for one in clusters
        ),
        outcome=_outcome(job, result, payload, lapsed=lapsed) if over else None,
        waiting="Waiting for a worker." if job.state == JobState.QUEUED else "Asking the servers.",
        no_worker="" if over or jobs.workers_alive() else live_shown.NO_WORKER,
    )


def _title(account: Account, payload: Mapping[str, Any]) -> str:
    """What was done, with the account and its keys where the reason alone names neither."""
    reason: str = payload["reason"]
    named = ", ".join(payload.get("named", ()))
    if reason.endswith(" of account"):
        reason = f"{reason} “{account.name}”"
    return f"{reason}: {named}" if named else reason


def _signed(account: Account, payload: dict[str, Any]) -> Step:
    """What the account's present JWT says of it: one that was made elsewhere and taken over since may not say so."""
    body: AccountBody = changes.claims_of(account).nats
    whom = lockouts.whom_of(payload, body)
    loose = loosened(whom.entries, body.revocations)
    everyone, back = EVERYONE in loose, [key for key in loose if key != EVERYONE]
    held = {entry.key for entry in body.signing_keys}
    keys = [key for key in whom.gone if key in held]
    issued = shown.unix(account.last_iat).text
    if not (back or everyone or keys):
        words = f"The JWT of “{account.name}” says so; the present one was issued at {issued}."
        return Step(title="Signed", text=words, tone="ok", icon="circle-check")
    lines = (
        *(["The revocation of all users is not in it, or an earlier one."] if everyone else []),
        *(f"{key} is not revoked by it, or up to an earlier time." for key in back[:_MOST_NAMED]),
        *([f"{len(back) - _MOST_NAMED:,} more are not."] if len(back) > _MOST_NAMED else []),
        *(f"{key} may sign again." for key in keys[:_MOST_NAMED]),
    )
    words = (
        f"It was signed, and the present JWT of “{account.name}”, issued at {issued}, does not say so any more: "
        "whoever was shut out may come back."
    )
    return Step(title="Not in force any more", text=words, tone="danger", icon="triangle-alert", lines=lines)


def _steps(account: Account, one: Mapping[str, Any], *, kick_only: bool, over: bool) -> Iterator[Step]:
    if not kick_only:
        yield _delivered(account, one, over=over)
    if one["problem"] and not one["looked"]:
        yield Step(title="Not reached", text=one["problem"], tone="danger", icon="circle-x")
        return
    if one["looked"]:
        yield _kicked(one)
        yield _proof(one)


def _delivered(account: Account, one: Mapping[str, Any], *, over: bool) -> Step:
    url = shown.account_url("account-delivery", account)
    there = [row["server"] for row in one["holdings"] if row["state"] == "there"]
    lines = tuple(f"{row['server']}: {_holding(row, one['away'])}" for row in one["holdings"])
    share = f"{len(there)} of {len(lines)} servers have it." if lines else ""
    match one["push"]:
        case "delivered":
            return _step("Delivered", share, "ok", lines)
        case "partly":
            words = f"{share} The others are away, and get it when they are back."
            return _step("Delivered to those that are there", words, "warn", lines)
        case "held":
            words = "Servers hold a newer JWT of the account than the one here, so nothing was sent. Choose first."
            return _step("Not delivered", words, "danger", lines, url)
        case "failed":
            words = one["problem"] or "A server refused the account's JWT."
            return _step("Not delivered", words, "danger", lines, url)
    if over:
        words = f"{share} The others did not take it in time; it is tried on."
        return _step("Not delivered yet", words, "warn", lines, url)
    return _step("Delivering", share, "muted", lines)


def _holding(row: Mapping[str, str], away: Sequence[str]) -> str:
    words = _HELD[row["state"]]
    words = "is away" if row["server"] in away and row["state"] == "waiting" else words
    return f"{words} ({row['said']})" if row["said"] else words


def _kicked(one: Mapping[str, Any]) -> Step:
    rows = one["kicks"]
    number = sum(row["kicked"] for row in rows)
    by_itself = sum(max(0, row["found"] - row["kicked"] - row["left"]) for row in rows)
    left = sum(row["left"] for row in rows)
    lines = tuple(f"{row['name']}: {row['said']}" for row in rows if row["said"])
    if left and one["push"] not in ("kick", "delivered", "partly"):
        words = "Servers don't have the new JWT: whoever is disconnected now would come back at once."
        return _step("Nobody was disconnected", words, "warn", lines)
    if number:
        words = f"{shown.plural(number, 'connection')} ended one by one."
    else:
        words = "None could be ended one by one." if left else "None had to be ended one by one."
    if by_itself:
        words += f" {shown.plural(by_itself, 'connection')} ended by themselves."
    elif not number and one["push"] in ("delivered", "partly"):
        words += " Servers end them by themselves when they take over the account's new JWT."
    too_old = any(row["said"] == kicking.NO_KICK for row in rows)
    if left and not number and not by_itself:
        return _step("Not disconnected", words, "warn", lines)
    return _step("Disconnected", words, "warn" if too_old else "ok", lines)


def _proof(one: Mapping[str, Any]) -> Step:
    rows = one["kicks"]
    left = sum(row["left"] for row in rows)
    lines = tuple(f"{row['name']}: {shown.plural(row['left'], 'connection')} left" for row in rows)
    if not rows:
        return _step("Not proven", "No server answered.", "danger", ())
    if left:
        return _step("Still connected", f"{shown.plural(left, 'connection')} left.", "danger", lines)
    if not one["proven"]:
        words = "None is left on the servers that answered. " + (
            f"Away, so not asked: {', '.join(one['away'])}."
            if one["away"]
            else "Not every server can be told for."
        )
        return _step("Proven where it can be", words, "warn", lines)
    return _step("Proven", "Every server was asked again, and none is left.", "ok", lines)


def _outcome(job: Job, result: Mapping[str, Any], payload: dict[str, Any], *, lapsed: bool) -> Step:
    if job.state == JobState.FAILED:
        return _step("It could not be done", job.error, "danger", ())
    if not result.get("clusters"):
        return _step("Nothing was asked", "nscweb reaches no server of this operator any more.", "warn", ())
    if not result["proven"]:
        words = "What is missing stands above. Ask again when it is mended."
        return _step("Not proven on every server", words, "warn", ())
    if payload["kick_only"]:
        return _step(
            "Done", "Every connection that there was has ended. Most clients come back at once.", "ok", ()
        )
    if lockouts.may_return(payload):
        words = "Every connection from before has ended. Users of the role come back with what it says now."
        return _step("Done", words, "ok", ())
    if lapsed:
        words = "It was out, on every server, and may be back by the JWT that the account has now: lock it out again."
        return _step("Done then, and undone since", words, "danger", ())
    return _step("Done", "It is out, on every server, and can't come back with what it had.", "ok", ())


def _step(title: str, text: str, tone: str, lines: tuple[str, ...], url: str = "") -> Step:
    icons = {"ok": "circle-check", "warn": "triangle-alert", "danger": "circle-x", "muted": "clock"}
    return Step(title=title, text=text, tone=tone, icon=icons[tone], lines=lines, url=url)
