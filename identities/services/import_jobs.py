"""Imports from the pages: a worker plans what was uploaded, a person looks at it, a worker brings it in."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet

from identities import lookup
from identities.errors import IdentityError
from identities.models import Job, JobState
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit, clock, import_fetching, import_sources, importing, jobs, uploads
from identities.services.import_items import Choices
from identities.services.import_reading import Collected, Collector
from identities.services.import_summaries import Summary

PLAN = "import-plan"
IMPORT = "import"
MOST_UNFINISHED = 3
"""Imports that one person may have waiting or running."""
TOLD_EVERY = 0.5
SHOWN = 20


def begin(*, principal: Principal, upload: str, url: str = "", under: str = "") -> Job:
    """Have a worker plan the import of an upload, and of what is at `url`; nothing comes in yet.

    `under`: the key of the operator here that accounts without a known operator are to belong to.

    Raises:
        Forbidden: this principal may import nowhere. IdentityError: an address that nothing may be fetched from; too
            many at once.
    """
    importing.require(principal)
    if url:
        import_fetching.check(url)
    if jobs.unfinished(PLAN, principal) + jobs.unfinished(IMPORT, principal) >= MOST_UNFINISHED:
        raise IdentityError(f"You have {MOST_UNFINISHED} imports waiting or running. Wait for one to end.")
    labels = [part.label for part in uploads.parts(upload)]
    with transaction.atomic():
        job = jobs.enqueue(
            principal=principal,
            kind=PLAN,
            payload={"upload": upload, "labels": labels, "url": url, "under": under},
        )
        named = ", ".join([*labels, *([url] if url else [])])
        audit.record(principal, Action.JWT_ADOPT, [], f"Uploaded for an import: {named}")
    return job


def start(*, principal: Principal, plan: Job, choices: Choices) -> Job:
    """Have a worker bring in what was planned.

    Raises: UploadGone: it was a day ago. IdentityError: it was started before.
    """
    importing.require(principal)
    asked = jobs.payload_of(plan)
    uploads.parts(asked["upload"])
    with transaction.atomic():
        locked = Job.objects.select_for_update().get(pk=plan.pk)
        if (
            locked.state != JobState.DONE
            or _of_upload(asked["upload"]).exclude(state=JobState.FAILED).exists()
        ):
            raise IdentityError("This import was started already. Its report is among the imports of late.")
        chosen = {
            "leave": sorted(choices.leave),
            "renames": dict(choices.renames),
            "resign": sorted(choices.resign),
        }
        payload = {"upload": asked["upload"], "labels": asked["labels"], "under": asked["under"], **chosen}
        job = jobs.enqueue(principal=principal, kind=IMPORT, payload=payload)
        audit.record(principal, Action.JWT_ADOPT, [], f"Started the import of {', '.join(asked['labels'])}")
    return job


def discard(*, principal: Principal, plan: Job) -> None:
    """Throw away what was uploaded."""
    importing.require(principal)
    asked = jobs.payload_of(plan)
    if _of_upload(asked["upload"]).filter(state__in=[JobState.QUEUED, JobState.RUNNING]).exists():
        raise IdentityError("It is being imported right now.")
    with transaction.atomic():
        audit.record(
            principal, Action.JWT_ADOPT, [], f"Threw away the upload of {', '.join(asked['labels'])}"
        )
    uploads.forget(asked["upload"])


def of(principal: Principal, number: int) -> Job:
    """A plan or import that this principal may see: their own, or any for whoever may import everywhere.

    Raises: NotFound.
    """
    job = Job.objects.filter(pk=number, kind__in=[PLAN, IMPORT]).first()
    if job is None or (job.by != principal.key and not importing.may_everywhere(principal)):
        raise lookup.NotFound(f"There is no import {number}.")
    return job


def of_late(principal: Principal) -> list[Job]:
    """The last plans and imports that this principal may see, the latest first."""
    rows = Job.objects.filter(kind__in=[PLAN, IMPORT]).order_by("-pk")
    if not importing.may_everywhere(principal):
        rows = rows.filter(by=principal.key)
    return list(rows[:SHOWN])


def run_plan(lease: jobs.Lease) -> jobs.Result:
    """The worker's part of a plan."""
    asked = jobs.payload_of(lease.job)
    try:
        principal = jobs.principal_of(lease.job)
        if asked["url"] and not any(part.label == asked["url"] for part in uploads.parts(asked["upload"])):
            _tell(lease, f"Asking {asked['url']}…")
            under = asked["under"]
            for label, data in import_fetching.fetched(asked["url"], operator=under):
                uploads.add(asked["upload"], label, data)
        collected = _read(lease, asked["upload"], seal=False)
        _tell(lease, "Comparing with what is here…")
        return importing.plan(principal=principal, collected=collected, choices=Choices(under=asked["under"]))
    except IdentityError:
        uploads.forget(asked["upload"])
        raise


