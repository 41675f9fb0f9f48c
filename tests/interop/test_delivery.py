"""Delivery to real servers: refusals in their words, never older over newer, and what one missed is made up for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from identities.claims.drafts import OperatorEdit
from identities.claims.limits import NO_LIMIT, OperatorLimits
from identities.errors import IdentityError
from identities.formats.creds import parse_creds
from identities.formats.server_config import Resolver
from identities.models import Cluster, Delivery, Holding, Operator, Server, User
from identities.resolver import messages
from identities.resolver.plan import TestUser
from identities.resolver.system import SystemLink, Target
from identities.services import (
    accounts,
    attending,
    choosing,
    creds,
    jobs,
    operator_keys,
    operators,
    removing,
    signing_over,
    stakes,
)
from tests import make, natsserver, nodes
from tests.interop import delivered

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = True


def test_what_one_stopped_server_missed_it_gets_when_it_is_back_deletes_too(nats: natsserver.Stable) -> None:
    operator = make.operator()
    account, doomed = make.account(operator), make.account(operator)
    three = nodes.start(nats, operator, 3)
    cluster = delivered.clustered(three)
    attending.once()
    assert delivered.states(account) == {"n1": "same", "n2": "same", "n3": "same"}
    assert {row.state for row in Delivery.objects.all()} == {"done"}

    three[2].stop()
    account = delivered.change(account)
    accounts.delete(principal=make.COMMAND, account=doomed, version=doomed.version)
    removing.remove(principal=make.COMMAND, operator=operator, public_key=doomed.public_key)
    natsserver.eventually(lambda: _away(cluster, "n3"), "n3 missing")
    assert delivered.states(account) == {"n1": "same", "n2": "same", "n3": "waiting"}
    assert delivered.states(doomed) == {"n1": "missing", "n2": "missing", "n3": "waiting"}
    assert (delivered.row_of(account).state, delivered.row_of(doomed).state) == ("waiting", "waiting")

    three[2].start()

    def settled() -> bool:
        attending.once()
        return (
            set(delivered.states(account).values()) == {"same"} and delivered.row_of(doomed).state == "done"
        )

    natsserver.eventually(settled, "n3 getting what it missed", 30)
    with nodes.linked(three) as link:
        assert delivered.held(link, account, 3) == [delivered.text(account)] * 3
        lists = link.ask(messages.CLAIMS_LIST, expect=3).answers
        assert all(doomed.public_key not in answer.data for answer in lists)


def _away(cluster: Cluster, name: str) -> bool:
    attending.once()
    cluster.refresh_from_db()
    return Server.objects.get(cluster=cluster, name=name).seen_at < cluster.checked_at


def _strict(operator: Operator, *, strict: bool) -> Operator:
    edit = OperatorEdit(name=operator.name, require_signing_keys=strict)
    return operators.update(principal=make.COMMAND, operator=operator, edit=edit, version=operator.version)


def test_what_servers_refuse_is_shown_with_their_words_on_every_one(nats: natsserver.Stable) -> None:
    operator = _strict(make.operator(), strict=True)
    account = make.account(operator)
    three = nodes.start(nats, operator, 3)
    operator = _strict(operator, strict=False)
    signing_over.accounts_of(
        principal=make.COMMAND, operator=operator, source=account.issuer, target=operator.public_key
    )
    delivered.clustered(three)
    attending.once()
    row = delivered.row_of(account)
    said = "jwt update resulted in error - operator requires issuer to be a signing key"
    assert (row.state, row.problem) == ("refused", said)
    assert delivered.states(account) == {"n1": "refused", "n2": "refused", "n3": "refused"}
    assert set(Holding.objects.filter(account_key=account.public_key).values_list("said", flat=True)) == {
        said
    }


def test_what_servers_would_store_but_not_go_by_is_not_sent(nats: natsserver.Stable) -> None:
    operator = make.operator()
    expired, stranger = make.account(operator), make.account(operator)
    one = nodes.start(nats, operator)
    delivered.clustered(one)
    delivered.taken_over(expired, delivered.signed(expired, exp=expired.last_iat - 5))
    delivered.taken_over(stranger, delivered.signed(stranger, by=make.operator()))
    attending.once()
    assert delivered.row_of(expired).problem.startswith("It was not sent. It has expired")
    assert "which is no key of the operator" in delivered.row_of(stranger).problem
    assert {delivered.row_of(expired).state, delivered.row_of(stranger).state} == {"refused"}
    with nodes.linked(one) as link:
        assert delivered.held(link, expired, 1) == delivered.held(link, stranger, 1) == [""]


@pytest.mark.parametrize("kind", [Resolver.MEMORY, Resolver.CACHE])
def test_servers_without_a_store_of_their_own_are_told_by_the_accounts_own_subject(
    nats: natsserver.Stable, kind: Resolver
) -> None:
    operator = make.operator()
    account = make.account(operator)
    user = make.user(account)
    one = nodes.start(nats, operator, resolver=kind, preload_all=True)
    delivered.clustered(one)
    attending.once()
    assert delivered.row_of(account).state == "done"
    assert delivered.states(account) == {"n1": "lazy"}
    with _client(one, user):
        account = delivered.change(account)
        attending.once()
        assert (delivered.row_of(account).state, delivered.states(account)) == ("done", {"n1": "same"})
    with nodes.linked(one) as link:
        (info,) = link.ask(messages.of_account(account.public_key, "INFO")).answers
        assert info.data["jwt"] == delivered.text(account)


def test_a_full_server_and_a_cache_are_delivered_to_each_in_its_way(nats: natsserver.Stable) -> None:
    operator = make.operator()
    account = make.account(operator)
    two = nodes.start(nats, operator, 2, others=Resolver.CACHE)
    delivered.clustered(two)
    attending.once()
    assert (delivered.row_of(account).state, delivered.states(account)) == (
        "done",
        {"n1": "same", "n2": "lazy"},
    )
    with nodes.linked(two) as link:
        assert delivered.held(link, account, 1) == [delivered.text(account)]


def _client(at: nodes.Nodes, user: User) -> SystemLink:
    """Somebody who is connected, so that the server has their account loaded."""
    parsed = parse_creds(creds.creds_file(principal=make.COMMAND, user=user).text)
    login = TestUser(name=user.name, jwt=parsed.jwt, seed=parsed.seed)
    return SystemLink(Target(urls=at.urls, allow_loopback=True), login)


def test_a_deletion_that_servers_do_not_allow_is_told(nats: natsserver.Stable) -> None:
    operator = make.operator()
    account = make.account(operator)
    one = nodes.start(nats, operator, allow_delete=False)
    delivered.clustered(one)
    attending.once()
    accounts.delete(principal=make.COMMAND, account=account, version=account.version)
    with pytest.raises(IdentityError, match="don't allow it"):
        removing.remove(principal=make.COMMAND, operator=operator, public_key=account.public_key)
    Server.objects.update(allow_delete=None)  # as if it had not answered that
    removing.remove(principal=make.COMMAND, operator=operator, public_key=account.public_key)
    attending.once()
    row = delivered.row_of(account)
    assert row.state == "refused"
    assert "delete must be enabled in server config" in row.problem
    assert delivered.states(account) == {"n1": "extra"}


def test_a_deletion_goes_out_signed_by_a_key_that_the_servers_know(nats: natsserver.Stable) -> None:
    operator = make.operator()
    account = make.account(operator)
    one = nodes.start(nats, operator)
    delivered.clustered(one)
    attending.once()
    fresh = operator_keys.add(principal=make.COMMAND, operator=operator, version=operator.version)
    assert fresh
    accounts.delete(principal=make.COMMAND, account=account, version=account.version)
    removing.remove(principal=make.COMMAND, operator=operator, public_key=account.public_key)
    attending.once()
    assert (delivered.row_of(account).state, delivered.states(account)) == ("done", {"n1": "missing"})


def test_before_a_deletion_the_servers_say_what_hangs_on_the_account(nats: natsserver.Stable) -> None:
    operator = make.operator()
    limits = replace(OperatorLimits.unlimited(), mem_storage=NO_LIMIT, disk_storage=NO_LIMIT)
    account = make.account(operator, limits=limits)
    user = make.user(account)
    one = nodes.start(nats, operator, extra='jetstream { store_dir: "./js" }')
    cluster = delivered.clustered(one)
    attending.once()
    with _client(one, user) as link:
        wanted = {"name": "ORDERS", "subjects": ["orders.>"]}
        made = link.ask("$JS.API.STREAM.CREATE.ORDERS", json.dumps(wanted).encode(), seconds=5)
        assert "error" not in json.loads(made.payloads[0])
        link.ask("orders.new", b"x" * 100)
        make.server(cluster, name="n9")
        stakes.ask(principal=make.COMMAND, operator=operator, public_key=account.public_key)
        assert jobs.work_once(stakes.HANDLERS)
    job = stakes.latest(operator, account.public_key)
    assert job is not None
    (found,) = jobs.result_of(job)["clusters"]
    assert (found["name"], found["problem"], found["servers"]) == (cluster.name, "", 1)
    assert (found["connections"], found["streams"], found["stream_count"]) == (1, ["ORDERS"], 1)
    assert found["silent"] == ["n9"]
    assert found["bytes"] > 100


def test_of_several_accounts_each_is_compared_by_itself(nats: natsserver.Stable) -> None:
    operator = make.operator()
    newer, older, fresh = (make.account(operator) for _ in range(3))
    one = nodes.start(nats, operator)
    delivered.clustered(one)
    attending.once()
    theirs = delivered.pushed_elsewhere(one, newer, later=5)
    choosing.deliver_now(principal=make.COMMAND, account=newer)
    older, fresh = delivered.change(older), make.account(operator)
    attending.once()
    assert (delivered.row_of(newer).state, delivered.row_of(newer).found) == ("held", theirs)
    assert {delivered.row_of(older).state, delivered.row_of(fresh).state} == {"done"}
    with nodes.linked(one) as link:
        assert [delivered.held(link, account, 1) for account in (newer, older, fresh)] == [
            [theirs],
            [delivered.text(older)],
            [delivered.text(fresh)],
        ]
