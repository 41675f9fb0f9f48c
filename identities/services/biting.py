"""Lockouts that bite: wait until servers have the account's new JWT, kick whom it shuts out, prove that none is left.

Runs in the worker. Its result fills in step by step; what can't be proven (a server that is away, one that refused the
JWT) is said, never passed over.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import transaction

from identities import lookup
from identities.errors import IdentityError
from identities.models import Account, Cluster, Delivery, DeliveryState, Holding, HoldingState, Job, User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.resolver.errors import ResolverError
from identities.services import accounts, audit, changes, jobs, kicking, links, lockouts, roster, users
from identities.services.kicking import Whom

PATIENCE: Final = 25.0
"""Seconds that a delivery is waited for."""
LOOK_EVERY: Final = 0.25
ALWAYS: Final = 2**62
_THERE = frozenset({HoldingState.SAME, HoldingState.LAZY, HoldingState.EXPIRED})
_NEWER = frozenset({HoldingState.NEWER, HoldingState.DIFFERENT})


@dataclass(slots=True)
class Step:
    """How far one cluster is. `push` is waiting, delivered, partly, failed, held (servers hold a newer JWT, so that
    nothing was sent) or kick (nothing is to be delivered); each server with what it holds.
    """

    cluster: int
    name: str
    push: str = "waiting"
    holdings: list[dict[str, str]] = field(default_factory=list)
    away: list[str] = field(default_factory=list)
    kicks: list[kicking.OnServer] = field(default_factory=list)
    looked: bool = False
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        """For a job's result."""
        return {
            "cluster": self.cluster,
            "name": self.name,
            "push": self.push,
            "holdings": self.holdings,
            "away": self.away,
            "kicks": [one.as_json() for one in self.kicks],
            "looked": self.looked,
            "problem": self.problem,
            "proven": self.is_proven,
        }

    @property
    def is_proven(self) -> bool:
        """True when every server of the roster has the JWT, was asked, and has none of the connections left."""
        asked = {one.name for one in self.kicks if not one.said or one.said == kicking.NO_KICK}
        known = {one["server"] for one in self.holdings} or asked
        none_left = self.looked and bool(self.kicks) and not any(one.left for one in self.kicks)
        return none_left and not self.away and self.push in ("delivered", "kick") and known <= asked


def disconnect(*, principal: Principal, user: User) -> Job:
    """Have the live connections of a user ended. Its client comes back at once, unless it is revoked.

    Raises: IdentityError: its operator has no cluster.
    """
    decisions.require(principal, Action.USER_DISCONNECT, users.scope(user))
    account = user.account
    if not lockouts.has_clusters(account):
        raise IdentityError("nscweb reaches no server of this operator. Add a cluster first.")
    with transaction.atomic():
        job = lockouts.enqueue(
            principal=principal,
            account=account,
            whom=Whom(entries={user.public_key: ALWAYS}),
            reason=f"Disconnected user {user.name}",
            kick_only=True,
        )
        audit.record(
            principal,
            Action.USER_DISCONNECT,
            [users.target(user, account)],
            f"Disconnected user “{user.name}” of “{account.name}”",
        )
    return job


def of_account(account: Account, job_id: int) -> Job:
    """The lockout of this number that is about the account.

    Raises: NotFound: there is none.
    """
    job = Job.objects.filter(pk=job_id, kind=lockouts.KIND).first()
    if job is None or jobs.payload_of(job)["account"][1] != account.public_key:
        raise lookup.NotFound(f"There is no lockout {job_id} of “{account.name}”.")
    return job


def again(*, principal: Principal, account: Account, job: Job) -> Job:
    """Look and kick once more for the same people, after a server came back or a delivery got through."""
    decisions.require(principal, Action.USER_DISCONNECT, accounts.scope(account))
    payload = jobs.payload_of(job)
    with transaction.atomic():
        job = jobs.enqueue(principal=principal, kind=lockouts.KIND, payload=payload)
        summary = f"Looked again for connections of “{account.name}” that are to end: {payload['reason']}"
        audit.record(principal, Action.USER_DISCONNECT, [accounts.target(account)], summary)
    return job


