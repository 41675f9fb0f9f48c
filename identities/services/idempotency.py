"""Writes that are carried out once, however often they are sent with the same key (`Idempotency-Key`).

The answer is committed in the transaction of what it tells of: after a crash either both stand or neither.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction

from identities.errors import IdentityError
from identities.models import ApiCall
from identities.policy.principal import Principal
from identities.services import clock

KEPT = timedelta(hours=24)
ABANDONED = timedelta(minutes=2)
"""After so long without an answer nobody is at it any more: requests end sooner."""


class KeyReused(IdentityError):
    """The key was sent before, with something else."""

    code = "idempotency-key-reused"


class RightsChanged(IdentityError):
    """It was carried out, but the sender holds other roles by now, so its answer may tell what they may not see."""

    code = "idempotency-rights-changed"


class StillRunning(IdentityError):
    """The same request is being carried out at this moment."""

    code = "idempotency-running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer, as it went out the first time."""

    status: int
    headers: Mapping[str, str]
    body: str


def once(*, principal: Principal, key: str, digest: str, act: Callable[[], Kept]) -> Kept:
    """Carry out `act` and keep its answer, or give the answer that was kept. What is refused is not kept.

    Raises:
        KeyReused: another `digest` was sent with this key. RightsChanged: it is done, and the sender held other roles
        then. StillRunning: it is not done yet. And whatever `act` raises.
    """
    taken = _take(principal, key, digest)
    if isinstance(taken, Kept):
        return taken
    try:
        with transaction.atomic():
            answer = act()
            mine = ApiCall.objects.filter(pk=taken.pk, created_at=taken.created_at)
            done = mine.update(status=answer.status, headers=dict(answer.headers), body=answer.body)
            if not done:  # so slow that somebody else has begun it anew: theirs counts
                raise StillRunning("This took too long, and was begun anew meanwhile. Send it again.")
    except BaseException:
        ApiCall.objects.filter(pk=taken.pk, created_at=taken.created_at, status=None).delete()
        raise
    return answer


def forget_old() -> int:
    """Drop the answers that nobody asks for again; how many they were."""
    return ApiCall.objects.filter(created_at__lt=clock.now() - KEPT).delete()[0]


def _take(principal: Principal, key: str, digest: str) -> ApiCall | Kept:
    """The row of a call that is this request's to carry out, or the answer of the one before."""
    moment, rights = clock.now(), _rights(principal)
    try:
        with transaction.atomic():
            return ApiCall.objects.create(
                holder=principal.key, key=key, digest=digest, rights=rights, created_at=moment
            )
    except IntegrityError:
        row = ApiCall.objects.filter(holder=principal.key, key=key).first()
    if row is None:
        raise StillRunning("The same request has just ended. Send it again.")
    if row.digest != digest:
        raise KeyReused("This key was sent before, with another request. Take a fresh key for each request.")
    if row.status is not None:
        if row.rights != rights:
            raise RightsChanged(
                "This was carried out before, and is not done again; but what you may do has changed since, so its "
                "answer is not given again. Read what stands there now."
            )
        return Kept(status=row.status, headers=row.headers, body=row.body)
    if row.created_at > moment - ABANDONED:
        raise StillRunning("The same request is being carried out at this moment. Ask again soon.")
    if not ApiCall.objects.filter(pk=row.pk, created_at=row.created_at).update(
        created_at=moment, rights=rights
    ):
        raise StillRunning("The same request is being carried out at this moment. Ask again soon.")
    row.created_at = moment
    return row


def _rights(principal: Principal) -> str:
    """What the roles that are held come to, as far as the token leaves them: their SHA-256 (hex), in any order."""
    held = {
        json.dumps(
            [each.role, each.kind, each.operator, each.account, each.signing_key, each.names, [*each.tags]]
        )
        for each in principal.roles
    }
    return hashlib.sha256("\n".join(sorted(held)).encode()).hexdigest()
