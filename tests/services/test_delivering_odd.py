"""Delivery to servers that answer nonsense, a megabyte, or nothing: told as what it is, and tried again later."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from identities.claims import codec
from identities.models import Account, Cluster, Delivery, Holding
from identities.nkeys import KeyKind, KeyPair
from identities.resolver.plan import TestUser
from identities.resolver.system import SystemLink, Target
from identities.services import (
    accounts,
    changes,
    choosing,
    clock,
    delivering,
    leases,
    operator_keys,
    removing,
    signing_over,
)
from identities.services.delivering_roster import Roster
from identities.views import deliveries_shown
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
    all_delivered(cluster, login, answers, 1)
    return Delivery.objects.get(), Holding.objects.get()


def all_delivered(cluster: Cluster, login: TestUser, answers: fakenats.Answers, number: int) -> None:
    """Have all that waits delivered to a server that answers so; so many it is."""
    held = leases.take(cluster.pk)
    assert held is not None
    servers = list(cluster.servers.all())
    with fakenats.listening(fakenats.server(answers)) as port:
        target = Target(urls=(f"nats://127.0.0.1:{port}",), allow_loopback=True, request_seconds=0.4)
        with SystemLink(target, login) as link:
            began = time.monotonic()
            roster = Roster(servers, {server.pk for server in servers})
            assert delivering.deliver(held, cluster, link, roster) == number
            assert time.monotonic() - began < 5
            assert link.is_up
    leases.release(held)


def test_a_key_that_the_operator_has_since_the_connection_was_made_is_gone_by(
    cluster: Cluster, login: TestUser, account: Account
) -> None:
    connected = Cluster.objects.select_related("operator").get(pk=cluster.pk)
    operator = account.operator
    first = account.issuer
    operator = operator_keys.add(principal=make.COMMAND, operator=operator, version=operator.version)
    second = changes.claims_of(operator).nats.signing_keys[-1]
    signing_over.accounts_of(principal=make.COMMAND, operator=operator, source=first, target=second)
    Delivery.objects.exclude(account_key=account.public_key).delete()
    account.refresh_from_db()
    assert (account.issuer, account.token is not None) == (second, True)

    def answers(subject: str, payload: bytes) -> list[bytes]:
        assert account.token is not None
        return [account.token.text.encode()]

    row, holding = delivered(connected, login, answers)
    assert (row.state, row.problem, holding.state) == ("done", "", "same")
    operator_keys.remove(
        principal=make.COMMAND, operator=operator, public_key=second, version=operator.version
    )
    choosing.deliver_now(principal=make.COMMAND, account=account)
    Delivery.objects.exclude(account_key=account.public_key).delete()
    row, _ = delivered(connected, login, answers)
    assert row.state == "refused"
    assert f"signed by {second}, which is no key of the operator" in row.problem


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


def test_nothing_is_sent_while_the_server_does_not_tell_what_it_holds(
    cluster: Cluster, login: TestUser
) -> None:
    pushed: list[bytes] = []

    def answers(subject: str, payload: bytes) -> list[bytes]:
        if subject.endswith(".LOOKUP"):
            return []
        pushed.append(payload)
        return [envelope(data={"message": "jwt updated", "code": 200})]

    row, holding = delivered(cluster, login, answers)
    assert pushed == []
    assert (row.state, row.problem, row.attempts) == ("waiting", delivering.UNSEEN, 1)
    assert (holding.state, holding.said) == ("waiting", "It has not answered.")


def test_all_chunks_are_delivered_and_each_account_once(
    cluster: Cluster, login: TestUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(9):
        make.account(cluster.operator)
    keys = set(Delivery.objects.values_list("account_key", flat=True))
    monkeypatch.setattr(delivering, "CHUNK", 2)
    stored: dict[str, bytes] = {}
    pushed: list[str] = []

    def answers(subject: str, payload: bytes) -> list[bytes]:
        if subject.endswith(".LOOKUP"):
            return [stored.get(subject.split(".")[3], b"")]
        pushed.append(codec.decode(payload.decode()).claims.sub)
        stored[pushed[-1]] = payload
        return [envelope(data={"message": "jwt updated", "code": 200})]

    all_delivered(cluster, login, answers, 10)
    assert sorted(pushed) == sorted(keys)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"done"}
    assert set(Holding.objects.values_list("state", flat=True)) == {"same"}
    tokens = Account.objects.filter(public_key__in=keys).values_list("public_key", "token__text")
    assert {key: text.decode() for key, text in stored.items()} == dict(tokens)


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


@pytest.mark.parametrize(
    ("ahead", "state"), [(-1, "expired"), (0, "expired"), (60, "missing"), (None, "missing")]
)
def test_what_is_to_be_deleted_and_expired_before_was_not_deleted(
    cluster: Cluster,
    login: TestUser,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    ahead: int | None,
    state: str,
) -> None:
    now = clock.unix()
    monkeypatch.setattr(clock, "unix", lambda: now)
    accounts.delete(principal=make.COMMAND, account=account, version=account.version)
    Holding.objects.create(
        server=cluster.servers.get(),
        account_key=account.public_key,
        state="extra",
        digest="d",
        exp=0 if ahead is None else now + ahead,
        at=clock.now(),
    )
    Delivery.objects.all().delete()
    removing.remove(principal=make.COMMAND, operator=cluster.operator, public_key=account.public_key)
    row, holding = delivered(cluster, login, lambda subject, payload: [envelope(data=None)])
    assert (row.state, holding.state) == ("done", state)
    assert holding.digest == ("d" if state == "expired" else "")
    told = deliveries_shown.panel_of_removed(make.COMMAND, cluster.operator, account.public_key).clusters[0]
    assert told.delivered == "1 of 1 server"
    assert told.servers[0].state.word == ("Expired there" if state == "expired" else "Deleted there")