def run(lease: jobs.Lease) -> jobs.Result:
    """The worker's part: cluster by cluster, those first whose servers have the JWT first."""
    payload = jobs.payload_of(lease.job)
    account = lookup.account(Principal.worker(), *payload["account"])
    whom = lockouts.whom_of(payload, changes.claims_of(account).nats)
    clusters = list(Cluster.objects.live().filter(operator=account.operator_id).order_by("name", "pk"))
    steps = {cluster.pk: Step(cluster.pk, cluster.name) for cluster in clusters}
    if payload["kick_only"]:
        for step in steps.values():
            step.push = "kick"
    deadline = time.monotonic() + PATIENCE
    waiting = clusters
    while waiting:
        late = time.monotonic() > deadline
        for cluster in waiting:
            step = steps[cluster.pk]
            if step.push != "kick":
                _look_at_delivery(step, cluster, account)
            if step.push != "waiting" or late:
                _bite(step, cluster, account, whom, lockouts.age_of(lease.job))
                jobs.renew(lease, so_far=_result(steps))
        waiting = [
            cluster for cluster in waiting if not (steps[cluster.pk].looked or steps[cluster.pk].problem)
        ]
        if waiting:
            jobs.renew(lease, so_far=_result(steps))
            time.sleep(LOOK_EVERY)
    return _result(steps)


HANDLER = jobs.Handler(run=run)


def _look_at_delivery(step: Step, cluster: Cluster, account: Account) -> None:
    """Read the rows that delivery writes: which servers have the account's current JWT."""
    delivery = Delivery.objects.filter(cluster=cluster, account_key=account.public_key).first()
    text = Account.objects.values_list("token__text", flat=True).get(pk=account.pk)
    digest = hashlib.sha256((text or "").encode()).hexdigest()
    here, away = roster.split(cluster)
    rows = Holding.objects.filter(server__in=[*here, *away], account_key=account.public_key)
    held = {row.server_id: row for row in rows}
    step.away = [server.name for server in away]
    stand = delivery.state if delivery is not None else ""
    step.holdings = [
        {"server": server.name, **_holding(held.get(server.pk), digest, stand)} for server in (*here, *away)
    ]
    states = [one["state"] for one in step.holdings[: len(here)]]
    done = (
        delivery is not None
        and delivery.state == DeliveryState.DONE
        and delivery.delivered >= delivery.generation
    )
    if delivery is None:
        step.push, step.problem = "failed", "Nothing is delivered to this cluster for this account."
    elif done or (states and all(state == "there" for state in states)):
        step.push = "partly" if away else "delivered"
    elif delivery.state == DeliveryState.HELD:
        step.push = "held"
    elif delivery.state == DeliveryState.REFUSED:
        step.push, step.problem = "failed", delivery.problem


def _holding(row: Holding | None, digest: str, stand: str) -> dict[str, str]:
    """What a server makes of the account's current JWT; while its delivery waits, words are of an earlier one."""
    if row is not None and row.state in _THERE and row.digest in ("", digest):
        return {"state": "there", "said": row.said}
    if stand == DeliveryState.HELD:
        newer = row is not None and row.state in _NEWER
        return {"state": "newer" if newer else "held", "said": ""}
    if row is not None and stand == DeliveryState.REFUSED and row.state == HoldingState.REFUSED:
        return {"state": "refused", "said": row.said}
    return {"state": "waiting", "said": ""}


def _bite(step: Step, cluster: Cluster, account: Account, whom: Whom, edited_for: float) -> None:
    """Kick, unless the servers don't have the JWT (whoever is kicked then comes back), and look who is left."""
    try:
        with links.linked(cluster) as link:
            step.kicks = kicking.end(
                link,
                whom,
                account=account.public_key,
                expect=len(roster.split(cluster)[0]),
                kick=step.push in ("kick", "delivered", "partly"),
                edited_for=edited_for,
                may_return=step.push == "kick",
            )
            step.looked = True
    except ResolverError as refused:
        step.problem = refused.user_message
    except links.NoSystemUser as missing:
        step.problem = missing.user_message


def _result(steps: dict[int, Step]) -> dict[str, Any]:
    shown = [step.as_json() for step in steps.values()]
    return {"clusters": shown, "proven": bool(shown) and all(one["proven"] for one in shown)}
