"""What a worker has heard from servers: connections, use, events, and lockouts done, under way and unproven."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.urls import reverse

from identities.models import Account, Cluster, EventKind, Job, JobState, ServerEvent, Snapshot, User
from identities.services import clock, jobs, kicking, lockouts
from tests import make

SUBJECT = "a-client-with-a-name-that-is-much-longer-than-anybody-would-think-reasonable-and-has-no-blank"


def connection(number: int, user: str) -> dict[str, Any]:
    """One connection as a snapshot keeps it."""
    return {
        "cid": number, "kind": "nats", "user": user, "account": "", "issuer": "", "issued": 1,
        "name": f"billing-{number}", "language": "go", "version": "1.48.0",
        "address": f"192.0.2.{number}:51{number:03}", "since": 1_790_000_000.0,
        "idle": "1s", "rtt": "1ms", "pending": 0 if number % 3 else 70_000, "subscriptions": number,
        "in_messages": 12_345 * number, "in_bytes": 1_234_567 * number, "out_messages": number, "out_bytes": 999,
    }  # fmt: skip


def listing(server: str, *connections: dict[str, Any], total: int = 0) -> dict[str, Any]:
    """One server's connections."""
    return {
        "server": {"name": server, "cluster": "east"},
        "connections": list(connections),
        "total": total or len(connections),
        "now": 0.0,
        "problem": "",
    }


def account_body(users: list[str]) -> dict[str, Any]:
    """What is known of an account with connections of these users."""
    rows = [connection(number, user) for number, user in enumerate(users, 1)]
    rows[0]["name"] = SUBJECT
    use = {"server": {"name": "n1", "cluster": "east"}, "connections": 9, "leaf_nodes": 1, "subscriptions": 44,
           "in_messages": 5, "in_bytes": 6, "out_messages": 7, "out_bytes": 8_000_000, "slow": 2}  # fmt: skip
    return {
        "listings": [listing("n1", *rows[::2], total=900), listing("n2", *rows[1::2])],
        "usage": [use],
        "tiers": [{"tier": "R1", "memory": 5_000, "disk": 9_900_000, "streams": 2, "consumers": 1}],
        "known": [{"server": {"name": "n1", "cluster": "east"}, "expired": True, "complete": False}],
    }


def servers_body(operator: str, issued: int) -> dict[str, Any]:
    """What two servers tell of themselves."""
    seen = [{"key": operator, "issued": issued, "expires": 0}, {"key": operator, "issued": 5, "expires": 6}]
    return {
        "servers": [
            {
                "server": {"name": name, "cluster": "east", "version": "2.15.1"}, "started": 1_790_000_000.0,
                "connections": 12, "subscriptions": 99, "routes": 1, "leaf_nodes": 0, "slow": slow,
                "in_messages": 10**9, "in_bytes": 10**12, "out_messages": 5, "out_bytes": 6,
                "memory": 18_000_000, "cpu": 3.2,
                "jetstream": bool(slow), "js_memory": 0, "js_disk": 10**10, "operators": [seen[slow]],
            }
            for slow, name in enumerate(("n1", "n2"))
        ]
    }  # fmt: skip


def fill(cluster: Cluster, account: Account) -> None:
    """Of `account` and the servers of `cluster`."""
    moment = clock.now()
    users = list(User.objects.live().filter(account=account).order_by("pk")[:5])
    keys = [user.public_key for user in users]
    operator = cluster.operator
    for subject, body in (
        ("", servers_body(operator.public_key, operator.last_iat)),
        (account.public_key, account_body([*keys, *keys])),
        (keys[0], {"listings": [listing("n1", connection(1, keys[0]))]}),
    ):
        Snapshot.objects.create(
            cluster=cluster,
            subject=subject,
            account_key=account.public_key if subject else "",
            wanted_until=moment,
            taken_at=moment,
            asked_at=moment,
            body=json.dumps(body),
        )
    ServerEvent.objects.bulk_create(_events(cluster, account, users))
    _lockouts(account)


