"""What real servers hold is told of each of them, and what can't be told apart is unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from identities.claims import codec
from identities.formats.server_config import Resolver
from identities.models import Account, Cluster, Holding, Operator
from identities.resolver import holdings, messages
from identities.services import accounts, changes, clock, comparing, links, signing
from tests import make, natsserver, nodes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = True


def push(nodes_: nodes.Nodes, at: int, *texts: str) -> None:
    with nodes.linked(nodes_, at) as link:
        for text in texts:
            link.ask(messages.CLAIMS_UPDATE, text.encode(), expect=len(nodes_.servers), seconds=1)


def signed(account: Account, ahead: int, **edits: Any) -> str:
    key = signing.account_signer(account.operator, changes.claims_of(account.operator))
    with signing.signer_for(key) as pair:
        return codec.encode(replace(changes.claims_of(account), **edits), pair, account.last_iat + ahead).text


def states(cluster: Cluster) -> dict[str, dict[str, str]]:
    """By server, by account's name (or the end of its key), the state."""
    names = dict(Account.objects.values_list("public_key", "name"))
    found: dict[str, dict[str, str]] = {}
    for row in Holding.objects.filter(server__cluster=cluster).select_related("server"):
        found.setdefault(row.server.name, {})[names.get(row.account_key, "stranger")] = row.state
    return found


def estate(operator: Operator) -> dict[str, Account]:
    return {
        name: make.account(operator, name) for name in ("same", "missing", "older", "newer", "twin", "gone")
    }


def test_every_kind_of_drift_on_one_server(nats: natsserver.Stable) -> None:
    operator = make.operator()
    rows = estate(operator)
    one = nodes.start(nats, operator)
    stranger = make.account()
    push(
        one, 0, rows["same"].token.text, signed(rows["older"], -5), signed(rows["newer"], 5, name="theirs"),
        signed(rows["twin"], 0, name="twin2"), rows["gone"].token.text, stranger.token.text,
    )  # fmt: skip
    accounts.delete(principal=make.COMMAND, account=rows["gone"], version=rows["gone"].version)
    cluster = nodes.cluster(one)
    with links.linked(cluster) as link:
        counts = comparing.compare(cluster, link)
    assert states(cluster) == {
        "n1": {
            "SYS": "same", "same": "same", "missing": "missing", "older": "older", "newer": "newer",
            "twin": "different", "gone": "extra", stranger.name: "extra",
        }
    }  # fmt: skip
    assert counts == {"same": 2, "missing": 1, "older": 1, "newer": 1, "different": 1, "extra": 2}


def test_three_servers_that_agree_prove_it_of_each_other(nats: natsserver.Stable) -> None:
    operator = make.operator()
    row = make.account(operator, "agreed")
    three = nodes.start(nats, operator, 3)
    push(three, 0, row.token.text)
    cluster = nodes.cluster(three)
    with links.linked(cluster) as link:
        comparing.compare(cluster, link)
    assert states(cluster) == {name: {"SYS": "same", "agreed": "same"} for name in ("n1", "n2", "n3")}


def test_servers_that_differ_are_told_apart_by_name(nats: natsserver.Stable) -> None:
    operator = make.operator()
    row = make.account(operator, "team")
    newer = signed(row, 5, name="team")
    two = nodes.start(nats, operator, 2)
    push(two, 0, row.token.text)
    two[1].stop()
    push(two, 0, newer)
    cluster = nodes.cluster(two)
    two[1].start()
    natsserver.eventually(lambda: nodes._routed(two), "the servers finding each other", 20)
    with links.linked(cluster) as link:
        comparing.compare(cluster, link)
    found = states(cluster)
    assert found["n1"]["team"] == "newer"
    assert found["n2"]["team"] in ("same", "newer")  # its peers bring it the newer one within its interval


def test_an_expired_account_that_the_server_removed_is_no_drift(nats: natsserver.Stable) -> None:
    operator = make.operator()
    row = make.account(operator, "brief", expires=clock.unix() + 2)
    one = nodes.start(nats, operator)
    push(one, 0, row.token.text)
    cluster = nodes.cluster(one)
    natsserver.eventually(lambda: clock.unix() > row.expires, "the expiry")
    with links.linked(cluster) as link:
        comparing.compare(cluster, link)
    assert states(cluster)["n1"]["brief"] == "expired"


def test_servers_without_a_store_are_asked_by_name(nats: natsserver.Stable) -> None:
    operator = make.operator()
    make.account(operator, "team")
    one = nodes.start(nats, operator, resolver=Resolver.MEMORY, preload_all=True)
    make.account(operator, "later")
    cluster = nodes.cluster(one)
    with links.linked(cluster) as link:
        comparing.compare(cluster, link)
    assert states(cluster) == {"n1": {"SYS": "same", "team": "same", "later": "lazy"}}


def test_a_second_comparison_of_the_same_writes_nothing_but_its_time(
    nats: natsserver.Stable, django_assert_max_num_queries: Any
) -> None:
    operator = make.operator()
    rows = [make.account(operator) for _ in range(30)]
    one = nodes.start(nats, operator)
    push(one, 0, *(row.token.text for row in rows))
    cluster = nodes.cluster(one)
    with links.linked(cluster) as link:
        comparing.compare(cluster, link)
        before = dict(Holding.objects.values_list("account_key", "at"))
        assert len(before) == 31
        with django_assert_max_num_queries(10):
            comparing.compare(cluster, link)
    assert dict(Holding.objects.values_list("account_key", "at")) == before


def test_a_server_that_is_known_by_its_routes_alone_leaves_nothing_attributed(
    nats: natsserver.Stable, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = make.operator()
    row = make.account(operator, "team")
    two = nodes.start(nats, operator, 2)
    push(two, 0, row.token.text)
    all_of = holdings._roster
    monkeypatch.setattr(
        holdings, "_roster", lambda link: {key: held for key, held in all_of(link).items() if key[0] == "n1"}
    )
    monkeypatch.setattr(holdings, "MOST_ATTRIBUTED", 0)
    cluster = nodes.cluster(two)
    with links.linked(cluster) as link:
        comparing.compare(cluster, link)
    assert states(cluster) == {"n1": {"SYS": "unknown", "team": "unknown"}}
