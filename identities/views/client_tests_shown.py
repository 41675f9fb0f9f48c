"""What the pages of a client test show, as plain strings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from identities.forms.client_tests import TRIALS
from identities.models import Cluster, Job, JobState, User
from identities.policy.principal import Principal
from identities.services import client_tests, clock, jobs
from identities.views import shown

MOST_EVENTS = 200
LONGEST_DATA = 4000
SUGGESTED = 200
_WORDS = dict(TRIALS)
_ICONS = {
    "connected": "circle-check",
    "subscribed": "eye",
    "published": "send",
    "received": "inbox",
    "requested": "send",
    "answered": "arrow-right",
    "rtt": "clock",
    "refused": "ban",
    "failed": "circle-x",
    "ended": "circle-dashed",
}
_WAITS_TOO_LONG = 3.0
_SERVER_ID = re.compile(r"\bN[A-Z2-7]{55}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventShown:
    """One line of what happened; `said` are the server's own words, `data` the message."""

    icon: str
    tone: str
    at: str
    who: str
    text: str
    data: str
    note: str
    said: str


def result(job: Job) -> dict[str, Any]:
    """Where a client test stands, and what has happened so far."""
    found = jobs.result_of(job)
    events = found.get("events", [])
    over = job.state in (JobState.DONE, JobState.FAILED)
    return {
        "over": over,
        "ok": job.state == JobState.DONE and bool(found.get("ok")),
        "summary": job.error or str(found.get("summary", "")),
        "server": _shortened(str(found.get("server", ""))),
        "took": f"{found['seconds']:.2f} s" if over and "seconds" in found else "",
        "events": tuple(_event(event) for event in events[:MOST_EVENTS]),
        "left_out": f"{len(events) - MOST_EVENTS:,} more" if len(events) > MOST_EVENTS else "",
        "waiting": _waiting(job),
        "no_worker": _no_worker(job),
        "asked": _asked(job),
        "started": shown.moment(job.created_at),
        "by": job.by_name,
    }


def names_to_suggest(principal: Principal, user: User) -> tuple[str, ...]:
    """Other users by name, those of the same account first, for the picker of a pair; one query."""
    rows = (
        User.objects.visible_to(principal)
        .live()
        .filter(operator=user.operator_id, account__deleted_at=None)
        .exclude(pk=user.pk)
    )
    near = list(
        rows.filter(account=user.account_id).order_by("name").values_list("name", flat=True)[:SUGGESTED]
    )
    room = SUGGESTED - len(near)
    far = rows.exclude(account=user.account_id).order_by("name").values_list("account__name", "name")[:room]
    return (*near, *(f"{account}/{name}" for account, name in far))


def clusters_to_choose(principal: Principal, user: User) -> tuple[tuple[int, str], ...]:
    """The clusters of the user's operator that one may see, by number; one query."""
    rows = Cluster.objects.visible_to(principal).live().filter(operator=user.operator_id)
    return tuple(rows.order_by("name_fold").values_list("pk", "name")[:SUGGESTED])


def wish_of(job: Job) -> Mapping[str, Any]:
    """What a client test was asked, as initial values of a form that runs it again."""
    asked = client_tests.asked(job)
    wish = {**asked["wish"], "other": "", "seconds": f"{asked['wish']['seconds']:g}"}
    wish["cluster"] = wish.get("cluster") or ""
    if wish["inbox_prefix"] == "_INBOX":
        wish["inbox_prefix"] = ""
    if asked["other"] != asked["user"]:
        wish["other"] = asked["other"][2]
    return wish


def _asked(job: Job) -> str:
    wish = client_tests.asked(job)["wish"]
    subject = wish["subject"] if wish["trial"] != "rtt" else ""
    words = (_WORDS.get(wish["trial"], wish["trial"]), subject, wish["url"])
    return " · ".join(word for word in words if word)


def _event(event: Mapping[str, Any]) -> EventShown:
    kind = str(event["kind"])
    data, size = str(event["data"]), int(event["size"])
    return EventShown(
        icon=_ICONS.get(kind, "circle-dashed"),
        tone="danger" if kind in ("refused", "failed") else "ok" if kind in ("received", "rtt") else "muted",
        at=f"{event['at']:.3f} s",
        who=str(event["who"]),
        text=_shortened(str(event["text"]))
        .removeprefix(f"{event['who']}: ")
        .removeprefix(f"{event['who']} "),
        data=data[:LONGEST_DATA],
        note=f"{size:,} bytes"
        if kind == "received" and not data
        else f"of {size:,} bytes"
        if len(data) > LONGEST_DATA
        else "",
        said=str(event["said"]),
    )


def _waiting(job: Job) -> str:
    if job.state == JobState.QUEUED:
        return "Waiting for a worker…"
    return "Running…" if job.state == JobState.RUNNING else ""


def _no_worker(job: Job) -> bool:
    """Whether it waits for a worker that does not seem to be there."""
    waited = (clock.now() - job.created_at).total_seconds()
    return job.state == JobState.QUEUED and waited > _WAITS_TOO_LONG and not jobs.workers_alive()


def _shortened(text: str) -> str:
    """A server without a name is called by its id, which nobody reads."""
    return _SERVER_ID.sub(lambda found: shown.short(found[0]), text)
