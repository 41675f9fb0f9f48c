"""Delivery to servers that answer nonsense, a megabyte, or nothing: told as what it is, and tried again later."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from identities.models import Account, Cluster, Delivery, Holding
from identities.nkeys import KeyKind, KeyPair
from identities.resolver.plan import TestUser
from identities.resolver.system import SystemLink, Target
from identities.services import clock, delivering, leases
from identities.services.delivering_roster import Roster
from tests import fakenats, make

pytestmark = pytest.mark.django_db(transaction=True)

MEGABYTE = b"x" * 1_000_000
IDENTITY = {"name": "fake", "cluster": "", "id": "N" + "A" * 55}


def envelope(**rest: Any) -> bytes:
    """An answer of the server that the roster knows."""
    return json.dumps({"server": IDENTITY, **rest}).encode()


@pytest.fixture
def account() -> Account:
    return make.account(make.operator())


@pytest.fixture
def cluster(account: Account) -> Cluster:
    """With one full server, and that account alone waiting for it."""
    made = make.cluster(account.operator)
    make.server(made, "fake", resolver="full")
    Delivery.objects.exclude(account_key=account.public_key).delete()
    return made


@pytest.fixture
def login() -> TestUser:
    return TestUser(name="sys", jwt="e30.e30.e30", seed=KeyPair.create(KeyKind.USER).seed())


def delivered(cluster: Cluster, login: TestUser, answers: fakenats.Answers) -> tuple[Delivery, Holding]:
    """What is recorded of one delivery to a server that answers so."""
    held = leases.take(cluster.pk)
    assert held is not None
    servers = list(cluster.servers.all())
    with fakenats.listening(fakenats.server(answers)) as port:
        target = Target(urls=(f"nats://127.0.0.1:{port}",), allow_loopback=True, request_seconds=0.4)
        with SystemLink(target, login) as link:
            began = time.monotonic()
            roster = Roster(servers, {server.pk for server in servers})
            assert delivering.deliver(held, cluster, link, roster) == 1
            assert time.monotonic() - began < 5
            assert link.is_up
    leases.release(held)
    return Delivery.objects.get(), Holding.objects.get()


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        ([b"nonsense"], "waiting", "It has not answered."),
        ([MEGABYTE], "waiting", "It has not answered."),
        ([b""], "waiting", "It has not answered."),
        ([b"\xff\xfe\x00"], "waiting", "It has not answered."),
        ([b"[1, 2]"], "waiting", "It has not answered."),
        ([b'{"server": 7, "data": {"message": "jwt updated"}}'], "waiting", "It has not answered."),
        ([envelope(data="jwt updated")], "unknown", "an answer without a message"),
        ([envelope(data={"message": 7})], "unknown", "an answer without a message"),
        ([envelope(data={"message": "jwt upgraded"})], "unknown", "jwt upgraded"),
        ([envelope(data={"message": "jwt updated", "code": 500})], "unknown", "jwt updated"),
        ([envelope(error={"code": 500})], "refused", "an error without words"),
        ([envelope(error={"description": "y" * 1_000_000})], "refused", "y" * 50),
        ([], "waiting", "It has not answered."),
    ],
    ids=range(13),
)
def test_an_odd_answer_to_a_push_is_never_a_delivery(
    cluster: Cluster, login: TestUser, answer: list[bytes], state: str, words: str
) -> None:
    def answers(subject: str, payload: bytes) -> list[bytes]:
        return [b""] if subject.endswith(".LOOKUP") else answer

    row, holding = delivered(cluster, login, answers)
    assert (holding.state, holding.said[:50]) == (state, words)
    assert len(holding.said) <= 1000
    assert row.state == ("refused" if state == "refused" else "waiting")
    assert row.run_at > clock.now() or state == "refused"


@pytest.mark.parametrize("held", [MEGABYTE, b"nonsense", b"a.b.c", b"\xff\xfe", b"{}"], ids=range(5))
def test_what_is_no_jwt_there_is_overwritten_but_proof_of_it_is_none(
    cluster: Cluster, login: TestUser, held: bytes
) -> None:
    pushed: list[bytes] = []

    def answers(subject: str, payload: bytes) -> list[bytes]:
        if subject.endswith(".LOOKUP"):
            return [held]
        pushed.append(payload)
        return [envelope(data={"message": "jwt updated", "code": 200})]

    row, holding = delivered(cluster, login, answers)
    assert len(pushed) == 1
    assert holding.state not in ("same", "lazy")
    assert len(holding.said) <= 1000
    assert row.state == "waiting"


def test_the_next_ordinary_answer_delivers(cluster: Cluster, login: TestUser, account: Account) -> None:
    row, _ = delivered(cluster, login, lambda subject, payload: [MEGABYTE])
    assert (row.state, row.attempts) == ("waiting", 1)
    Delivery.objects.update(run_at=clock.now())
    stored = [b""]

    def answers(subject: str, payload: bytes) -> list[bytes]:
        if subject.endswith(".LOOKUP"):
            return stored
        stored[:] = [payload]
        return [envelope(data={"message": "jwt updated", "code": 200})]

    row, holding = delivered(cluster, login, answers)
    assert (row.state, holding.state) == ("done", "same")
    account.refresh_from_db()
    assert account.token is not None
    assert stored == [account.token.text.encode()]
