"""The roster of real clusters: who is there, who was, what each runs with, at few questions and statements."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from identities.formats.server_config import Resolver
from identities.models import Cluster, Operator, ResolverKind, Server
from identities.resolver import surveying
from identities.services import changes, clusters, links, roster
from tests import make, natsserver, nodes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = True


def added(of: nodes.Nodes, **options: Any) -> Cluster:
    """The cluster as a person adds it, with a system user of its own."""
    return make.cluster(of.operator, urls=of.urls, request_seconds=1.0, **options)


def names(servers: list[Server]) -> list[str]:
    return [server.name for server in servers]


def test_every_server_is_written_down_with_what_it_runs_with(nats: natsserver.Stable) -> None:
    three = nodes.start(nats, make.operator(), 3)
    cluster = added(three)
    with links.linked(cluster) as link:
        found = roster.refresh(cluster, link)
    assert names(found) == ["n1", "n2", "n3"]
    operator = Operator.objects.get(pk=three.operator.pk)
    for row in Server.objects.filter(cluster=cluster):
        assert (row.nats_cluster, row.resolver, row.allow_delete) == ("test", ResolverKind.FULL, True)
        assert row.version.startswith("2.")
        assert row.system_account == operator.system_account
        assert roster.operators_of(row) == {operator.public_key: changes.claims_of(operator).iat}
        assert row.started_at is not None
    cluster.refresh_from_db()
    assert (cluster.state, cluster.problem) == ("up", "")


def test_an_absent_server_stays_on_the_roster_and_comes_back_under_its_name(nats: natsserver.Stable) -> None:
    three = nodes.start(nats, make.operator(), 3)
    cluster = added(three)
    with links.linked(cluster) as link:
        roster.refresh(cluster, link)
        before = Server.objects.get(name="n3")
        three[2].stop()
        natsserver.eventually(lambda: names(roster.refresh(cluster, link)) == ["n1", "n2"], "its absence")
        rows = list(Server.objects.filter(cluster=cluster).order_by("name"))
        assert names(rows) == ["n1", "n2", "n3"]
        three[2].start()
        natsserver.eventually(
            lambda: names(roster.refresh(cluster, link)) == ["n1", "n2", "n3"], "its return", 20
        )
        after = Server.objects.get(name="n3")
        assert after.pk == before.pk
        assert after.server_id != before.server_id
        clusters.forget_server(principal=make.COMMAND, cluster=cluster, server=after)
        assert names(roster.refresh(cluster, link)) == ["n1", "n2", "n3"]


@pytest.mark.parametrize(
    ("resolver", "options", "kind", "deletes"),
    [
        (Resolver.FULL, {"allow_delete": False}, ResolverKind.FULL, False),
        (Resolver.CACHE, {}, ResolverKind.CACHE, True),
        (Resolver.MEMORY, {"preload_all": True}, ResolverKind.OTHER, None),
    ],
)
def test_the_kind_of_resolver_follows_from_who_answers_what(
    nats: natsserver.Stable, resolver: Resolver, options: dict[str, bool], kind: str, deletes: bool | None
) -> None:
    one = nodes.start(nats, make.operator(), resolver=resolver, **options)
    cluster = added(one)
    with links.linked(cluster) as link:
        (found,) = roster.refresh(cluster, link)
    assert (found.resolver, found.allow_delete) == (kind, deletes)


def test_nothing_is_deleted_by_asking_whether_it_could_be(nats: natsserver.Stable) -> None:
    operator = make.operator()
    account = make.account(operator)
    one = nodes.start(nats, operator)
    with nodes.linked(one) as link:
        assert account.token is not None
        link.ask("$SYS.REQ.CLAIMS.UPDATE", account.token.text.encode())
        surveying.described(link, surveying.present(link, (), patience=0.5))
        (listed,) = link.ask("$SYS.REQ.CLAIMS.LIST").answers
    assert account.public_key in listed.data


def test_a_look_at_a_roster_that_is_the_same_is_one_question_and_few_statements(
    nats: natsserver.Stable, monkeypatch: pytest.MonkeyPatch
) -> None:
    three = nodes.start(nats, make.operator(), 3)
    cluster = added(three)
    with links.linked(cluster) as link:
        roster.refresh(cluster, link)
        asked: list[str] = []
        plain = link.ask

        def ask(subject: str, *args: Any, **options: Any) -> Any:
            asked.append(subject)
            return plain(subject, *args, **options)

        monkeypatch.setattr(link, "ask", ask)
        monkeypatch.setattr(surveying, "described", None)
        monkeypatch.setattr(link, "take", None)
        with CaptureQueriesContext(connection) as queries:
            roster.refresh(cluster, link)
        assert asked == ["$SYS.REQ.SERVER.PING.STATSZ"]
        assert len(queries) <= 3


def test_a_hundred_servers_cost_no_more_statements_than_one() -> None:
    from identities.resolver.messages import ServerInfo
    from identities.services import clock

    cluster = make.cluster()

    def seen(number: int) -> list[surveying.Seen]:
        return [surveying.Seen(info=ServerInfo(name=f"n{one}", id=f"N{one}")) for one in range(number)]

    def written(number: int) -> int:
        rows = {(row.name, row.nats_cluster): row for row in Server.objects.filter(cluster=cluster)}
        with CaptureQueriesContext(connection) as queries:
            roster.write(cluster, seen(number), rows=rows, moment=clock.now(), described=True)
        return len(queries)

    written(1)
    assert written(100) <= 6
    assert Server.objects.count() == 100
    assert written(100) <= 3


def test_two_who_see_a_new_server_at_once_write_it_down_once() -> None:
    from identities.resolver.messages import ServerInfo
    from identities.services import clock

    cluster = make.cluster()
    seen = [surveying.Seen(info=ServerInfo(name="n1", id="N1"))]
    (one,) = roster.write(cluster, seen, rows={}, moment=clock.now(), described=True)
    (two,) = roster.write(cluster, seen, rows={}, moment=clock.now(), described=True)
    assert one.pk == two.pk == Server.objects.get().pk
