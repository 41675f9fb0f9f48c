"""Noted in the transaction of a change: whose live connections are to end by it, and a job that sees to that.

What counts is the account's JWT before and after, whichever edit it was: deleting, suspending, revoking, a new key,
another role, a signing key that goes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.models import Account, Cluster, Job
from identities.policy.principal import Principal
from identities.services import clock, jobs
from identities.services.kicking import Whom

KIND = "lockout"
MOST_NAMED = 2000
"""Entries that a job names; one of more looks at all revocations that the account has by then."""
MOST_SHOWN = 5
_noted: ContextVar[list[int] | None] = ContextVar("noted", default=None)


def note(
    *,
    principal: Principal,
    account: Account,
    before: Claims[AccountBody],
    after: Claims[AccountBody],
    reason: str,
) -> Job | None:
    """Have the connections ended that the account's new JWT shuts out; None when there are none, or no cluster."""
    whom = of_change(before.nats, after.nats)
    if not whom or not has_clusters(account):
        return None
    named = _names(before.nats, after.nats, {*whom.gone, *whom.changed})
    job = enqueue(principal=principal, account=account, whom=whom, reason=reason, named=named)
    if (seen := _noted.get()) is not None:
        seen.append(job.pk)
    return job


def of_change(before: AccountBody, after: AccountBody) -> Whom:
    """Whom a change of an account shuts out: later revocations, keys that went, roles that say something else."""
    held, keys = before.revocations, {entry.key: entry for entry in after.signing_keys}
    return Whom(
        entries={key: at for key, at in after.revocations.items() if at > held.get(key, -1)},
        gone=tuple(entry.key for entry in before.signing_keys if entry.key not in keys),
        changed=tuple(
            entry.key
            for entry in before.signing_keys
            if entry.key in keys and entry.template != keys[entry.key].template
        ),
    )


def enqueue(
    *,
    principal: Principal,
    account: Account,
    whom: Whom,
    reason: str,
    kick_only: bool = False,
    named: Iterable[str] = (),
) -> Job:
    """A job for the worker. With `kick_only` nobody is kept out: connections end, and may come back.

    `named`: what the keys are called that `whom` is about.
    """
    many = len(whom.entries) > MOST_NAMED
    return jobs.enqueue(
        principal=principal,
        kind=KIND,
        payload={
            "account": [account.operator.public_key, account.public_key],
            "entries": {} if many else dict(whom.entries),
            "many": len(whom.entries) if many else 0,
            "gone": list(whom.gone),
            "changed": list(whom.changed),
            "reason": reason,
            "kick_only": kick_only,
            "named": list(named),
            "at": clock.now().timestamp(),
        },
    )


def _names(before: AccountBody, after: AccountBody, keys: Collection[str]) -> list[str]:
    entries = {entry.key: entry for entry in (*before.signing_keys, *after.signing_keys) if entry.key in keys}
    return [
        f"role “{entry.role}”" if entry.role else f"signing key …{key[-4:]}" for key, entry in entries.items()
    ][:MOST_SHOWN]


def has_clusters(account: Account) -> bool:
    """Whether its operator has a cluster that nscweb reaches."""
    return Cluster.objects.live().filter(operator=account.operator_id).exists()


def whom_of(payload: dict[str, Any], account: AccountBody) -> Whom:
    """Whom a job is about; `account` is what the account says now."""
    entries = account.revocations if payload["many"] else payload["entries"]
    return Whom(entries=entries, gone=tuple(payload["gone"]), changed=tuple(payload["changed"]))


@contextmanager
def watched() -> Iterator[None]:
    """Within, it is remembered which jobs `note` begins, so that `just_noted` tells of these alone."""
    token = _noted.set([])
    try:
        yield
    finally:
        _noted.reset(token)


def just_noted(account: Account) -> Job | None:
    """The job that an edit of the account began since it is `watched`; None when it ends no connection."""
    of_account = Job.objects.filter(kind=KIND, payload__contains=f'"{account.public_key}"')
    return of_account.filter(pk__in=_noted.get() or ()).order_by("-pk").first()


def age_of(job: Job) -> float:
    """How many seconds ago the edit was that a job is about; of one that asks again, the first one's."""
    at = jobs.payload_of(job).get("at") or job.created_at.timestamp()
    return max(0.0, clock.now().timestamp() - float(at))


def may_return(payload: dict[str, Any]) -> bool:
    """Whether those whose connections end may come back: a mere disconnect, or a role that says something else."""
    stays_out = payload["entries"] or payload["many"] or payload["gone"]
    return bool(payload["kick_only"] or (payload["changed"] and not stays_out))


def latest(account: Account) -> list[Job]:
    """The last lockouts and disconnects of an account, newest first."""
    rows = Job.objects.filter(kind=KIND, payload__contains=f'"{account.public_key}"')
    return list(rows.order_by("-pk")[:MOST_SHOWN])
