"""Background work: a table of leased jobs. A worker that was killed loses its lease, and another one takes over.

Each lease raises the job's `fence`; whatever a worker writes about a job names the fence it was given, so a worker
that was thought dead and comes back can't write a result (libraries.md, finding 7).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet

from identities import lookup
from identities.errors import IdentityError
from identities.models import Job, JobState, Person, WorkerBeat
from identities.policy.decisions import Forbidden
from identities.policy.principal import Principal, Way
from identities.services import clock

LEASE = timedelta(seconds=60)
ALIVE = timedelta(seconds=60)
"""A worker that was last seen longer ago counts as gone."""
KEPT = timedelta(days=7)
_LONGEST_ERROR = 2000
_ABANDONED = "The worker that ran this was stopped before it was done. Start it again."
_FAULT = "This failed by a fault of nscweb, not of what you asked for. The server's log says more (job {pk})."

log = structlog.get_logger("identities.jobs")


class LostLease(Exception):
    """Another worker has taken the job over, so nothing may be written about it here."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on `job` and to write about it, until somebody holds a higher fence."""

    job: Job
    fence: int


Result = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """How one kind of job is done. `attempts` bounds how often it is begun; 1 for what must not happen twice.

    `run` gives the result, or None when it has called `finish` itself, in the transaction of what it did.
    """

    run: Callable[[Lease], Result | None]
    attempts: int = 5


Handlers = Mapping[str, Handler]


def enqueue(
    *, principal: Principal, kind: str, payload: Mapping[str, object], after: timedelta = timedelta()
) -> Job:
    """Add a job inside the transaction of the change that needs it, to be begun `after` that long at the earliest.

    `payload` becomes JSON and holds no secret.
    """
    moment = clock.now()
    return Job.objects.create(
        kind=kind,
        payload=json.dumps(payload, ensure_ascii=False),
        run_at=moment + after,
        by=principal.key,
        by_name=principal.name,
        created_at=moment,
    )


def unfinished(kind: str, principal: Principal) -> int:
    """How many jobs of this kind somebody has waiting or running."""
    return Job.objects.filter(
        kind=kind, by=principal.key, state__in=[JobState.QUEUED, JobState.RUNNING]
    ).count()


def claim(handlers: Handlers) -> Lease | None:
    """Lease the job that waits longest and that `handlers` can do; None when there is none.

    A job whose worker stopped renewing its lease is taken over, or given up when it was begun often enough.
    """
    if not _waiting(handlers, clock.now()).exists():  # no write lock while there is nothing to do
        return None
    with transaction.atomic():
        moment = clock.now()
        waiting = _waiting(handlers, moment).select_for_update(skip_locked=True).order_by("run_at", "pk")
        while (job := waiting.first()) is not None:
            if job.attempts >= handlers[job.kind].attempts:
                _close(job, JobState.FAILED, moment, error=job.error or _ABANDONED)
                continue
            job.state = JobState.RUNNING
            job.fence += 1
            job.attempts += 1
            job.lease_until = moment + LEASE
            job.save(update_fields=["state", "fence", "attempts", "lease_until"])
            return Lease(job, job.fence)
    return None


def renew(lease: Lease, *, done: int = 0, total: int = 0, so_far: Result | None = None) -> None:
    """Say that the work goes on, how far it is, and what it has found so far.

    Raises:
        LostLease: somebody else took the job over: stop working on it.
    """
    fields: dict[str, object] = {"lease_until": clock.now() + LEASE, "done": done, "total": total}
    if so_far is not None:
        fields["result"] = json.dumps(so_far, ensure_ascii=False)
    _write(lease, **fields)


def finish(lease: Lease, result: Result) -> None:
    """Store the result and close the job; called in the transaction of the work's effects, they stand or fall together.

    Raises:
        LostLease: somebody else took the job over.
    """
    _write(
        lease,
        state=JobState.DONE,
        result=json.dumps(result, ensure_ascii=False),
        error="",
        lease_until=None,
        finished_at=clock.now(),
    )


