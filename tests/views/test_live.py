"""Live pages: what the worker heard is shown by name, how old it is is said, and no page waits for a server."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from identities.claims.limits import JetStreamLimits, OperatorLimits
from identities.models import Account, Cluster, ClusterState, Holding, Snapshot, User
from identities.policy.principal import Role
from identities.resolver import messages
from identities.services import attending, clock, jobs, live
from identities.views import usage_shown
from tests import crew, make, natsserver, nodes
from tests.e2e import live_sample

pytestmark = pytest.mark.django_db


def url(name: str, row: Account | User) -> str:
    if isinstance(row, Account):
        return reverse(name, args=[row.operator.public_key, row.public_key])
    return reverse(name, args=[row.operator.public_key, row.account.public_key, row.public_key])


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.status_code
    return html.unescape(" ".join(answer.content.decode().split()))


def part(client: Client, address: str) -> Any:
    return client.get(address, headers={"HX-Request": "true"})


@pytest.fixture
def world(nats: natsserver.Stable, settings: Any) -> tuple[nodes.Nodes, Cluster, Account]:
    """Two servers that hold an account."""
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = True
    operator = make.operator()
    account = make.account(operator, "Orders")
    two = nodes.start(nats, operator, 2)
    assert account.token is not None
    with nodes.linked(two) as link:
        link.ask(messages.CLAIMS_UPDATE, account.token.text.encode(), expect=2)
    return two, nodes.cluster(two, "Main"), account


@pytest.mark.server
def test_connections_are_shown_by_name_and_by_cluster(
    world: tuple[nodes.Nodes, Cluster, Account], tmp_path: Path
) -> None:
    two, cluster, account = world
    alice, bob = make.user(account, "alice"), make.user(account, "bob")
    client = make.client(Role.VIEWER)
    jobs.beat("test")
    page = text(client, url("account-live", account))
    assert "being asked" in page
    assert "Connections in Main" in page
    assert "0 connections" not in page
    assert "0 B" not in page
    with crew.Crew() as clients, nodes.linked(two) as link:
        clients.join("a", two[0].url, crew.creds_file(tmp_path, alice))
        clients.join("b", two[1].url, crew.creds_file(tmp_path, bob))
        assert live.refresh(cluster, link) == 1
        assert live.refresh(cluster, link) == 0  # it is two seconds until the next one
        page = text(client, url("account-live", account))
        assert "2 connections in Main" in page
        assert "alice" in page
        assert "bob" in page
        assert "python3" in page
        assert "Live: the servers are asked" in page
        text(client, url("user-live", alice))
        assert live.refresh(cluster, link) == 1
        page = text(client, url("user-live", alice))
        assert "1 connection in Main" in page
        assert "n1" in page
        assert not re.search(r"\bbob\b", page)
        address = reverse("cluster-live", args=[account.operator.public_key, cluster.pk])
        text(client, address)
        live.refresh(cluster, link)
        page = text(client, address)
        assert "n2" in page
        assert "the current JWT" in page
    assert "eyJ" not in "".join(Snapshot.objects.values_list("body", flat=True))


@pytest.mark.server
def test_a_part_is_sent_again_only_when_something_changed(
    world: tuple[nodes.Nodes, Cluster, Account], tmp_path: Path
) -> None:
    two, cluster, account = world
    alice = make.user(account, "alice")
    client = make.client(Role.VIEWER)
    address = url("user-live", alice)
    client.get(address)
    with nodes.linked(two) as link:
        live.refresh(cluster, link)
        first = part(client, address)
        seen = first.context["seen"]
        assert "Nobody is connected" in first.content.decode()
        assert part(client, f"{address}?seen={seen}").status_code == 204
        Snapshot.objects.update(asked_at=None)
        live.refresh(cluster, link)
        assert part(client, f"{address}?seen={seen}").status_code == 204
        with crew.Crew() as clients:
            clients.join("a", two[0].url, crew.creds_file(tmp_path, alice))
            Snapshot.objects.update(asked_at=None)
            live.refresh(cluster, link)
            assert part(client, f"{address}?seen={seen}").status_code == 200


def watched(account: Account) -> Snapshot:
    return Snapshot.objects.get(subject=account.public_key)


def test_what_is_old_says_so_and_why() -> None:
    cluster = make.cluster()
    account = make.account(cluster.operator)
    client, address = make.client(Role.VIEWER), url("account-live", account)
    assert "No worker seems to be running" in text(client, address)
    jobs.beat("test")
    assert "being asked" in text(client, address)
    Snapshot.objects.update(problem=live.SILENT)
    assert live.SILENT in text(client, address)
    Cluster.objects.update(state=ClusterState.DOWN, problem="Nothing listens there.")
    page = text(client, address)
    assert "The cluster can't be reached" in page
    assert "Nothing listens there." in page
    Snapshot.objects.update(taken_at=clock.now() - timedelta(minutes=3), body='{"listings": []}')
    assert "what they told last" in text(client, address)


def test_looking_writes_once_in_ten_seconds_and_what_nobody_looks_at_is_not_asked() -> None:
    cluster = make.cluster()
    account = make.account(cluster.operator)
    client, address = make.client(Role.VIEWER), url("account-live", account)
    client.get(address)
    first = watched(account).wanted_until
    client.get(address)
    assert watched(account).wanted_until == first
    Snapshot.objects.update(wanted_until=clock.now() + timedelta(seconds=5))
    client.get(address)
    assert watched(account).wanted_until >= first
    Snapshot.objects.update(wanted_until=clock.now() - timedelta(seconds=1))

    class Nobody:
        def ask_all(self, *questions: object, **options: object) -> Any:
            raise AssertionError("nobody looks")

    assert live.refresh(cluster, Nobody()) == 0
    assert live.forget_old() == 0
    Snapshot.objects.update(wanted_until=clock.now() - timedelta(hours=1))
    assert live.forget_old() == 1


def test_the_number_of_queries_does_not_grow_with_the_connections() -> None:
    cluster = make.cluster()
    account = make.account(cluster.operator)
    names = [make.user(account) for _ in range(12)]
    client, address = make.client(Role.VIEWER), url("account-live", account)
    client.get(address)
    counts = []
    for number in (1, 12):
        rows = [
            {
                "cid": n, "kind": "nats", "user": names[n].public_key, "name": "", "language": "go", "version": "1",
                "address": "::1", "since": 1.0, "pending": 0, "subscriptions": 1, "in_messages": 0, "in_bytes": 0,
                "out_messages": 0, "out_bytes": 0,
            }
            for n in range(number)
        ]  # fmt: skip
        listing = {
            "server": {"name": "n1", "cluster": ""},
            "connections": rows,
            "total": number,
            "problem": "",
        }
        Snapshot.objects.update(body=json.dumps({"listings": [listing]}), taken_at=clock.now())
        with CaptureQueriesContext(connection) as queries:
            page = text(client, address)
        assert names[number - 1].name in page
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_operator_jwts_of_servers_and_what_expired_there_are_told() -> None:
    cluster = make.cluster()
    operator = cluster.operator
    client, address = make.client(), reverse("cluster-live", args=[operator.public_key, cluster.pk])
    client.get(address)
    for ahead, words in (
        (0, "the current JWT"),
        (-9, "an earlier JWT"),
        (9, "a later JWT than the one here"),
    ):
        body = live_sample.servers_body(operator.public_key, operator.last_iat + ahead)
        Snapshot.objects.update(body=json.dumps(body), taken_at=clock.now())
        page = text(client, address)
        assert words in page
        assert "had expired when they were compared last" not in page
    for name in ("n1", "n2"):
        server = make.server(cluster, name)
        Holding.objects.create(server=server, account_key="A" * 56, state="expired", at=clock.now())
    page = text(client, address)
    assert "The JWTs of 1 account that servers held had expired when they were compared last." in page
    assert f"{reverse('cluster-drift', args=[operator.public_key, cluster.pk])}?state=expired" in page


def test_without_a_cluster_the_page_says_what_to_do() -> None:
    account = make.account()
    user = make.user(account)
    client = make.client(Role.VIEWER)
    for row, name in ((account, "account-live"), (user, "user-live")):
        assert "No servers to ask" in text(client, url(name, row))


def test_strangers_see_no_connections() -> None:
    cluster = make.cluster()
    account = make.account(cluster.operator)
    user = make.user(account)
    stranger = make.client(Role.VIEWER, operator=make.operator())
    for address in (
        url("account-live", account),
        url("user-live", user),
        reverse("cluster-live", args=[cluster.operator.public_key, cluster.pk]),
    ):
        assert stranger.get(address).status_code == 404
    assert not Snapshot.objects.exists()


def test_use_stands_beside_every_limit() -> None:
    limits = OperatorLimits(
        conn=10, leaf=0, subs=-1, payload=1024,
        tiered_limits={"R1": JetStreamLimits(disk_storage=1000, mem_storage=-1, streams=5)},
    )  # fmt: skip
    use = {"server": {}, "connections": 5, "leaf_nodes": 0, "subscriptions": 3, "in_messages": 1, "in_bytes": 2,
           "out_messages": 3, "out_bytes": 4, "slow": 0}  # fmt: skip
    tiers = [
        {"tier": "R1", "memory": 5, "disk": 950, "streams": 2, "consumers": 1},
        {"tier": "R3", "memory": 0, "disk": 7, "streams": 1, "consumers": 0},
    ]
    shown = {
        bar.label: (bar.used, bar.limit, bar.value, bar.most, bar.tone)
        for bar in usage_shown.bars(limits, {"usage": [use, use], "tiers": tiers})
    }
    assert shown["Connections"] == ("10", "10", "10", "10", "warn")
    assert shown["Leaf nodes"] == ("0", "none", "", "", "ok")
    assert shown["JetStream R1: disk"] == ("950 B", "1 KB", "950", "1000", "warn")
    assert shown["JetStream R1: memory"][1:4] == ("unlimited", "", "")
    assert shown["JetStream R1: streams"] == ("2", "5", "2", "5", "ok")
    assert shown["JetStream R1: consumers"][1] == "unlimited"
    assert shown["JetStream R3: disk"][:2] == ("7 B", "none")
    flat = OperatorLimits(disk_storage=100, streams=-1)
    used = {bar.label: bar.used for bar in usage_shown.bars(flat, {"usage": [], "tiers": tiers[1:]})}
    assert used["JetStream: disk"] == "21 B"  # each of three replicas counts


@pytest.mark.server
@pytest.mark.django_db(transaction=True)
def test_when_the_servers_go_the_page_says_so_and_shows_what_they_told_last(
    nats: natsserver.Stable, tmp_path: Path, settings: Any
) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = True
    operator = make.operator()
    account = make.account(operator, "Orders")
    alice = make.user(account, "alice")
    one = nodes.start(nats, operator, preload_all=True)
    cluster = nodes.cluster(one, "Main")
    client, address = make.client(Role.VIEWER), url("account-live", account)
    jobs.beat("test")
    client.get(address)
    with crew.Crew() as clients:
        clients.join("a", one[0].url, crew.creds_file(tmp_path, alice))
        attending.once()
    assert ">alice</a>" in text(client, address)
    one[0].stop()
    attending.once()
    cluster.refresh_from_db()
    assert cluster.state == ClusterState.DOWN
    Snapshot.objects.update(taken_at=clock.now() - timedelta(seconds=11))
    page = text(client, address)
    assert "The cluster can't be reached." in page
    assert "what they told last" in page
    assert ">alice</a>" in page
