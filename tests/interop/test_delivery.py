"""Delivery to real servers: refusals in their words, never older over newer, and what one missed is made up for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from identities.claims import codec
from identities.claims.drafts import OperatorEdit
from identities.claims.limits import NO_LIMIT, OperatorLimits
from identities.errors import IdentityError
from identities.formats.creds import parse_creds
from identities.formats.server_config import Resolver
from identities.models import Account, Cluster, Delivery, Holding, Key, Operator, Server, User
from identities.resolver import messages
from identities.resolver.plan import TestUser
from identities.resolver.system import SystemLink, Target
from identities.services import (
    accounts,
    attending,
    changes,
    choosing,
    comparing,
    creds,
    drifting,
    jobs,
    operator_keys,
    operators,
    outbox,
    removing,
    signing,
    signing_over,
    stakes,
)
from identities.services.delivering_checks import digest
from tests import make, natsserver, nodes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = True


def row_of(account: Account) -> Delivery:
    return Delivery.objects.get(account_key=account.public_key)


def states(account: Account) -> dict[str, str]:
    """What each server was seen to hold of an account."""
    rows = Holding.objects.filter(account_key=account.public_key).select_related("server")
    return {row.server.name: row.state for row in rows}


def change(account: Account) -> Account:
    account.refresh_from_db()
    at = account.last_iat
    return accounts.revoke(principal=make.COMMAND, account=account, entries={"*": at - 100})


def held(link: SystemLink, account: Account, servers: int) -> list[str]:
    reply = link.ask(messages.of_account(account.public_key, "CLAIMS.LOOKUP"), expect=servers)
    return [payload.decode() for payload in reply.payloads]


def text(account: Account) -> str:
    account.refresh_from_db()
    assert account.token is not None
    return account.token.text


def clustered(three: nodes.Nodes) -> Cluster:
    cluster = nodes.cluster(three)
    outbox.wake_all(principal=make.COMMAND, cluster=cluster)
    return cluster


def test_what_one_stopped_server_missed_it_gets_when_it_is_back_deletes_too(nats: natsserver.Stable) -> None:
    operator = make.operator()
    account, doomed = make.account(operator), make.account(operator)
    three = nodes.start(nats, operator, 3)
    cluster = clustered(three)
    attending.once()
    assert states(account) == {"n1": "same", "n2": "same", "n3": "same"}
    assert {row.state for row in Delivery.objects.all()} == {"done"}

    three[2].stop()
    account = change(account)
    accounts.delete(principal=make.COMMAND, account=doomed, version=doomed.version)
    removing.remove(principal=make.COMMAND, operator=operator, public_key=doomed.public_key)
    natsserver.eventually(lambda: _away(cluster, "n3"), "n3 missing")
    assert states(account) == {"n1": "same", "n2": "same", "n3": "waiting"}
    assert states(doomed) == {"n1": "missing", "n2": "missing", "n3": "waiting"}
    assert (row_of(account).state, row_of(doomed).state) == ("waiting", "waiting")

    three[2].start()

    def settled() -> bool:
        attending.once()
        return set(states(account).values()) == {"same"} and row_of(doomed).state == "done"

    natsserver.eventually(settled, "n3 getting what it missed", 30)
    with nodes.linked(three) as link:
        assert held(link, account, 3) == [text(account)] * 3
        lists = link.ask(messages.CLAIMS_LIST, expect=3).answers
        assert all(doomed.public_key not in answer.data for answer in lists)


def _away(cluster: Cluster, name: str) -> bool:
    attending.once()
    cluster.refresh_from_db()
    return Server.objects.get(cluster=cluster, name=name).seen_at < cluster.checked_at


def _strict(operator: Operator, *, strict: bool) -> Operator:
    edit = OperatorEdit(name=operator.name, require_signing_keys=strict)
    return operators.update(principal=make.COMMAND, operator=operator, edit=edit, version=operator.version)


def _signed(account: Account, *, later: int = 0, by: Operator | None = None, **fields: Any) -> str:
    """The account's claims, changed and signed where nscweb does not see it."""
    account.refresh_from_db()
    claims = replace(changes.claims_of(account), **fields)
    key = Key.objects.get(public_key=account.issuer if by is None else by.public_key)
    with signing.signer_for(key) as signer:
        return codec.encode(claims, signer, account.last_iat + later).text


def _pushed_elsewhere(at: nodes.Nodes, account: Account, *, later: int) -> str:
    body = replace(changes.claims_of(account).nats, description="from elsewhere")
    made = _signed(account, later=later, nats=body)
    with nodes.linked(at) as link:
        answers = link.ask(messages.CLAIMS_UPDATE, made.encode(), expect=len(at.servers)).answers
    assert {answer.words for answer in answers} == {"jwt updated"}
    return made