def run_import(lease: jobs.Lease) -> None:
    """The worker's part of an import; its report is written together with everything else."""
    asked = jobs.payload_of(lease.job)
    principal = jobs.principal_of(lease.job)
    collected = _read(lease, asked["upload"], seal=True)
    _tell(lease, "Writing…")
    choices = Choices(
        under=asked["under"],
        leave=frozenset(asked["leave"]),
        renames=asked["renames"],
        resign=frozenset(asked["resign"]),
    )
    importing.perform(
        principal=principal,
        collected=collected,
        choices=choices,
        finish=lambda report: jobs.finish(lease, report),
    )
    uploads.forget(asked["upload"])


HANDLERS: Mapping[str, jobs.Handler] = {
    PLAN: jobs.Handler(run=run_plan, attempts=3),
    IMPORT: jobs.Handler(run=run_import),
}


def tidy() -> int:
    """Remove uploads that nothing waits for any more: whatever their worker was doing when it was killed."""
    since = clock.now() - timedelta(seconds=uploads.KEPT_SECONDS)
    needed: set[str] = set()
    done: set[str] = set()
    for job in Job.objects.filter(kind__in=[PLAN, IMPORT], created_at__gte=since):
        upload = jobs.payload_of(job)["upload"]
        open_ = job.state in (JobState.QUEUED, JobState.RUNNING)
        if job.kind == IMPORT and job.state == JobState.DONE:
            done.add(upload)
        elif open_ or job.kind == IMPORT or job.state == JobState.DONE:
            needed.add(upload)
    for upload in done:
        uploads.forget(upload)
    return uploads.tidy(frozenset(needed - done))


def labels_of(job: Job) -> Sequence[str]:
    """What was uploaded, as people called it."""
    asked = jobs.payload_of(job)
    return [*asked["labels"], *([asked["url"]] if asked.get("url") else [])]


def started_from(plan: Job) -> Job | None:
    """The import that was started from a plan, the latest."""
    return _of_upload(jobs.payload_of(plan)["upload"]).order_by("-pk").first()


def _of_upload(upload: str) -> QuerySet[Job]:
    return Job.objects.filter(kind=IMPORT, payload__contains=f'"{upload}"')


def _read(lease: jobs.Lease, upload: str, *, seal: bool) -> Collected:
    collector = Collector(seal=seal)
    told = [0.0]

    def tick(done: int, total: int) -> None:
        if time.monotonic() - told[0] >= TOLD_EVERY:
            told[0] = time.monotonic()
            files = collector.collected.files
            jobs.renew(lease, done=done, total=total, so_far={"stage": f"Reading: {files:,} files so far…"})

    import_sources.upload(collector, upload, tick)
    return collector.finished()


def _tell(lease: jobs.Lease, stage: str) -> None:
    so_far: Summary = {"stage": stage}
    jobs.renew(lease, so_far=so_far)
