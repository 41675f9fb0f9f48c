"""What the pages of an import show, as plain strings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from identities.claims.diff import FieldChange
from identities.forms.importing import ChoicesForm
from identities.models import Job, JobState
from identities.services import clock, import_jobs, jobs
from identities.views import shown

_WAITS_TOO_LONG = 3.0
_STATES = {
    "new": ("new", "ok", "plus"),
    "changed": ("newer than here", "info", "pencil"),
    "unchanged": ("as here", "muted", "check"),
    "older": ("older than here", "muted", "clock"),
    "ask": ("with a taken name", "warn", "triangle-alert"),
    "left": ("left out", "danger", "ban"),
}
_TONES = {
    "left": ("Left out", "danger", "ban"),
    "error": ("Refused", "danger", "circle-x"),
    "warning": ("Look at", "warn", "triangle-alert"),
    "info": ("To know", "info", "info"),
}
_JOBS = {
    (import_jobs.PLAN, JobState.QUEUED): ("Waiting", "muted", "clock"),
    (import_jobs.PLAN, JobState.RUNNING): ("Being read", "info", "refresh-cw"),
    (import_jobs.PLAN, JobState.DONE): ("Planned", "info", "eye"),
    (import_jobs.PLAN, JobState.FAILED): ("Refused", "danger", "circle-x"),
    (import_jobs.IMPORT, JobState.QUEUED): ("Waiting", "muted", "clock"),
    (import_jobs.IMPORT, JobState.RUNNING): ("Being imported", "info", "refresh-cw"),
    (import_jobs.IMPORT, JobState.DONE): ("Imported", "ok", "circle-check"),
    (import_jobs.IMPORT, JobState.FAILED): ("Failed", "danger", "circle-x"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteShown:
    """One thing that an import says, and about what."""

    state: shown.State
    message: str
    where: str
    more: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowShown:
    """An operator or account of an import."""

    name: str
    url: str
    operator: str
    key: shown.Chip
    state: shown.State
    why: str
    accounts: str
    users: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedShown:
    """What a newer JWT changes."""

    what: str
    changes: tuple[FieldChange, ...]
    more: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentShown:
    """One plan or import of late."""

    number: str
    url: str
    what: str
    state: shown.State
    started: shown.When
    by: str


def title(job: Job) -> str:
    """What the page of a job is called."""
    return "Plan of an import" if job.kind == import_jobs.PLAN else "Import"


def plan_of(job: Job) -> Mapping[str, Any]:
    """The result of a plan."""
    return jobs.result_of(job)


def outcome(job: Job, form: ChoicesForm | None) -> dict[str, Any]:
    """Where a plan or import stands, and what it says."""
    found = jobs.result_of(job)
    planned = job.kind == import_jobs.PLAN
    done = job.state == JobState.DONE
    begun = import_jobs.started_from(job) if planned else None
    context: dict[str, Any] = {
        "planned": planned,
        "over": job.state in (JobState.DONE, JobState.FAILED),
        "done": done,
        "error": job.error,
        "what": ", ".join(import_jobs.labels_of(job)),
        "started": shown.moment(job.created_at),
        "by": job.by_name,
        "stage": str(found.get("stage", "")) or ("Waiting for a worker…" if not done else ""),
        "value": str(job.done),
        "max": str(job.total) if job.total else "",
        "no_worker": _no_worker(job),
        "begun_url": _url(begun) if begun is not None else "",
    }
    return context | (_told(found, planned=planned) if done else {}) | _choices(job, found, form, begun)


def recent(rows: Sequence[Job]) -> tuple[RecentShown, ...]:
    """The plans and imports of late."""
    return tuple(
        RecentShown(
            number=f"No. {job.pk}",
            url=_url(job),
            what=", ".join(import_jobs.labels_of(job)),
            state=_state(*_JOBS[job.kind, JobState(job.state)]),
            started=shown.moment(job.created_at),
            by=job.by_name,
        )
        for job in rows
    )


def _choices(
    job: Job, found: Mapping[str, Any], form: ChoicesForm | None, begun: Job | None
) -> dict[str, Any]:
    """The form of a plan that can still be carried out."""
    if job.kind != import_jobs.PLAN or job.state != JobState.DONE:
        return {"can_start": False}
    waits = begun is None or begun.state == JobState.FAILED
    return {
        "can_start": waits and (not found["nothing"] or bool(found["asks"])),
        "can_discard": waits,
        "form": form or ChoicesForm(plan=found),
    }


def _told(found: Mapping[str, Any], *, planned: bool) -> dict[str, Any]:
    seeds = found["seeds"]
    return {
        "nothing": found["nothing"],
        "facts": tuple(_facts(found)),
        "operators": tuple(_row(one, planned=planned) for one in found["operators"]),
        "accounts": tuple(_row(one, planned=planned) for one in found["accounts"]),
        "accounts_more": _more(found["accounts_more"], "account"),
        "changed": tuple(_changed(one) for one in found["changed"]),
        "changed_more": _more(found["changed_more"], "changed JWT"),
        "notes": tuple(_note(one) for one in found["notes"]),
        "stuck": tuple(found["stuck"]),
        "missing": tuple((one["what"], shown.chip(one["key"])) for one in seeds["missing_of"]),
        "missing_more": _more(seeds["missing"] - len(seeds["missing_of"]), "missing seed"),
    }


def _facts(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for kind, label in (("operator", "Operators"), ("account", "Accounts"), ("user", "Users")):
        counts = found["counts"][kind]
        if counts:
            yield label, _counted(counts)
    if found["counts"]["stray"]:
        yield "Of nobody known", f"{found['counts']['stray']:,} left out"
    seeds = found["seeds"]
    words = [
        f"{seeds['brought']:,} came along",
        *([f"{seeds['fills']:,} had been missing here"] if seeds["fills"] else []),
        *([f"{seeds['here']:,} are here already"] if seeds["here"] else []),
        *([f"{seeds['missing']:,} are missing"] if seeds["missing"] else []),
        *([f"{seeds['strangers_count']:,} belong to nothing here"] if seeds["strangers_count"] else []),
    ]
    yield "Seeds", ", ".join(words)
    yield "Files read", f"{found['files']:,}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"{counts[state]:,} {words}" for state, (words, *_) in _STATES.items() if state in counts
    )


def _row(one: Mapping[str, Any], *, planned: bool) -> RowShown:
    here = not planned or one["state"] in ("changed", "unchanged", "older")
    gone = one["state"] in ("left", "ask")
    operator = one.get("operator_key", "")
    url = ""
    if here and not gone:
        names = ("account", [operator, one["key"]]) if operator else ("operator", [one["key"]])
        url = reverse(names[0], args=names[1])
    return RowShown(
        name=one["name"],
        url=url,
        operator=one.get("operator", ""),
        key=shown.chip(one["key"]),
        state=_state(*_STATES[one["state"]]),
        why=one["why"],
        accounts=_counted(one.get("accounts", {})),
        users=_counted(one["users"]),
    )


def _changed(one: Mapping[str, Any]) -> ChangedShown:
    return ChangedShown(
        what=f"{one['what'][:1].upper()}{one['what'][1:]}",
        changes=tuple(FieldChange(*fields) for fields in one["diff"]),
        more=_more(one["more"], "field"),
    )


def _note(one: Mapping[str, Any]) -> NoteShown:
    where = one["where"]
    return NoteShown(
        state=_state(*_TONES[one["tone"]]),
        message=one["message"],
        where=", ".join(where),
        more=_more(one["count"] - len(where), "more", "more") if where else "",
    )


def _more(number: int, one: str, many: str = "") -> str:
    return shown.plural(number, one, many) if number > 0 else ""


def _state(word: str, tone: str, icon: str) -> shown.State:
    return shown.State(word=word[:1].upper() + word[1:], tone=tone, icon=icon)


def _url(job: Job) -> str:
    return reverse("importing-job", args=[job.pk])


def _no_worker(job: Job) -> bool:
    """Whether it waits for a worker that does not seem to be there."""
    waited = (clock.now() - job.created_at).total_seconds()
    return job.state == JobState.QUEUED and waited > _WAITS_TOO_LONG and not jobs.workers_alive()
