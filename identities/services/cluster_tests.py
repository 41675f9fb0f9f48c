"""Connection tests of clusters: the worker tries every address, and says in plain words what is wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from django.db import transaction

from identities import lookup
from identities.claims.account import AccountBody
from identities.errors import IdentityError
from identities.models import Cluster, Job, Operator, Server, User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.resolver import probing
from identities.resolver.probing import At, Probe
from identities.resolver.surveying import Kind, Seen
from identities.services import audit, changes, clock, clusters, jobs, links, roster

KIND = "cluster-test"
MOST_UNFINISHED = 10
SEARCHED = 1.5
"""A server that refuses a login only after so many seconds has looked for the account's JWT, in vain."""
OK, WARN, BAD = "ok", "warn", "bad"
Finding = Mapping[str, str]
"""`grade` (ok, warn, bad) and `text`."""


def start(*, principal: Principal, cluster: Cluster) -> Job:
    """Have the worker test the connection to a cluster.

    Raises: NoSystemUser: there is nobody to log in as.
    """
    decisions.require(principal, Action.CLUSTER_TEST, clusters.scope(cluster))
    if cluster.user is None:
        raise links.NoSystemUser("There is no system user to log in with. Make or choose one first.")
    if jobs.unfinished(KIND, principal) >= MOST_UNFINISHED:
        raise IdentityError(
            f"You have {MOST_UNFINISHED} connection tests running or waiting. Wait for one to end."
        )
    with transaction.atomic():
        job = jobs.enqueue(principal=principal, kind=KIND, payload={"cluster": cluster.pk})
        audit.record(
            principal,
            Action.CLUSTER_TEST,
            [clusters.target(cluster)],
            f"Tested the connection to cluster “{cluster.name}”",
        )
    return job


def of_cluster(cluster: Cluster, job_id: int) -> Job:
    """The connection test of this number of this cluster. Raises: NotFound."""
    job = Job.objects.filter(pk=job_id, kind=KIND).first()
    if job is None or jobs.payload_of(job)["cluster"] != cluster.pk:
        raise lookup.NotFound(f"There is no connection test {job_id} of “{cluster.name}”.")
    return job


def run(lease: jobs.Lease) -> jobs.Result:
    """The worker's part: log in at every address, and judge what servers tell."""
    rows = Cluster.objects.live().select_related("operator", "user__account__operator")
    cluster = rows.filter(pk=jobs.payload_of(lease.job)["cluster"]).first()
    if cluster is None:
        raise IdentityError("The cluster was removed meanwhile.")
    began, told = time.monotonic(), []
    total = len(cluster.urls.split())

    def on_address(at: At) -> None:
        told.append(_address(cluster, at))
        jobs.renew(lease, done=len(told), total=total, so_far={"at": told})

    with links.login(cluster) as login, links.client_key(cluster) as key:
        found = probing.probe(links.target(cluster, key), login, on_address)
    _remember(cluster, found)
    servers = [_server(cluster.operator, seen) for seen in found.servers]
    return {
        **_summary(found, servers),
        "at": told,
        "servers": servers,
        "problem": found.problem,
        "seconds": round(time.monotonic() - began, 2),
    }


HANDLER = jobs.Handler(run=run, attempts=2)


def reasons(cluster: Cluster, at: At, *, now: int) -> tuple[str, ...]:
    """Why a login that a server refused without a word may have failed: what is known first, then the likeliest."""
    user = cluster.user
    if user is None or not at.refused:
        return ()
    return tuple(_known(user, now)) or tuple(_likely(cluster.operator, user, at))


def judged(operator: Operator, seen: Seen) -> tuple[Finding, ...]:
    """What a server tells of itself, against what is known here: worst first."""
    found = [*_operator(operator, seen), *_system_account(operator, seen), *_resolver(seen)]
    return tuple(sorted(found, key=lambda one: (BAD, WARN, OK).index(one["grade"])))


def _known(user: User, now: int) -> Iterator[str]:
    """What is wrong with the login by what is known here."""
    body: AccountBody = changes.claims_of(user.account).nats
    revoked = max(body.revocations.get(user.public_key, 0), body.revocations.get("*", 0))
    if user.deleted_at is not None:
        yield f"The system user “{user.name}” was deleted here. Make or choose another one."
    if user.expires and user.expires <= now:
        ago = _span(now - user.expires)
        yield f"The JWT of the system user “{user.name}” expired {ago} ago. Renew it."
    if user.last_iat <= revoked:
        yield f"The system user “{user.name}” is revoked in its account. Renew it, or make another one."