def _taken_over(account: Account, made: str) -> None:
    """Put a JWT into the account's row that nscweb itself would not sign."""
    token = codec.decode(made)
    entry = signing.ledger_row(
        token, principal=make.COMMAND, operator=account.operator, reason="test", origin="imported"
    )
    entry.save()
    claims = token.claims
    said = {"claims": token.payload, "last_iat": claims.iat, "issuer": claims.iss}
    Account.objects.filter(pk=account.pk).update(token=entry, **said)


def test_what_servers_refuse_is_shown_with_their_words_on_every_one(nats: natsserver.Stable) -> None:
    operator = _strict(make.operator(), strict=True)
    account = make.account(operator)
    three = nodes.start(nats, operator, 3)
    operator = _strict(operator, strict=False)
    signing_over.accounts_of(
        principal=make.COMMAND, operator=operator, source=account.issuer, target=operator.public_key
    )
    clustered(three)
    attending.once()
    row = row_of(account)
    said = "jwt update resulted in error - operator requires issuer to be a signing key"
    assert (row.state, row.problem) == ("refused", said)
    assert states(account) == {"n1": "refused", "n2": "refused", "n3": "refused"}
    assert set(Holding.objects.filter(account_key=account.public_key).values_list("said", flat=True)) == {
        said
    }


def test_a_newer_jwt_that_a_server_without_a_store_goes_by_is_not_overwritten(
    nats: natsserver.Stable,
) -> None:
    operator = make.operator()
    account = make.account(operator)
    one = nodes.start(nats, operator, resolver=Resolver.MEMORY, preload_all=True)
    cluster = clustered(one)
    loads = json.dumps({"acc": account.public_key, "subject": "x"}).encode()
    with nodes.linked(one) as link:
        link.ask(messages.ACCOUNT_NSUBS, loads)
    attending.once()
    assert states(account) == {"n1": "same"}
    account = change(account)
    theirs = _signed(account, later=2, nats=replace(changes.claims_of(account).nats, description="elsewhere"))
    update = messages.of_account(account.public_key, "CLAIMS.UPDATE")
    with nodes.linked(one) as link:
        assert [each.words for each in link.ask(update, theirs.encode()).answers] == ["jwt updated"]
    attending.once()
    row = row_of(account)
    assert (row.state, row.found) == ("held", theirs)
    assert states(account) == {"n1": "newer"}
    with nodes.linked(one) as link:
        info = link.ask(messages.of_account(account.public_key, "INFO")).answers
    assert info[0].data["jwt"] == theirs
    choosing.replace_theirs(principal=make.COMMAND, account=account, cluster=cluster, found=digest(theirs))
    attending.once()
    assert (row_of(account).state, states(account)) == ("done", {"n1": "same"})
    with nodes.linked(one) as link:
        info = link.ask(messages.of_account(account.public_key, "INFO")).answers
    assert info[0].data["jwt"] == text(account)


def test_a_newer_jwt_there_is_not_overwritten_and_a_person_chooses(nats: natsserver.Stable) -> None:
    operator = make.operator()
    kept, replaced, twin = (make.account(operator) for _ in range(3))
    three = nodes.start(nats, operator, 2)
    cluster = clustered(three)
    attending.once()
    theirs = {one: _pushed_elsewhere(three, one, later=5) for one in (kept, replaced)}
    theirs[twin] = _pushed_elsewhere(three, twin, later=0)
    for account in theirs:
        choosing.deliver_now(principal=make.COMMAND, account=account)
    attending.once()
    for account, their_text in theirs.items():
        row = row_of(account)
        assert (row.state, row.found) == ("held", their_text)
        with nodes.linked(three) as link:
            assert held(link, account, 2) == [their_text] * 2
    assert states(kept) == {"n1": "newer", "n2": "newer"}
    assert states(twin) == {"n1": "different", "n2": "different"}

    who: Any = {"principal": make.COMMAND, "cluster": cluster}
    with pytest.raises(choosing.Decided, match="yet another"):
        choosing.keep_theirs(**who, account=kept, found="0" * 64)
    choosing.keep_theirs(**who, account=kept, found=digest(theirs[kept]))
    choosing.replace_theirs(**who, account=replaced, found=digest(theirs[replaced]))
    choosing.keep_theirs(**who, account=twin, found=digest(theirs[twin]))
    attending.once()
    assert text(kept) == theirs[kept]
    assert text(replaced) != theirs[replaced]
    replaced.refresh_from_db()
    assert replaced.last_iat > codec.decode(theirs[replaced]).claims.iat
    twin.refresh_from_db()
    assert changes.claims_of(twin).nats.description == "from elsewhere"
    with nodes.linked(three) as link:
        for account in theirs:
            assert row_of(account).state == "done"
            assert held(link, account, 2) == [text(account)] * 2


