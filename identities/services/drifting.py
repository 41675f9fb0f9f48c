"""What is done about drift: compare now, deliver what is missing or older, adopt what is newer or not ours.

Servers are talked to by the worker alone; pages read what it found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from identities.claims import codec
from identities.errors import IdentityError
from identities.models import Account, Cluster, Holding, HoldingState, Job, JobState
from identities.nkeys import KeyKind, is_public
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.queries import drift
from identities.resolver import messages
from identities.resolver.system import SystemLink
from identities.services import audit, clock, comparing, importing, jobs, links, outbox
from identities.services.import_items import Choices
from identities.services.import_reading import Collector

COMPARE = "drift-compare"
ADOPT = "drift-adopt"
OURS_IS_NEWER = (HoldingState.MISSING, HoldingState.DELETED, HoldingState.OLDER)
"""States that a delivery of ours ends; not `drift.lacking` of them, but `drift.outlived` besides."""
DRIFT = (
    *OURS_IS_NEWER,
    HoldingState.NEWER,
    HoldingState.DIFFERENT,
    HoldingState.EXTRA,
    HoldingState.REFUSED,
    HoldingState.UNKNOWN,
)
"""States that somebody should look at."""


def compare(*, principal: Principal, cluster: Cluster) -> Job:
    """Have a worker compare what the servers hold with what they are to hold; one comparison at a time."""
    decisions.require(principal, Action.CLUSTER_COMPARE, Scope(operator=cluster.operator_id))
    with transaction.atomic():
        running = _of(cluster, COMPARE).filter(state__in=[JobState.QUEUED, JobState.RUNNING]).first()
        if running is not None:
            return running
        job = jobs.enqueue(principal=principal, kind=COMPARE, payload={"cluster": cluster.pk})
        audit.record(
            principal, Action.CLUSTER_COMPARE, [_target(cluster)], f"Compared the servers of “{cluster.name}”"
        )
    return job


def when_due(cluster: Cluster) -> Job | None:
    """Have a worker compare a cluster again once its last comparison is old; the job, None when it is not.

    Nobody asked for it, so it leaves no audit event: nothing is changed by looking.
    """
    minutes = settings.NSCWEB_COMPARE_MINUTES
    last = cluster.compared_at
    if not minutes or (last is not None and clock.now() - last < timedelta(minutes=minutes)):
        return None
    begun = _of(cluster, COMPARE).filter(created_at__gt=clock.now() - timedelta(minutes=minutes))
    if begun.exists():
        return None
    return jobs.enqueue(principal=Principal.worker(), kind=COMPARE, payload={"cluster": cluster.pk})


def deliver(*, principal: Principal, cluster: Cluster) -> int:
    """Have every account delivered of which a server holds an older JWT, or none (any more); how many they are."""
    decisions.require(principal, Action.ACCOUNT_EDIT, Scope(operator=cluster.operator_id))
    with transaction.atomic():
        held = Holding.objects.filter(
            (Q(state__in=OURS_IS_NEWER) & ~drift.lacking()) | drift.outlived(cluster, clock.unix()),
            server__cluster=cluster,
        )
        live = Account.objects.live().filter(operator=cluster.operator_id)
        keys = list(
            live.filter(public_key__in=held.values("account_key")).values_list("public_key", flat=True)
        )
        if keys:
            outbox.wake(principal=principal, operator=cluster.operator_id, keys=keys)
            number = f"{len(keys):,} account{'s' if len(keys) != 1 else ''}"
            audit.record(
                principal,
                Action.CLUSTER_COMPARE,
                [_target(cluster)],
                f"Delivers {number} to “{cluster.name}” again: servers held older JWTs, or none",
            )
    return len(keys)


def adopt(*, principal: Principal, cluster: Cluster, account_key: str) -> Job:
    """Have a worker fetch the JWT that the servers hold of an account, and take it over: to the byte.

    Raises: IdentityError: no account's key.
    """
    decisions.require(principal, Action.JWT_ADOPT, Scope(operator=cluster.operator_id))
    if not is_public(account_key, KeyKind.ACCOUNT):
        raise IdentityError(f"{account_key[:60]} is no account's public key.")
    with transaction.atomic():
        job = jobs.enqueue(
            principal=principal, kind=ADOPT, payload={"cluster": cluster.pk, "account": account_key}
        )
        said = f"Adopts the JWT of {account_key} that the servers of “{cluster.name}” hold"
        audit.record(principal, Action.JWT_ADOPT, [_target(cluster)], said)
    return job


def latest(cluster: Cluster) -> Job | None:
    """The last comparison that somebody asked for."""
    return _of(cluster, COMPARE).order_by("-pk").first()


def adoption(cluster: Cluster, account_key: str) -> Job | None:
    """The last adoption of an account's JWT from these servers."""
    return _of(cluster, ADOPT).filter(payload__contains=f'"{account_key}"').order_by("-pk").first()


