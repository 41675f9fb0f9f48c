"""The roster of real clusters: who is there, who was, what each runs with, at few questions and statements."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from identities.formats.server_config import Resolver
from identities.models import Cluster, Delivery, Operator, ResolverKind, Server
from identities.resolver import surveying
from identities.resolver.system import SystemLink
from identities.services import attending, changes, clusters, links, roster
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


def test_full_and_cache_resolvers_in_one_cluster_are_told_apart(nats: natsserver.Stable) -> None:
    operator = make.operator()
    account = make.account(operator)
    mixed = nodes.start(nats, operator, 3, others=Resolver.CACHE)
    cluster = added(mixed)
    with links.linked(cluster) as link:
        rows = {row.name: row.resolver for row in roster.refresh(cluster, link)}
        lists = link.ask("$SYS.REQ.CLAIMS.LIST", expect=3).answers
    assert rows == {"n1": ResolverKind.FULL, "n2": ResolverKind.CACHE, "n3": ResolverKind.CACHE}
    assert all(account.public_key not in (one.data or ()) for one in lists)


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


def test_what_a_server_did_not_tell_is_asked_again_and_what_it_told_stays(
    nats: natsserver.Stable, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = nodes.start(nats, make.operator())
    cluster = added(one)
    plain = surveying.described

    def silent(link: Any, servers: Any, **known: Any) -> Any:
        """As when LIST and VARZ come too late."""
        bare = {key: replace(seen, kind=surveying.Kind.OTHER) for key, seen in servers.items()}
        asked.append("silent")
        return bare

    asked: list[str] = []
    with links.linked(cluster) as link:
        monkeypatch.setattr(surveying, "described", silent)
        (row,) = roster.refresh(cluster, link)
        assert (row.resolver, row.operator_keys) == (ResolverKind.OTHER, "")
        monkeypatch.setattr(surveying, "described", plain)
        (row,) = roster.refresh(cluster, link)
        assert row.resolver == ResolverKind.OTHER
        (row,) = roster.refresh(cluster, link, again=True)
        told = (row.resolver, row.allow_delete, row.system_account, row.operator_keys)
        assert told[:2] == (ResolverKind.FULL, True)
        assert roster.operators_of(row)
        monkeypatch.setattr(surveying, "described", silent)
        roster.refresh(cluster, link, again=True)
        assert asked == ["silent"]  # it had told everything
        Server.objects.update(operator_keys="")
        (row,) = roster.refresh(cluster, link, again=True)
        assert asked == ["silent", "silent"]
        assert (row.resolver, row.allow_delete, row.system_account, row.operator_keys) == (*told[:3], "")


def test_a_store_is_asked_once_a_run_what_servers_note_as_an_error(nats: natsserver.Stable) -> None:
    mixed = nodes.start(nats, make.operator(), 2, others=Resolver.MEMORY)
    cluster = added(mixed)

    def looked(link: SystemLink) -> list[tuple[str, bool | None]]:
        return [(row.resolver, row.allow_delete) for row in roster.refresh(cluster, link, again=True)]

    told = [(ResolverKind.FULL, True), (ResolverKind.OTHER, None)]
    with links.linked(cluster) as link:
        assert looked(link) == told
        noted = errors(mixed[0])
        assert noted > 0
        for _ in range(2):  # of the other one nobody knows whether it has told everything
            assert looked(link) == told
        assert errors(mixed[0]) == noted
        Server.objects.filter(name="n1").update(allow_delete=None)
        assert looked(link) == told
        assert errors(mixed[0]) > noted
    noted = errors(mixed[0])
    mixed[0].stop()
    mixed[0].start()
    natsserver.eventually(lambda: nodes._routed(mixed), "the servers finding each other", 20)
    with links.linked(cluster) as link:
        assert looked(link) == told
    assert errors(mixed[0]) > noted  # in another run it may be another store


def errors(server: natsserver.NatsServer) -> int:
    return sum("[ERR]" in line for line in server.log.splitlines())


@pytest.mark.django_db(transaction=True)
def test_a_server_that_turns_out_to_store_accounts_gets_what_was_done(
    nats: natsserver.Stable, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = make.operator()
    account = make.account(operator)
    one = nodes.start(nats, operator)
    cluster = added(one)
    attending.once()
    assert Delivery.objects.get(account_key=account.public_key).state == "done"
    Server.objects.update(resolver=ResolverKind.OTHER)
    Delivery.objects.update(state="refused")
    monkeypatch.setattr(attending, "AGAIN_SECONDS", -1.0)
    attending.once()
    assert Server.objects.get(cluster=cluster).resolver == ResolverKind.FULL
    assert {row.state for row in Delivery.objects.filter(cluster=cluster)} == {"done"}