def test_what_was_not_made_here_is_held_though_it_is_older_and_a_person_chooses(
    nats: natsserver.Stable,
) -> None:
    operator = make.operator()
    kept, replaced, old = (make.account(operator) for _ in range(3))
    two = nodes.start(nats, operator, 2)
    cluster = clustered(two)
    attending.once()
    theirs = {one: _pushed_elsewhere(two, one, later=1) for one in (kept, replaced)}
    before = _pushed_elsewhere(two, old, later=-100)  # older than all that is known of the account
    for account in (kept, replaced, old):
        change(change(account))
    attending.once()
    for account, their_text in theirs.items():
        row = row_of(account)
        assert (row.state, row.found) == ("held", their_text)
        assert row.problem.startswith("A server holds a JWT that was not made here, from 2")
        assert states(account) == {"n1": "different", "n2": "different"}
    assert row_of(old).state == "done"
    with nodes.linked(two) as link:
        assert [held(link, one, 2) for one in (kept, replaced)] == [[text] * 2 for text in theirs.values()]
        assert before not in held(link, old, 2)
        comparing.compare(cluster, link)
    assert states(kept) == {"n1": "different", "n2": "different"}
    assert drifting.deliver(principal=make.COMMAND, cluster=cluster) == 0

    ours = {one: text(one) for one in theirs}
    who: Any = {"principal": make.COMMAND, "cluster": cluster}
    choosing.keep_theirs(**who, account=kept, found=digest(theirs[kept]))
    choosing.replace_theirs(**who, account=replaced, found=digest(theirs[replaced]))
    attending.once()
    assert text(replaced) == ours[replaced]
    assert codec.decode(text(kept)).claims.iat > codec.decode(ours[kept]).claims.iat
    assert changes.claims_of(kept).nats.description == "from elsewhere"
    assert "*" in changes.claims_of(kept).nats.revocations  # of which theirs knew nothing
    with nodes.linked(two) as link:
        for account in theirs:
            assert row_of(account).state == "done"
            assert held(link, account, 2) == [text(account)] * 2


def test_a_jwt_from_the_future_is_taken_over_as_one_of_today_and_nobody_is_kept_from_being_locked_out(
    nats: natsserver.Stable,
) -> None:
    operator = make.operator()
    there, here = make.account(operator), make.account(operator)
    two = nodes.start(nats, operator, 2)
    cluster = clustered(two)
    attending.once()
    theirs = _pushed_elsewhere(two, there, later=86_400)
    _taken_over(here, _pushed_elsewhere(two, here, later=86_400))  # as it was done before it was refused
    choosing.deliver_now(principal=make.COMMAND, account=there)
    attending.once()
    assert row_of(there).found == theirs
    choosing.keep_theirs(principal=make.COMMAND, account=there, cluster=cluster, found=digest(theirs))
    here.refresh_from_db()
    ahead = here.last_iat
    accounts.revoke(principal=make.COMMAND, account=here, entries={"*": ahead - 86_400})
    attending.once()
    assert codec.decode(text(there)).claims.iat < ahead - 86_000
    assert changes.claims_of(there).nats.description == "from elsewhere"
    assert codec.decode(text(here)).claims.iat == ahead + 1
    with nodes.linked(two) as link:
        for account in (there, here):
            assert row_of(account).state == "done"
            assert held(link, account, 2) == [text(account)] * 2


def test_what_a_stranger_signed_is_refused_on_every_server_that_stores_it(nats: natsserver.Stable) -> None:
    operator = make.operator()
    account = make.account(operator)
    two = nodes.start(nats, operator, 2)
    cluster = clustered(two)
    attending.once()
    made = _signed(account, later=3, by=make.operator())
    with nodes.linked(two) as link:
        link.ask(messages.CLAIMS_UPDATE, made.encode(), expect=2)
        comparing.compare(cluster, link)
        assert states(account) == {"n1": "newer", "n2": "newer"}
        _taken_over(account, made)
        choosing.deliver_now(principal=make.COMMAND, account=account)
        attending.once()
        assert row_of(account).problem.startswith("It was not sent. It is signed by")
        assert states(account) == {"n1": "refused", "n2": "refused"}
        assert comparing.compare(cluster, link)["refused"] == 2
    said = set(Holding.objects.filter(account_key=account.public_key).values_list("said", flat=True))
    assert len(said) == 1
    assert "no key of the operator" in said.pop()


