"""The check of the audit chain as a worker's job: it takes a while where there are many events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from identities.models import AuditEvent, Job, JobState
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit_checking, jobs

KIND = "audit-check"
TOLD_EVERY = 20_000
"""After so many events the job says how far it is."""
MOST_TOLD = 20
"""So many findings are kept; `manage.py verify_audit` tells them all."""
_RUNNING = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The last check: how many events were read, of how many, and what does not fit; `found` counts all of that.

    `error` says why it could not be done, "" when it could.
    """

    asked_at: datetime
    waits: bool
    events: int
    total: int
    found: int
    findings: tuple[str, ...]
    error: str


def start(*, principal: Principal) -> Job:
    """Have a worker walk the whole chain; one check at a time. Nothing is changed by looking: no event is left."""
    decisions.require(principal, Action.AUDIT_VIEW)
    with transaction.atomic():
        running = Job.objects.filter(kind=KIND, state__in=_RUNNING).first()
        return running or jobs.enqueue(principal=principal, kind=KIND, payload={})


def latest(*, principal: Principal) -> Check | None:
    """The last check that was asked for; None when there was none lately."""
    decisions.require(principal, Action.AUDIT_VIEW)
    job = Job.objects.filter(kind=KIND).order_by("-pk").first()
    if job is None:
        return None
    result = jobs.result_of(job)
    return Check(
        asked_at=job.created_at,
        waits=job.state in _RUNNING,
        events=result.get("events", job.done),
        total=job.total,
        found=result.get("found", 0),
        findings=tuple(result.get("findings", ())),
        error=job.error,
    )


def run(lease: jobs.Lease) -> jobs.Result:
    """The worker's part."""
    total = AuditEvent.objects.count()

    def tick(done: int) -> None:
        if done % TOLD_EVERY == 0:
            jobs.renew(lease, done=done, total=max(done, total))

    jobs.renew(lease, total=total)
    checked = audit_checking.check(tick=tick)
    return {
        "events": checked.events,
        "found": len(checked.findings),
        "findings": [str(one) for one in checked.findings[:MOST_TOLD]],
    }


HANDLER = jobs.Handler(run=run, attempts=2)