def _likely(operator: Operator, user: User, at: At) -> Iterator[str]:
    account = user.account
    other = (
        f"It runs with another operator's key than this operator's, {operator.public_key}: compare the “operator” in "
        "its configuration with this operator's JWT."
    )
    if at.login_seconds >= SEARCHED:
        yield (
            f"It searched for {at.login_seconds:.1f} seconds before it refused: it does not know the system account "
            f"“{account.name}” ({account.public_key}). {other}"
        )
        yield "Or its configuration names another system account, and the JWT of this one was not delivered to it."
        return
    yield other
    if user.issuer != account.public_key:
        yield (
            f"It has an older JWT of the system account “{account.name}”, which does not name the signing key "
            f"{user.issuer} of the system user: give it the new configuration and restart it."
        )
    yield f"Its own JWT of the system account “{account.name}” revokes the system user “{user.name}”, or has expired."


def _operator(operator: Operator, seen: Seen) -> Iterator[Finding]:
    if not seen.operators:
        yield _finding(WARN, "It does not tell which operator it runs with.")
        return
    here, there = changes.claims_of(operator).iat, seen.operators.get(operator.public_key)
    if there is None:
        others = ", ".join(seen.operators)
        yield _finding(BAD, f"It runs with another operator's key: {others}, not {operator.public_key}.")
    elif there < here:
        yield _finding(
            WARN,
            f"It runs with an older JWT of the operator, issued {_span(here - there)} before the one here: "
            "give it the new configuration and restart it.",
        )
    elif there > here:
        yield _finding(
            WARN,
            f"It runs with a newer JWT of the operator, issued {_span(there - here)} after the one here: "
            "somebody edited it elsewhere. Import that one.",
        )
    else:
        yield _finding(OK, "It runs with this operator's current JWT.")


def _system_account(operator: Operator, seen: Seen) -> Iterator[Finding]:
    if seen.system_account and seen.system_account != operator.system_account:
        yield _finding(
            BAD,
            f"Its system account is {seen.system_account}, this operator's is {operator.system_account or 'none'}: "
            "make them the same in its configuration, and restart it.",
        )


def _resolver(seen: Seen) -> Iterator[Finding]:
    if seen.kind is Kind.FULL:
        yield _finding(OK, "Full resolver: it stores what is delivered, and tells its neighbours.")
    elif seen.kind is Kind.CACHE:
        yield _finding(
            WARN, "Cache resolver: it holds accounts that are in use, and asks others for the rest."
        )
    elif seen.kind is Kind.OTHER:
        yield _finding(
            WARN,
            "MEMORY or URL resolver: what is delivered counts only for accounts in use, and until the next restart "
            "or reload. A MEMORY resolver then has only what its configuration preloads: give it the present one. A "
            "URL resolver fetches accounts anew then.",
        )
    else:
        yield _finding(WARN, "Which resolver it has can't be told from its answers.")
    if seen.allow_delete and seen.kind is Kind.FULL:
        yield _finding(OK, "Accounts can be deleted there.")
    if seen.allow_delete is False:
        yield _finding(
            WARN,
            "Accounts can't be deleted there: set “allow_delete: true” in its resolver, and restart it.",
        )


def _remember(cluster: Cluster, found: Probe) -> None:
    """Put the servers that answered onto the roster."""
    if found.servers and not found.problem:
        rows = {(row.name, row.nats_cluster): row for row in Server.objects.filter(cluster=cluster)}
        roster.write(cluster, found.servers, rows=rows, moment=clock.now(), described=True)


def _summary(found: Probe, servers: list[dict[str, Any]]) -> dict[str, Any]:
    reached = sum(at.ok for at in found.at)
    grades = {one["grade"] for server in servers for one in server["findings"]}
    if not reached:
        return {"ok": False, "summary": "No address leads to a server that lets us in."}
    answers = f"{len(servers)} server{'s' if len(servers) != 1 else ''} answered."
    if reached < len(found.at):
        return {"ok": False, "summary": f"{reached} of {len(found.at)} addresses work. {answers}"}
    if BAD in grades or found.problem:
        return {"ok": False, "summary": f"We were let in, but not all is as it should be. {answers}"}
    if WARN in grades:
        return {"ok": True, "summary": f"It works, with something to know. {answers}"}
    return {"ok": True, "summary": f"It works. {answers}"}


def _address(cluster: Cluster, at: At) -> dict[str, Any]:
    return {
        "url": at.url,
        "ok": at.ok,
        "server": at.server,
        "steps": [
            {"name": step.name, "ok": step.ok, "text": step.text, "said": step.said} for step in at.steps
        ],
        "reasons": list(reasons(cluster, at, now=clock.unix())),
    }


def _server(operator: Operator, seen: Seen) -> dict[str, Any]:
    return {
        "name": seen.info.name,
        "cluster": seen.info.cluster,
        "version": seen.info.version,
        "findings": [dict(one) for one in judged(operator, seen)],
    }


def _finding(grade: str, text: str) -> Finding:
    return {"grade": grade, "text": text}


def _span(seconds: int) -> str:
    """A length of time in its largest unit."""
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            number = seconds // size
            return f"{number} {unit}{'s' if number != 1 else ''}"
    return f"{seconds} second{'s' if seconds != 1 else ''}"