def fail(lease: Lease, error: str) -> None:
    """Close the job with an error for people.

    Raises:
        LostLease: somebody else took the job over.
    """
    _write(
        lease,
        state=JobState.FAILED,
        error=error[:_LONGEST_ERROR],
        lease_until=None,
        finished_at=clock.now(),
    )


def payload_of(job: Job) -> dict[str, Any]:
    """What was asked for."""
    payload: dict[str, Any] = json.loads(job.payload)
    return payload


def principal_of(job: Job) -> Principal:
    """Whoever started it, with the rights that they hold now.

    Raises: Forbidden: somebody who was switched off meanwhile.
    """
    kind, _, number = job.by.partition(":")
    if kind == "person":
        person = Person.objects.filter(pk=int(number), is_active=True).first()
        if person is None:
            raise Forbidden(f"“{job.by_name}” may not sign in any more.")
        return lookup.person_principal(person, way=Way.WORKER)
    return replace(Principal.worker(), key=job.by, name=job.by_name)


def result_of(job: Job) -> dict[str, Any]:
    """What came of it, or what there is of it so far; empty at first."""
    result: dict[str, Any] = json.loads(job.result or "{}")
    return result


def work_once(handlers: Handlers) -> bool:
    """Do one waiting job; False when there was none. Whatever its handler raises, the worker goes on."""
    lease = claim(handlers)
    if lease is None:
        return False
    try:
        _perform(lease, handlers[lease.job.kind])
    except LostLease:
        log.warning("job lost its lease", job=lease.job.pk, kind=lease.job.kind)
    return True


def beat(name: str) -> None:
    """Note that the worker `name` is alive; forget the ones that are long gone."""
    moment = clock.now()
    WorkerBeat.objects.update_or_create(name=name, defaults={"at": moment})
    WorkerBeat.objects.filter(at__lt=moment - KEPT).delete()


def leave(name: str) -> None:
    """Note that the worker `name` has ended in good order."""
    WorkerBeat.objects.filter(name=name).delete()


def due() -> int:
    """How many jobs a worker could begin right now."""
    return Job.objects.filter(_due(clock.now())).count()


def workers_alive() -> int:
    """How many workers were seen lately."""
    return WorkerBeat.objects.filter(at__gte=clock.now() - ALIVE).count()


def forget_old() -> int:
    """Delete jobs that ended more than a week ago; how many they were."""
    old = Job.objects.filter(state__in=[JobState.DONE, JobState.FAILED], finished_at__lt=clock.now() - KEPT)
    return old.delete()[0]


def _perform(lease: Lease, handler: Handler) -> None:
    try:
        result = handler.run(lease)
        if result is not None:
            finish(lease, result)
    except LostLease:
        raise
    except IdentityError as refused:
        fail(lease, refused.user_message)
    except Exception as error:  # a job's fault must not end the worker
        log.error(
            "job failed", job=lease.job.pk, kind=lease.job.kind, error=type(error).__name__, exc_info=True
        )
        if lease.job.attempts >= handler.attempts:
            fail(lease, _FAULT.format(pk=lease.job.pk))
        else:
            pause = timedelta(seconds=min(2**lease.job.attempts, 300))
            _write(lease, state=JobState.QUEUED, lease_until=None, run_at=clock.now() + pause)


def _waiting(handlers: Handlers, moment: datetime) -> QuerySet[Job]:
    return Job.objects.filter(_due(moment), kind__in=list(handlers))


def _due(moment: datetime) -> Q:
    return Q(state=JobState.QUEUED, run_at__lte=moment) | Q(state=JobState.RUNNING, lease_until__lt=moment)


def _write(lease: Lease, **fields: object) -> None:
    held = Job.objects.filter(pk=lease.job.pk, fence=lease.fence, state=JobState.RUNNING)
    if not held.update(**fields):
        raise LostLease(f"job {lease.job.pk}, fence {lease.fence}")


def _close(job: Job, state: JobState, moment: datetime, *, error: str) -> None:
    job.state, job.error, job.lease_until, job.finished_at = state, error, None, moment
    job.save(update_fields=["state", "error", "lease_until", "finished_at"])