def _events(cluster: Cluster, account: Account, users: list[User]) -> Iterator[ServerEvent]:
    moment = clock.now()
    kinds = (EventKind.AUTH_FAILED, EventKind.CONNECTED, EventKind.DISCONNECTED)
    reasons = ("Authentication Failure", "", "Slow Consumer (Pending Bytes)")
    for number in range(60):
        user = users[number % len(users)]
        kind = number % 3
        yield ServerEvent(
            cluster=cluster, kind=kinds[kind], server="n1", account_key=account.public_key, user_key=user.public_key,
            name=SUBJECT if number == 1 else "billing", client="go 1.48.0", address="192.0.2.9", reason=reasons[kind],
            issued=user.last_iat, expires=clock.unix() - 9_000 if number % 2 else 0,
            at=moment - timedelta(minutes=number),
        )  # fmt: skip
    yield ServerEvent(
        cluster=cluster, kind=EventKind.AUTH_FAILED, server="n2", reason="Authentication Timeout", at=moment
    )
    yield ServerEvent(cluster=cluster, kind=EventKind.LOST, server="", reason="1234", at=moment)


def step(**changed: Any) -> dict[str, Any]:
    """What a lockout came to on one cluster."""
    return {
        "cluster": 1, "name": "East", "push": "delivered", "away": [], "looked": True, "problem": "", "proven": True,
        "holdings": [{"server": name, "state": "there", "said": "jwt updated"} for name in ("n1", "n2")],
        "kicks": [
            {"name": name, "found": 2, "kicked": 1, "left": 0, "others": 3, "said": ""} for name in ("n1", "n2")
        ],
        **changed,
    }  # fmt: skip


UNPROVEN = step(
    push="partly",
    away=["n2"],
    proven=False,
    holdings=[
        {"server": "n1", "state": "there", "said": "jwt updated"},
        {"server": "n2", "state": "waiting", "said": ""},
    ],
    kicks=[{"name": "n1", "found": 2, "kicked": 0, "left": 0, "others": 0, "said": kicking.NO_KICK}],
)


def _lockouts(account: Account) -> None:
    whom = kicking.Whom(entries={"*": 1})
    made = [
        lockouts.enqueue(principal=make.COMMAND, account=account, whom=whom, reason=reason)
        for reason in ("Deleted user moritz", "Suspended user on leave", "Replaced the key of user anna")
    ]
    done = {"clusters": [step()], "proven": True}
    unproven = {"clusters": [UNPROVEN, step(name="West", push="failed", looked=False, proven=False,
                                            problem="Nothing listens there.")], "proven": False}  # fmt: skip
    for job, result in zip(made[:2], (done, unproven), strict=True):
        jobs_done(job, result)


def jobs_done(job: Job, result: dict[str, Any]) -> None:
    """The worker is done with a job."""
    Job.objects.filter(pk=job.pk).update(
        state=JobState.DONE, result=json.dumps(result), finished_at=clock.now()
    )


def pages() -> tuple[str, ...]:
    """Pages that show it."""
    row = Snapshot.objects.exclude(subject="").exclude(account_key="").order_by("pk").first()
    assert row is not None
    operator = Cluster.objects.get(pk=row.cluster_id).operator.public_key
    keys = [operator, row.account_key]
    user = Snapshot.objects.filter(account_key=row.account_key).exclude(subject=row.account_key).latest("pk")
    jobs_ = Job.objects.filter(kind=lockouts.KIND).order_by("pk")
    return (
        reverse("account-live", args=keys),
        reverse("account-events", args=keys),
        reverse("user-live", args=[*keys, user.subject]),
        reverse("user-events", args=[*keys, user.subject]),
        reverse("cluster-live", args=[operator, row.cluster_id]),
        reverse("cluster-events", args=[operator, row.cluster_id]),
        *(
            reverse("lockout", args=[*keys, job.pk])
            for job in jobs_
            if jobs.payload_of(job)["account"] == keys
        ),
        reverse("whose"),
    )
