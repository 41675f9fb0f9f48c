"""What real servers hold is told of each of them, and what can't be told apart is unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from identities.claims import codec
from identities.claims.drafts import AccountEdit
from identities.formats.server_config import Resolver
from identities.models import Account, Cluster, Holding, Operator, Server
from identities.resolver import claims_requests, holdings, messages
from identities.services import (
    accounts,
    attending,
    changes,
    clock,
    comparing,
    drifting,
    links,
    outbox,
    removing,
    roster,
    signing,
)
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


def said(cluster: Cluster, name: str) -> dict[str, str]:
    """By server, what is said of the account."""
    key = Account.objects.get(name=name).public_key
    rows = Holding.objects.filter(server__cluster=cluster, account_key=key)
    return dict(rows.values_list("server__name", "said"))


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


def test_a_full_server_beside_a_cache_is_proven_by_its_own_look_up(
    nats: natsserver.Stable, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = make.operator()
    row = make.account(operator, "team")
    two = nodes.start(nats, operator, 2, others=Resolver.CACHE)
    push(two, 0, row.token.text)
    monkeypatch.setattr(holdings, "MOST_ATTRIBUTED", 0)  # nobody is asked by name
    cluster = nodes.cluster(two)
    with links.linked(cluster) as link:
        comparing.compare(cluster, link)
    found = states(cluster)
    assert found["n1"] == {"SYS": "same", "team": "same"}
    assert found["n2"] == {"SYS": "unknown", "team": "unknown"}  # not missing: a cache fetches what it needs
    monkeypatch.undo()
    make.account(operator, "nowhere")
    with links.linked(cluster) as link:
        comparing.compare(cluster, link)
    assert states(cluster) == {
        name: {"SYS": "same", "team": "same", "nowhere": "missing"} for name in ("n1", "n2")
    }
    assert said(cluster, "nowhere") == {"n1": "", "n2": comparing.NOT_GIVEN}


def test_a_roster_that_tells_full_and_cache_apart_spares_servers_an_error_each_comparison(
    nats: natsserver.Stable,
) -> None:
    operator = make.operator()
    row = make.account(operator, "team")
    two = nodes.start(nats, operator, 2, others=Resolver.CACHE)
    push(two, 0, row.token.text)
    cluster = nodes.cluster(two)
    with links.linked(cluster) as link:
        comparing.compare(cluster, link)
        assert noted(two) == [1, 1]
        roster.refresh(cluster, link)
        before = noted(two)
        for _ in range(2):
            comparing.compare(cluster, link)
        assert noted(two) == before
        assert states(cluster) == {name: {"SYS": "same", "team": "same"} for name in ("n1", "n2")}
        Server.objects.filter(name="n2").update(server_id="another run")
        comparing.compare(cluster, link)
        assert noted(two) == [number + 1 for number in before]


def noted(of: nodes.Nodes) -> list[int]:
    """How many errors each server wrote down about what is no JWT."""
    return [server.log.count("resulted in error") for server in of.servers]


def test_a_cache_lacks_what_nobody_gives_it(nats: natsserver.Stable) -> None:
    operator = make.operator()
    make.account(operator, "team")
    one = nodes.start(nats, operator, resolver=Resolver.CACHE, preload_all=True)
    cluster = nodes.cluster(one)
    make.account(operator, "later")
    with links.linked(cluster) as link:
        comparing.compare(cluster, link)
    assert states(cluster) == {"n1": {"SYS": "same", "team": "same", "later": "missing"}}
    assert said(cluster, "later") == {"n1": comparing.NOT_GIVEN}


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


@pytest.mark.django_db(transaction=True)
def test_what_expired_there_before_its_successor_was_delivered_was_not_deleted(
    nats: natsserver.Stable,
) -> None:
    operator = make.operator()
    row = make.account(operator, "brief", expires=clock.unix() + 10)
    lasting, elsewhere = make.account(operator, "taken"), make.account(operator, "elsewhere")
    one = nodes.start(nats, operator)
    cluster = nodes.cluster(one)
    outbox.wake_all(principal=make.COMMAND, cluster=cluster)
    attending.once()
    same = {"SYS": "same", "brief": "same", "taken": "same", "elsewhere": "same"}
    assert states(cluster)["n1"] == same
    over = row.expires
    assert Holding.objects.get(account_key=row.public_key).exp == over
    stranger = make.account(name="stranger", expires=over)
    push(one, 0, signed(elsewhere, 5, exp=over), stranger.token.text)
    edit = AccountEdit(name="brief", expires=over + 3600)
    row = accounts.update(principal=make.COMMAND, account=row, edit=edit, version=row.version)
    deleted(cluster, one, lasting.public_key)
    found = states(cluster)["n1"]
    assert [found[name] for name in ("brief", "elsewhere", "stranger")] == ["older", "newer", "extra"]
    gone = {"brief": "expired", "elsewhere": "expired", "stranger": "expired"}
    natsserver.eventually(lambda: clock.unix() > over, "the expiry", 20)
    for _ in range(2):  # it stays so
        natsserver.eventually(
            lambda: not {"older", "newer", "extra"} & set(compared(cluster).values()),
            "the server removing them",
        )
        assert states(cluster)["n1"] == {"SYS": "same", "taken": "deleted", **gone}
    assert drifting.deliver(principal=make.COMMAND, cluster=cluster) == 3
    attending.once()
    found = states(cluster)["n1"]
    assert found.pop("elsewhere") in ("newer", "same")  # newer: it lies there until the server's next sweep
    assert found == {"SYS": "same", "brief": "same", "taken": "same", "stranger": "expired"}
    found = compared(cluster)
    assert found.pop("elsewhere") in ("expired", "same")
    assert found == {"SYS": "same", "brief": "same", "taken": "same", "stranger": "expired"}
    with nodes.linked(one) as link:
        held = link.ask(messages.of_account(row.public_key, "CLAIMS.LOOKUP"), expect=1).payloads
    assert row.token is not None
    assert held == [row.token.text.encode()]


def compared(cluster: Cluster) -> dict[str, str]:
    with links.linked(cluster) as link:
        comparing.compare(cluster, link)
    return states(cluster)["n1"]


def test_what_was_deleted_there_is_told_from_what_never_came_and_is_mended_both_ways(
    nats: natsserver.Stable,
) -> None:
    operator = make.operator()
    rows = {name: make.account(operator, name) for name in ("kept", "taken", "dropped", "refilled")}
    one = nodes.start(nats, operator)
    push(one, 0, *(row.token.text for row in rows.values()))
    make.account(operator, "never")
    cluster = nodes.cluster(one)
    deleted(cluster, one, rows["refilled"].public_key)
    push(one, 0, signed(rows["refilled"], 0))
    gone = [rows["taken"].public_key, rows["dropped"].public_key]
    deleted(cluster, one, *gone)
    rest = {"SYS": "same", "kept": "same", "refilled": "same", "never": "missing"}
    for _ in range(2):  # it stays so
        with links.linked(cluster) as link:
            counts = comparing.compare(cluster, link)
        assert states(cluster) == {"n1": {**rest, "taken": "deleted", "dropped": "deleted"}}
        assert counts["deleted"] == 2
    accounts.delete(principal=make.COMMAND, account=rows["dropped"], version=rows["dropped"].version)
    push(one, 0, rows["taken"].token.text)
    with links.linked(cluster) as link:
        comparing.compare(cluster, link)
    assert states(cluster) == {"n1": {**rest, "taken": "same"}}


def deleted(cluster: Cluster, one: nodes.Nodes, *keys: str) -> None:
    """What the server holds is seen; then somebody else who has the operator's key deletes some of it there."""
    with links.linked(cluster) as link:
        comparing.compare(cluster, link)
    key = signing.account_signer(one.operator, changes.claims_of(one.operator))
    with nodes.linked(one) as link:
        told = claims_requests.delete(link, removing.signed_request(key, keys), servers=1)
    assert list(told.values()) == [""]


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
        with django_assert_max_num_queries(11):
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
