"""What the page of a connection test shows, as plain strings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from identities.models import Job, JobState
from identities.services import clock, jobs
from identities.views import shown

_TITLES = {
    "address": "Address",
    "greeting": "Greeting",
    "mode": "Operator mode",
    "login": "Login",
    "account": "System account",
}
_TONES = {"ok": ("ok", "circle-check"), "warn": ("warn", "triangle-alert"), "bad": ("danger", "circle-x")}
_WAITS_TOO_LONG = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One step or finding; `said` are the original words."""

    title: str
    tone: str
    icon: str
    text: str
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressShown:
    """One address with its steps, and why its login may have been refused."""

    url: str
    server: str
    state: shown.State
    lines: tuple[Line, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerShown:
    """One server that answered."""

    name: str
    note: str
    lines: tuple[Line, ...]


def result(job: Job) -> dict[str, Any]:
    """Where a connection test stands."""
    found = jobs.result_of(job)
    over = job.state in (JobState.DONE, JobState.FAILED)
    return {
        "over": over,
        "ok": job.state == JobState.DONE and bool(found.get("ok")),
        "summary": job.error or str(found.get("summary", "")),
        "took": f"{found['seconds']:.1f} s" if "seconds" in found else "",
        "at": tuple(map(_address, found.get("at", ()))),
        "servers": tuple(map(_server, found.get("servers", ()))),
        "problem": str(found.get("problem", "")),
        "waiting": "" if over else _waiting(job),
        "no_worker": _no_worker(job),
        "started": shown.moment(job.created_at),
        "by": job.by_name,
    }


def _address(at: Mapping[str, Any]) -> AddressShown:
    word, tone, icon = (
        ("Works", "ok", "circle-check") if at["ok"] else ("Does not work", "danger", "circle-x")
    )
    return AddressShown(
        url=str(at["url"]),
        server=str(at["server"]),
        state=shown.State(word=word, tone=tone, icon=icon),
        lines=tuple(map(_step, at["steps"])),
        reasons=tuple(map(str, at["reasons"])),
    )


def _step(step: Mapping[str, Any]) -> Line:
    tone, icon = _TONES["ok" if step["ok"] else "bad"]
    name = str(step["name"])
    return Line(
        title=_TITLES.get(name, name),
        tone=tone,
        icon=icon,
        text=str(step["text"]),
        said="" if step["ok"] else str(step["said"]),
    )


def _server(server: Mapping[str, Any]) -> ServerShown:
    lines = []
    for finding in server["findings"]:
        tone, icon = _TONES.get(str(finding["grade"]), _TONES["warn"])
        lines.append(Line(title="", tone=tone, icon=icon, text=str(finding["text"])))
    words = (str(server["cluster"]), str(server["version"]))
    return ServerShown(
        name=str(server["name"]), note=" · ".join(word for word in words if word), lines=tuple(lines)
    )


def _waiting(job: Job) -> str:
    if job.state == JobState.QUEUED:
        return "Waiting for a worker…"
    return f"Testing: {job.done} of {job.total} addresses…" if job.total else "Testing…"


def _no_worker(job: Job) -> bool:
    waited = (clock.now() - job.created_at).total_seconds()
    return job.state == JobState.QUEUED and waited > _WAITS_TOO_LONG and not jobs.workers_alive()
