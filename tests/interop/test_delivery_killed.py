"""The worker as a process: killed at any moment it loses nothing, and a server that is deaf keeps nobody waiting."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from identities.claims import codec
from identities.models import Account, Cluster, Delivery, Holding
from identities.resolver import messages
from identities.resolver.messages import Question
from identities.resolver.system import SystemLink
from identities.services import clock, outbox, resigning_accounts
from tests import make, natsserver, nodes

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
ROOT = Path(__file__).parents[2]
ACCOUNTS = 300
SERVERS = 2
WORKER = """
import sys
from datetime import timedelta

import django
from django.core.management import call_command
from django.db import connections

connections.databases["default"]["NAME"] = sys.argv[1]
django.setup()
from identities.services import attending, leases

leases.LEASE = timedelta(seconds=1)
attending.TEND_SECONDS = 0.2
call_command("worker", at_once=1)
"""


@contextmanager
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """A worker process, killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(connection.settings_dict["NAME"])],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "NSCWEB_ALLOW_LOOPBACK_SERVERS": "true",
        },
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def kills(*, full: bool) -> int:
    """How often: the figure of the specification on one database, fewer on the other."""
    return 5 if not full else 100 if connection.vendor == "sqlite" else 20


def in_hand(fence: int) -> bool:
    """Whether a worker has taken the cluster since it had this fence."""
    return Cluster.objects.filter(fence__gt=fence).exists()


def held(link: SystemLink, keys: list[str]) -> dict[str, list[str]]:
    """What each server holds of each account."""
    asked = [Question(messages.of_account(key, "CLAIMS.LOOKUP"), b"", SERVERS) for key in keys]
    replies = link.ask_all(asked)
    assert all(reply.complete for reply in replies)
    return {
        key: [payload.decode() for payload in reply.payloads]
        for key, reply in zip(keys, replies, strict=True)
    }


def test_a_worker_that_is_killed_again_and_again_loses_nothing_and_turns_nothing_back(
    nats: natsserver.Stable, full: bool
) -> None:
    operator = make.operator()
    source = make.account(operator).issuer
    for _ in range(ACCOUNTS - 2):  # the system account is one, too
        make.account(operator)
    keys = list(Account.objects.live().filter(operator=operator).values_list("public_key", flat=True))
    several = nodes.start(nats, operator, SERVERS)
    cluster = nodes.cluster(several)
    outbox.wake_all(principal=make.COMMAND, cluster=cluster)
    chance = random.Random(11)
    seen = dict.fromkeys(keys, [0] * SERVERS)
    issuers = [source, operator.public_key]
    cut = 0
    with nodes.linked(several) as link:
        for number in range(kills(full=full)):
            fence = Cluster.objects.get().fence
            with worker() as process:
                _sign_some(operator, issuers[number % 2], issuers[(number + 1) % 2])
                natsserver.eventually(lambda fence=fence: in_hand(fence), "a worker taking over", 30)
                time.sleep(chance.uniform(0, 1.2))
                cut += Delivery.objects.filter(state="waiting").exists()
                process.send_signal(signal.SIGKILL)
                process.wait(30)
            now = {key: _times(texts) for key, texts in held(link, keys).items()}
            for key, times in now.items():  # which server is which is not told: sorted, none may go back
                assert all(after >= before for before, after in zip(seen[key], times, strict=True))
            seen = now
        assert cut
        fence = Cluster.objects.get().fence
        with worker() as process:
            natsserver.eventually(lambda: in_hand(fence), "a worker taking over", 30)
            natsserver.eventually(_all_done, "everything delivered", 90)
            process.terminate()
            assert process.wait(30) == 0
        assert Cluster.objects.get().lease_until is None
        ledger = dict(Account.objects.live().values_list("public_key", "token__text"))
        assert held(link, keys) == {key: [ledger[key]] * SERVERS for key in keys}
    assert Delivery.objects.count() == len(keys)
    assert Holding.objects.filter(state="same").count() == SERVERS * len(keys)


def _times(texts: list[str]) -> list[int]:
    """When the JWTs were issued, 0 for none, in order."""
    return sorted(codec.decode(text).claims.iat if text else 0 for text in texts)


def _sign_some(operator: Any, source: str, target: str) -> None:
    """A bulk re-sign: every account that `source` issued, in chunks, while the worker pushes."""
    after = 0
    while (
        chunk := resigning_accounts.sign_chunk(
            principal=make.COMMAND,
            operator=operator,
            source=source,
            target=target,
            after=after,
            reason="test",
        )
    ) is not None:
        after = chunk.last


def _all_done() -> bool:
    time.sleep(0.2)
    return not Delivery.objects.exclude(state="done").exists()


def test_a_server_that_accepts_and_never_answers_keeps_no_other_waiting(nats: natsserver.Stable) -> None:
    operator = make.operator()
    one = nodes.start(nats, operator)
    nodes.cluster(one, "heard")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"nats://127.0.0.1:{deaf.getsockname()[1]}"
        nodes.cluster(one, "deaf", urls=url, connect_seconds=0.5)
        with worker() as process:
            account = make.account(operator)
            natsserver.eventually(lambda: _state("deaf", account) == ("down", "waiting"), "it being down", 30)
            natsserver.eventually(lambda: _state("heard", account) == ("up", "done"), "the delivery", 30)
            assert process.poll() is None
            assert Cluster.objects.get(name="deaf").problem
            process.terminate()
            assert process.wait(30) == 0
    assert not Cluster.objects.exclude(lease_until=None).exists()


def _state(name: str, account: Account) -> tuple[str, str]:
    cluster = Cluster.objects.get(name=name)
    return cluster.state, Delivery.objects.get(cluster=cluster, account_key=account.public_key).state


def test_what_a_person_changes_while_the_worker_runs_is_there_within_seconds(nats: natsserver.Stable) -> None:
    operator = make.operator()
    one = nodes.start(nats, operator)
    nodes.cluster(one)
    with worker(), nodes.linked(one) as link:
        natsserver.eventually(lambda: Cluster.objects.get().state == "up", "the connection", 30)
        began = clock.now()
        account = make.account(operator)
        natsserver.eventually(
            lambda: link.ask(messages.of_account(account.public_key, "CLAIMS.LOOKUP")).payloads != [b""],
            "the delivery",
        )
        assert (clock.now() - began).total_seconds() < 5
