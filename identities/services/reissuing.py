"""Reissue: what a plan says, and the worker's part where many are signed anew.

Each work is planned first and shown; what must stand or fall together is one transaction; users and accounts that only
follow are signed in chunks, by the worker when they are many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from identities import lookup
from identities.errors import IdentityError
from identities.models import Account, Job, JobState, Operator
from identities.policy.principal import Principal, Way
from identities.services import audit, changes, jobs, resigning, resigning_accounts

KIND = "reissue"
AT_ONCE = resigning.CHUNK
"""Up to so many users are signed in the request itself."""
NAMED_LEFT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a reissue would do, in words: what is signed anew, what does not move, and why it can't be done (if so).

    `followers` says how many users or accounts are signed one by one.
    """

    moves: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    followers: int = 0

    def refuse(self) -> None:
        """Raise what stands against it.

        Raises:
            IdentityError: the first refusal.
        """
        if self.refusals:
            raise IdentityError(self.refusals[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What followed at once, for the audit, and what was left as it was; or the job that does it."""

    signed: tuple[audit.Target, ...] = ()
    left: tuple[resigning.Left, ...] = ()
    job: Job | None = None

    def refuse_nothing(self) -> None:
        """Raise where all was left: there is nothing to keep of it.

        Raises:
            IdentityError: why they were left.
        """
        if self.left and not self.signed:
            raise IdentityError(f"Nothing was signed. {' '.join(whys(self.left))}")


def follow_users(
    *, principal: Principal, account: Account, wanted: resigning.Wanted, count: int, reason: str
) -> Followed:
    """Sign the users that `wanted` names: at once when they are few, else as a job; in the caller's transaction."""
    if not count:
        return Followed()
    if count > AT_ONCE:
        payload = {"account": account.pk, **asdict(wanted), "total": count, "reason": reason}
        return Followed(job=jobs.enqueue(principal=principal, kind=KIND, payload=payload))

    def step(after: int) -> resigning.Chunk | None:
        return resigning.sign_unaudited(
            principal=principal, account=account, wanted=wanted, after=after, reason=reason
        )

    return _followed(step)


def follow_accounts(
    *, principal: Principal, operator: Operator, source: str, target: str, count: int, reason: str
) -> Followed:
    """Sign the accounts that `source` issued, likewise; by `target`, or by whatever signs accounts of the operator."""
    wanted = {"source": source, "target": target, "reason": reason}
    if not count:
        return Followed()
    if count > resigning_accounts.CHUNK:
        payload = {"operator": operator.pk, **wanted, "total": count}
        return Followed(job=jobs.enqueue(principal=principal, kind=KIND, payload=payload))

    def step(after: int) -> resigning.Chunk | None:
        return resigning_accounts.sign_unaudited(
            principal=principal, operator=operator, after=after, **wanted
        )

    return _followed(step)


def whys(left: Iterable[resigning.Left]) -> list[str]:
    """Why they were left, each reason once."""
    return list(dict.fromkeys(one.why for one in left))


def refuse_while_running(row: Operator | Account) -> None:
    """Raise while users or accounts of `row` are still being signed anew: they would be lost on the way.

    Raises:
        IdentityError: such a job waits or runs.
    """
    waiting = Job.objects.filter(kind=KIND, state__in=[JobState.QUEUED, JobState.RUNNING])
    for job in waiting:
        if _holder_of(job) == (type(row), row.pk):
            raise IdentityError(
                f"What stands below “{row.name}” is still being signed anew by the worker. Wait until that is done."
            )


def job_of(row: Operator | Account, job_id: int) -> Job:
    """The job of this number that signs what stands below `row`.

    Raises:
        NotFound: there is none.
    """
    job = Job.objects.filter(pk=job_id, kind=KIND).first()
    if job is None or _holder_of(job) != (type(row), row.pk):
        raise lookup.NotFound(f"There is no reissue {job_id} of “{row.name}”.")
    return job


def run(lease: jobs.Lease) -> jobs.Result:
    """The worker's part: chunk by chunk; begun again after a fault it passes over what is done."""
    payload = jobs.payload_of(lease.job)
    step = _users_step(lease.job, payload) if "account" in payload else _accounts_step(lease.job, payload)
    signed, left = 0, list[resigning.Left]()
    try:
        for chunk in _chunks(step):
            signed += len(chunk.signed)
            left += chunk.left
            jobs.renew(lease, done=min(signed + len(left), payload["total"]), total=payload["total"])
    except changes.StaleWrite as stale:  # no version is asked for: it is gone
        raise IdentityError(
            f"“{stale.current.name}” was deleted meanwhile: there is nothing left to sign."
        ) from None
    names = [one.name for one in left[:NAMED_LEFT]]
    return {"signed": signed, "left": names, "left_count": len(left), "why": whys(left)}


HANDLER = jobs.Handler(run=run)


def _followed(step: Callable[[int], resigning.Chunk | None]) -> Followed:
    chunks = list(_chunks(step))
    return Followed(
        signed=tuple(target for chunk in chunks for target in chunk.signed),
        left=tuple(one for chunk in chunks for one in chunk.left),
    )


def _chunks(step: Callable[[int], resigning.Chunk | None]) -> Iterator[resigning.Chunk]:
    after = 0
    while (chunk := step(after)) is not None:
        yield chunk
        after = chunk.last


def _users_step(job: Job, payload: Mapping[str, Any]) -> Callable[[int], resigning.Chunk | None]:
    account = Account.objects.get(pk=payload["account"])
    wanted = resigning.Wanted(old=payload["old"], source=payload["source"], target=payload["target"])
    return lambda after: resigning.sign_chunk(
        principal=_on_behalf(job), account=account, wanted=wanted, after=after, reason=payload["reason"]
    )


def _accounts_step(job: Job, payload: Mapping[str, Any]) -> Callable[[int], resigning.Chunk | None]:
    operator = Operator.objects.get(pk=payload["operator"])
    return lambda after: resigning_accounts.sign_chunk(
        principal=_on_behalf(job),
        operator=operator,
        source=payload["source"],
        target=payload["target"],
        after=after,
        reason=payload["reason"],
    )


def _on_behalf(job: Job) -> Principal:
    """Whoever started it, by way of the worker: they were allowed to, then."""
    return replace(Principal.worker(), key=job.by, name=job.by_name, way=Way.WORKER)


def _holder_of(job: Job) -> tuple[type[Operator | Account], int]:
    payload = jobs.payload_of(job)
    return (Account, payload["account"]) if "account" in payload else (Operator, payload["operator"])