def test_what_servers_would_store_but_not_go_by_is_not_sent(nats: natsserver.Stable) -> None:
    operator = make.operator()
    expired, stranger = make.account(operator), make.account(operator)
    one = nodes.start(nats, operator)
    clustered(one)
    _taken_over(expired, _signed(expired, exp=expired.last_iat - 5))
    _taken_over(stranger, _signed(stranger, by=make.operator()))
    attending.once()
    assert row_of(expired).problem.startswith("It was not sent. It has expired")
    assert "which is no key of the operator" in row_of(stranger).problem
    assert {row_of(expired).state, row_of(stranger).state} == {"refused"}
    with nodes.linked(one) as link:
        assert held(link, expired, 1) == held(link, stranger, 1) == [""]


@pytest.mark.parametrize("kind", [Resolver.MEMORY, Resolver.CACHE])
def test_servers_without_a_store_of_their_own_are_told_by_the_accounts_own_subject(
    nats: natsserver.Stable, kind: Resolver
) -> None:
    operator = make.operator()
    account = make.account(operator)
    user = make.user(account)
    one = nodes.start(nats, operator, resolver=kind, preload_all=True)
    clustered(one)
    attending.once()
    assert row_of(account).state == "done"
    assert states(account) == {"n1": "lazy"}
    with _client(one, user):
        account = change(account)
        attending.once()
        assert (row_of(account).state, states(account)) == ("done", {"n1": "same"})
    with nodes.linked(one) as link:
        (info,) = link.ask(messages.of_account(account.public_key, "INFO")).answers
        assert info.data["jwt"] == text(account)


def test_a_full_server_and_a_cache_are_delivered_to_each_in_its_way(nats: natsserver.Stable) -> None:
    operator = make.operator()
    account = make.account(operator)
    two = nodes.start(nats, operator, 2, others=Resolver.CACHE)
    clustered(two)
    attending.once()
    assert (row_of(account).state, states(account)) == ("done", {"n1": "same", "n2": "lazy"})
    with nodes.linked(two) as link:
        assert held(link, account, 1) == [text(account)]


def _client(at: nodes.Nodes, user: User) -> SystemLink:
    """Somebody who is connected, so that the server has their account loaded."""
    parsed = parse_creds(creds.creds_file(principal=make.COMMAND, user=user).text)
    login = TestUser(name=user.name, jwt=parsed.jwt, seed=parsed.seed)
    return SystemLink(Target(urls=at.urls, allow_loopback=True), login)


def test_a_deletion_that_servers_do_not_allow_is_told(nats: natsserver.Stable) -> None:
    operator = make.operator()
    account = make.account(operator)
    one = nodes.start(nats, operator, allow_delete=False)
    clustered(one)
    attending.once()
    accounts.delete(principal=make.COMMAND, account=account, version=account.version)
    with pytest.raises(IdentityError, match="don't allow it"):
        removing.remove(principal=make.COMMAND, operator=operator, public_key=account.public_key)
    Server.objects.update(allow_delete=None)  # as if it had not answered that
    removing.remove(principal=make.COMMAND, operator=operator, public_key=account.public_key)
    attending.once()
    row = row_of(account)
    assert row.state == "refused"
    assert "delete must be enabled in server config" in row.problem
    assert states(account) == {"n1": "extra"}


def test_a_deletion_goes_out_signed_by_a_key_that_the_servers_know(nats: natsserver.Stable) -> None:
    operator = make.operator()
    account = make.account(operator)
    one = nodes.start(nats, operator)
    clustered(one)
    attending.once()
    fresh = operator_keys.add(principal=make.COMMAND, operator=operator, version=operator.version)
    assert fresh
    accounts.delete(principal=make.COMMAND, account=account, version=account.version)
    removing.remove(principal=make.COMMAND, operator=operator, public_key=account.public_key)
    attending.once()
    assert (row_of(account).state, states(account)) == ("done", {"n1": "missing"})


def test_before_a_deletion_the_servers_say_what_hangs_on_the_account(nats: natsserver.Stable) -> None:
    operator = make.operator()
    limits = replace(OperatorLimits.unlimited(), mem_storage=NO_LIMIT, disk_storage=NO_LIMIT)
    account = make.account(operator, limits=limits)
    user = make.user(account)
    one = nodes.start(nats, operator, extra='jetstream { store_dir: "./js" }')
    cluster = clustered(one)
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
    clustered(one)
    attending.once()
    theirs = _pushed_elsewhere(one, newer, later=5)
    choosing.deliver_now(principal=make.COMMAND, account=newer)
    older, fresh = change(older), make.account(operator)
    attending.once()
    assert (row_of(newer).state, row_of(newer).found) == ("held", theirs)
    assert {row_of(older).state, row_of(fresh).state} == {"done"}
    with nodes.linked(one) as link:
        assert [held(link, account, 1) for account in (newer, older, fresh)] == [
            [theirs],
            [text(older)],
            [text(fresh)],
        ]
