"""What hangs on an account before it is deleted from servers: who is connected, what JetStream keeps for it.

The worker asks every server of every cluster; a page shows what it heard.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db import transaction

from identities.errors import IdentityError
from identities.models import Cluster, Job, Operator
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.resolver import claims_requests
from identities.resolver.claims_requests import ServerKey
from identities.resolver.messages import Answer
from identities.services import audit, jobs, links, roster
from identities.services.delivering_roster import key_of

KIND = "account-stakes"
MOST_STREAMS = 50


def ask(*, principal: Principal, operator: Operator, public_key: str) -> Job:
    """Have a worker ask the servers what hangs on an account."""
    decisions.require(principal, Action.ACCOUNT_DELETE, Scope(operator=operator.pk))
    with transaction.atomic():
        job = jobs.enqueue(principal=principal, kind=KIND, payload=_payload(operator, public_key))
        target = audit.Target(
            kind="account", key=public_key, name=public_key, operator_key=operator.public_key
        )
        said = f"Asked the servers of “{operator.name}” what hangs on account {public_key}"
        audit.record(principal, Action.ACCOUNT_DELIVER, [target], said)
    return job


def latest(operator: Operator, public_key: str) -> Job | None:
    """The last time that somebody asked about the account."""
    asked = json.dumps(_payload(operator, public_key), ensure_ascii=False)
    return Job.objects.filter(kind=KIND, payload=asked).order_by("-pk").first()


def run(lease: jobs.Lease) -> jobs.Result:
    """The worker's part."""
    payload = jobs.payload_of(lease.job)
    clusters = Cluster.objects.live().filter(operator_id=payload["operator"])
    rows = clusters.select_related("operator", "user").order_by("name_fold")
    return {"clusters": [_cluster(cluster, payload["account"]) for cluster in rows]}


HANDLERS: Mapping[str, jobs.Handler] = {KIND: jobs.Handler(run=run, attempts=2)}


def _cluster(cluster: Cluster, account: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": cluster.name, "problem": "", "servers": 0, "silent": [], "connections": 0, "leafnodes": 0, "bytes": 0,
        "streams": [], "stream_count": 0,
    }  # fmt: skip
    try:
        with links.linked(cluster) as link:
            here = roster.refresh(cluster, link)
            infos, stored = claims_requests.stakes(link, account, servers=len(here))
    except IdentityError as refused:
        return {**found, "problem": refused.user_message}
    found["servers"] = len(here)
    told = _who(infos) & _who(stored)
    found["silent"] = [row.name for row in cluster.servers.order_by("name") if key_of(row) not in told]
    for info in infos:
        data = info.data if info.ok and isinstance(info.data, Mapping) else {}
        found["connections"] += _number(data.get("client_connections"))
        found["leafnodes"] += _number(data.get("leafnode_connections"))
    streams: dict[str, int] = {}
    for answer in stored:  # a stream's replicas are told by several servers
        for name, size in _streams(answer):
            streams[name] = max(size, streams.get(name, 0))
    found["streams"] = sorted(streams)[:MOST_STREAMS]
    found["stream_count"] = len(streams)
    found["bytes"] = sum(streams.values())
    return found


def _who(answers: Iterable[Answer]) -> set[ServerKey]:
    return {answer.server.key for answer in answers if answer.server is not None}


def _streams(answer: Answer) -> Iterator[tuple[str, int]]:
    data = answer.data if answer.ok and isinstance(answer.data, Mapping) else {}
    details = data.get("account_details")
    for account in details if isinstance(details, list) else [data]:
        listed = account.get("stream_detail") if isinstance(account, Mapping) else None
        for stream in listed if isinstance(listed, list) else []:
            if isinstance(stream, Mapping) and isinstance(stream.get("name"), str):
                state = stream.get("state")
                size = state.get("bytes") if isinstance(state, Mapping) else 0
                yield stream["name"][:255], _number(size)


def _payload(operator: Operator, public_key: str) -> dict[str, object]:
    return {"operator": operator.pk, "account": public_key}


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