def run_compare(lease: jobs.Lease) -> jobs.Result:
    """The worker's part of a comparison."""
    cluster = _cluster(lease)
    with links.linked(cluster) as link:
        return {"counts": dict(comparing.compare(cluster, link))}


def run_adopt(lease: jobs.Lease) -> None:
    """The worker's part of an adoption; its report is written together with what came in."""
    asked = jobs.payload_of(lease.job)
    cluster = _cluster(lease)
    with links.linked(cluster) as link:
        text = _held(link, asked["account"])
    collector = Collector(seal=False)
    collector.text(f"what cluster “{cluster.name}” holds", text.encode())
    importing.perform(
        principal=jobs.principal_of(lease.job),
        collected=collector.finished(),
        choices=Choices(under=cluster.operator.public_key),
        finish=lambda report: jobs.finish(lease, report),
    )


HANDLERS: Mapping[str, jobs.Handler] = {
    COMPARE: jobs.Handler(run=run_compare, attempts=2),
    ADOPT: jobs.Handler(run=run_adopt, attempts=2),
}


def _held(link: SystemLink, account: str) -> str:
    """The newest valid JWT of the account that any server has."""
    looked = link.ask(messages.of_account(account, "CLAIMS.LOOKUP"), expect=0).payloads
    infos = link.ask(messages.of_account(account, "INFO"), expect=0, seconds=link.target.request_seconds / 2)
    told = [answer.data.get("jwt") for answer in infos.answers if isinstance(answer.data, dict)]
    texts = [payload.decode("utf-8", "replace") for payload in looked]
    found = _readable([*texts, *(text for text in told if isinstance(text, str))], account)
    if not found:
        raise IdentityError("No server gave a JWT of this account that verifies.")
    return max(found, key=lambda token: token.claims.iat).text


def _readable(texts: Sequence[str], account: str) -> list[codec.Token]:
    found = []
    for text in dict.fromkeys(filter(None, texts)):
        try:
            token = codec.decode(text)
        except IdentityError:
            continue
        if token.claims.sub == account:
            found.append(token)
    return found


def _cluster(lease: jobs.Lease) -> Cluster:
    number = jobs.payload_of(lease.job)["cluster"]
    found = Cluster.objects.live().select_related("operator").filter(pk=number).first()
    if found is None:
        raise IdentityError("This cluster was removed.")
    return found


def _of(cluster: Cluster, kind: str) -> QuerySet[Job]:
    """Jobs of this kind about the cluster: its number stands first in their payload, before a comma or the end."""
    begun = f'{{"cluster": {cluster.pk}'
    return Job.objects.filter(kind=kind).filter(Q(payload=f"{begun}}}") | Q(payload__startswith=f"{begun}, "))


def _target(cluster: Cluster) -> audit.Target:
    return audit.Target(
        kind="cluster", key=str(cluster.pk), name=cluster.name, operator_key=cluster.operator.public_key
    )
