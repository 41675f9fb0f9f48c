"""A cluster that is reached, with drift, a push that waits, and a webhook."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from identities.claims import codec
from identities.models import (
    Account,
    Cluster,
    Holding,
    Job,
    MessageState,
    Operator,
    Server,
    Webhook,
    WebhookMessage,
)
from identities.nkeys import KeyKind, KeyPair
from identities.services import (
    changes,
    clock,
    cluster_tests,
    pushes,
    signing,
    webhook_messages,
)
from tests import make
from tests.e2e import delivery_sample, live_sample
from tests.e2e.much import LONG


def hooked(operator: Operator) -> None:
    """A webhook that fails, with a message in each state."""
    hook = make.webhook(operator, LONG, url=f"https://hooks.example.com/services/{LONG}")
    states = (
        (MessageState.DELIVERED, 204, ""),
        (MessageState.FAILED, 500, LONG),
        (MessageState.WAITING, None, ""),
    )
    for seq, (state, status, said) in enumerate(states, 1):
        made = webhook_messages.add(hook, webhook_messages.EVENT, {}, seq=seq)
        WebhookMessage.objects.filter(pk=made.pk).update(state=state, status=status, said=said, attempts=seq)
    Webhook.objects.filter(pk=hook.pk).update(failing_since=hook.created_at)


def pushed(account: Account) -> None:
    """The account's operator takes pushes, and one that the account signed itself waits."""
    password = pushes.open_door(principal=make.COMMAND, operator=account.operator, self_signed=True)
    claims = replace(
        changes.claims_of(account), nats=replace(changes.claims_of(account).nats, tags=("env:qa",))
    )
    with signing.signer_for(account.keys.get(public_key=account.public_key)) as pair:
        text = codec.encode(claims, pair, account.last_iat + 20).text
    pushes.receive(
        operator_id=account.operator_id,
        account_key=account.public_key,
        text=text,
        password=password,
        address="192.0.2.7",
    )


def drifting(account: Account) -> None:
    """A cluster of two servers that hold other JWTs than they should of some accounts."""
    moment = clock.now()
    cluster = Cluster.objects.create(
        operator=account.operator,
        name="East",
        name_fold="east",
        urls="tls://nats.example.com:4222",
        state="up",
        checked_at=moment,
        compared_at=moment,
        created_at=moment,
        updated_at=moment,
        updated_by="alice",
    )
    others = Account.objects.live().filter(operator=account.operator).order_by("pk")[:4]
    keys = [one.public_key for one in others]
    states = {
        "n1": ("same", "missing", "newer", "refused", "extra"),
        "n2": ("same", "older", "different", "unknown", "expired"),
    }
    for name, held in states.items():
        server = Server.objects.create(
            cluster=cluster,
            name=name,
            nats_cluster="east",
            version="2.15.1",
            resolver="full",
            allow_delete=True,
            operator_keys=json.dumps({account.operator.public_key: account.operator.last_iat}),
            first_seen_at=moment,
            seen_at=moment,
        )
        for key, state in zip([*keys, KeyPair.create(KeyKind.ACCOUNT).public.text], held, strict=True):
            Holding.objects.create(
                server=server, account_key=key, state=state, iat=account.last_iat if state != "missing" else 0,
                said="jwt validation failed" if state == "refused" else "", at=moment,
            )  # fmt: skip
    live_sample.fill(cluster, account)
    delivery_sample.fill(cluster, others[2])


def reached(operator: Operator) -> None:
    """A cluster of three servers, of which one is absent, and a test of its connection that found something."""
    moment = clock.now()
    row = Operator.objects.get(pk=operator.pk)
    addresses = ("tls://n1.example.com:4222", "tls://n2.example.com:4222")
    cluster = make.cluster(row, "Production", urls=addresses)
    Cluster.objects.filter(pk=cluster.pk).update(state="up", checked_at=moment)
    for number, seen in ((1, moment), (2, moment), (3, moment - timedelta(hours=2))):
        make.server(
            cluster, f"n{number}", nats_cluster="eu", version="2.15.1", resolver="full", allow_delete=number > 1,
            system_account=row.system_account, started_at=moment - timedelta(days=3), seen_at=seen,
        )  # fmt: skip
    job = cluster_tests.start(principal=make.COMMAND, cluster=cluster)
    steps = [
        ("address", True, "n1.example.com is 192.0.2.11.", ""),
        ("greeting", True, "A nats-server answers, with TLS: n1 2.15.1.", ""),
        ("login", False, "The server refused the login and does not say why.", "Authorization Violation"),
    ]
    told = [{"name": name, "ok": ok, "text": text, "said": said} for name, ok, text, said in steps]
    reasons = [f"It runs with another operator's key than this operator's, {row.public_key}.", "Or …"]
    findings = [
        {
            "grade": "warn",
            "text": "Accounts can't be deleted there: set “allow_delete: true” in its resolver.",
        },
        {"grade": "ok", "text": "It runs with this operator's current JWT."},
    ]
    at = [
        {"url": addresses[0], "ok": False, "server": "n1 2.15.1", "steps": told, "reasons": reasons},
        {"url": addresses[1], "ok": True, "server": "n2 2.15.1", "steps": told[:2], "reasons": []},
    ]
    servers = [{"name": "n2", "cluster": "eu", "version": "2.15.1", "findings": findings}]
    found = {"ok": False, "summary": "1 of 2 addresses work. 1 server answered.", "at": at, "servers": servers,
             "problem": "", "seconds": 1.4}  # fmt: skip
    Job.objects.filter(pk=job.pk).update(state="done", result=json.dumps(found), finished_at=clock.now())
