"""Delivery where servers hold what was made elsewhere: never overwritten unasked, and nobody let in again by it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from identities.claims import codec
from identities.formats.server_config import Resolver
from identities.models import Holding
from identities.resolver import messages
from identities.services import (
    accounts,
    attending,
    changes,
    choosing,
    comparing,
    drifting,
)
from identities.services.delivering_checks import digest
from tests import make, natsserver, nodes
from tests.interop import delivered

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = True


def test_a_newer_jwt_that_a_server_without_a_store_goes_by_is_not_overwritten(
    nats: natsserver.Stable,
) -> None:
    operator = make.operator()
    account = make.account(operator)
    one = nodes.start(nats, operator, resolver=Resolver.MEMORY, preload_all=True)
    cluster = delivered.clustered(one)
    loads = json.dumps({"acc": account.public_key, "subject": "x"}).encode()
    with nodes.linked(one) as link:
        link.ask(messages.ACCOUNT_NSUBS, loads)
    attending.once()
    assert delivered.states(account) == {"n1": "same"}
    account = delivered.change(account)
    theirs = delivered.signed(
        account, later=2, nats=replace(changes.claims_of(account).nats, description="elsewhere")
    )
    update = messages.of_account(account.public_key, "CLAIMS.UPDATE")
    with nodes.linked(one) as link:
        assert [each.words for each in link.ask(update, theirs.encode()).answers] == ["jwt updated"]
    attending.once()
    row = delivered.row_of(account)
    assert (row.state, row.found) == ("held", theirs)
    assert delivered.states(account) == {"n1": "newer"}
    with nodes.linked(one) as link:
        info = link.ask(messages.of_account(account.public_key, "INFO")).answers
    assert info[0].data["jwt"] == theirs
    choosing.replace_theirs(principal=make.COMMAND, account=account, cluster=cluster, found=digest(theirs))
    attending.once()
    assert (delivered.row_of(account).state, delivered.states(account)) == ("done", {"n1": "same"})
    with nodes.linked(one) as link:
        info = link.ask(messages.of_account(account.public_key, "INFO")).answers
    assert info[0].data["jwt"] == delivered.text(account)


def test_a_newer_jwt_there_is_not_overwritten_and_a_person_chooses(nats: natsserver.Stable) -> None:
    operator = make.operator()
    kept, replaced, twin = (make.account(operator) for _ in range(3))
    three = nodes.start(nats, operator, 2)
    cluster = delivered.clustered(three)
    attending.once()
    theirs = {one: delivered.pushed_elsewhere(three, one, later=5) for one in (kept, replaced)}
    theirs[twin] = delivered.pushed_elsewhere(three, twin, later=0)
    for account in theirs:
        choosing.deliver_now(principal=make.COMMAND, account=account)
    attending.once()
    for account, their_text in theirs.items():
        row = delivered.row_of(account)
        assert (row.state, row.found) == ("held", their_text)
        with nodes.linked(three) as link:
            assert delivered.held(link, account, 2) == [their_text] * 2
    assert delivered.states(kept) == {"n1": "newer", "n2": "newer"}
    assert delivered.states(twin) == {"n1": "different", "n2": "different"}

    who: Any = {"principal": make.COMMAND, "cluster": cluster}
    with pytest.raises(choosing.Decided, match="yet another"):
        choosing.keep_theirs(**who, account=kept, found="0" * 64)
    choosing.keep_theirs(**who, account=kept, found=digest(theirs[kept]))
    choosing.replace_theirs(**who, account=replaced, found=digest(theirs[replaced]))
    choosing.keep_theirs(**who, account=twin, found=digest(theirs[twin]))
    attending.once()
    assert delivered.text(kept) == theirs[kept]
    assert delivered.text(replaced) != theirs[replaced]
    replaced.refresh_from_db()
    assert replaced.last_iat > codec.decode(theirs[replaced]).claims.iat
    twin.refresh_from_db()
    assert changes.claims_of(twin).nats.description == "from elsewhere"
    with nodes.linked(three) as link:
        for account in theirs:
            assert delivered.row_of(account).state == "done"
            assert delivered.held(link, account, 2) == [delivered.text(account)] * 2


def test_what_was_not_made_here_is_held_though_it_is_older_and_a_person_chooses(
    nats: natsserver.Stable,
) -> None:
    operator = make.operator()
    kept, replaced, old = (make.account(operator) for _ in range(3))
    two = nodes.start(nats, operator, 2)
    cluster = delivered.clustered(two)
    attending.once()
    theirs = {one: delivered.pushed_elsewhere(two, one, later=1) for one in (kept, replaced)}
    before = delivered.pushed_elsewhere(two, old, later=-100)  # older than all that is known of the account
    for account in (kept, replaced, old):
        delivered.change(delivered.change(account))
    attending.once()
    for account, their_text in theirs.items():
        row = delivered.row_of(account)
        assert (row.state, row.found) == ("held", their_text)
        assert row.problem.startswith("A server holds a JWT that was not made here, from 2")
        assert delivered.states(account) == {"n1": "different", "n2": "different"}
    assert delivered.row_of(old).state == "done"
    with nodes.linked(two) as link:
        assert [delivered.held(link, one, 2) for one in (kept, replaced)] == [
            [text] * 2 for text in theirs.values()
        ]
        assert before not in delivered.held(link, old, 2)
        comparing.compare(cluster, link)
    assert delivered.states(kept) == {"n1": "different", "n2": "different"}
    assert drifting.deliver(principal=make.COMMAND, cluster=cluster) == 0

    ours = {one: delivered.text(one) for one in theirs}
    who: Any = {"principal": make.COMMAND, "cluster": cluster}
    choosing.keep_theirs(**who, account=kept, found=digest(theirs[kept]))
    choosing.replace_theirs(**who, account=replaced, found=digest(theirs[replaced]))
    attending.once()
    assert delivered.text(replaced) == ours[replaced]
    assert codec.decode(delivered.text(kept)).claims.iat > codec.decode(ours[kept]).claims.iat
    assert changes.claims_of(kept).nats.description == "from elsewhere"
    assert "*" in changes.claims_of(kept).nats.revocations  # of which theirs knew nothing
    with nodes.linked(two) as link:
        for account in theirs:
            assert delivered.row_of(account).state == "done"
            assert delivered.held(link, account, 2) == [delivered.text(account)] * 2


def test_a_jwt_from_the_future_is_taken_over_as_one_of_today_and_nobody_is_kept_from_being_locked_out(
    nats: natsserver.Stable,
) -> None:
    operator = make.operator()
    there, here = make.account(operator), make.account(operator)
    two = nodes.start(nats, operator, 2)
    cluster = delivered.clustered(two)
    attending.once()
    theirs = delivered.pushed_elsewhere(two, there, later=86_400)
    delivered.taken_over(
        here, delivered.pushed_elsewhere(two, here, later=86_400)
    )  # as it was done before it was refused
    choosing.deliver_now(principal=make.COMMAND, account=there)
    attending.once()
    assert delivered.row_of(there).found == theirs
    choosing.keep_theirs(principal=make.COMMAND, account=there, cluster=cluster, found=digest(theirs))
    here.refresh_from_db()
    ahead = here.last_iat
    accounts.revoke(principal=make.COMMAND, account=here, entries={"*": ahead - 86_400})
    attending.once()
    assert codec.decode(delivered.text(there)).claims.iat < ahead - 86_000
    assert changes.claims_of(there).nats.description == "from elsewhere"
    assert codec.decode(delivered.text(here)).claims.iat == ahead + 1
    with nodes.linked(two) as link:
        for account in (there, here):
            assert delivered.row_of(account).state == "done"
            assert delivered.held(link, account, 2) == [delivered.text(account)] * 2


def test_what_a_stranger_signed_is_refused_on_every_server_that_stores_it(nats: natsserver.Stable) -> None:
    operator = make.operator()
    account = make.account(operator)
    two = nodes.start(nats, operator, 2)
    cluster = delivered.clustered(two)
    attending.once()
    made = delivered.signed(account, later=3, by=make.operator())
    with nodes.linked(two) as link:
        link.ask(messages.CLAIMS_UPDATE, made.encode(), expect=2)
        comparing.compare(cluster, link)
        assert delivered.states(account) == {"n1": "newer", "n2": "newer"}
        delivered.taken_over(account, made)
        choosing.deliver_now(principal=make.COMMAND, account=account)
        attending.once()
        assert delivered.row_of(account).problem.startswith("It was not sent. It is signed by")
        assert delivered.states(account) == {"n1": "refused", "n2": "refused"}
        assert comparing.compare(cluster, link)["refused"] == 2
    said = set(Holding.objects.filter(account_key=account.public_key).values_list("said", flat=True))
    assert len(said) == 1
    assert "no key of the operator" in said.pop()
