"""A signing key that servers run without: what it signed is told as refused there, until they are restarted with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from identities.models import Delivery, Holding
from identities.resolver import messages
from identities.services import accounts, attending, changes, comparing, links, operator_keys, outbox
from tests import make, natsserver, nodes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = True


def held(key: str) -> tuple[str, str]:
    row = Holding.objects.get(account_key=key, server__name="n1")
    return row.state, row.said


def test_what_a_server_stores_and_does_not_go_by_is_no_delivery(nats: natsserver.Stable) -> None:
    operator = make.operator(generate_signing_key=False)
    account = make.account(operator, "team")
    one = nodes.start(nats, operator)
    cluster = nodes.cluster(one)
    outbox.wake_all(principal=make.COMMAND, cluster=cluster)
    attending.once()
    assert held(account.public_key) == ("same", "jwt updated")
    first = account.token
    assert first is not None

    operator = operator_keys.add(principal=make.COMMAND, operator=operator, version=operator.version)
    (key,) = changes.claims_of(operator).nats.signing_keys
    account.refresh_from_db()
    account = accounts.rewrite(
        principal=make.COMMAND,
        account=account,
        plan=lambda row: changes.plan(
            row, lambda claims: replace(claims, nats=replace(claims.nats, description="new")), now=0
        ),
        version=account.version,
        done="Described account",
        signer=key,
    )
    assert account.issuer == key
    attending.once()
    state, said = held(account.public_key)
    assert state == "refused"
    assert "does not name the key that signed it" in said
    row = Delivery.objects.get(account_key=account.public_key)
    assert (row.state, row.problem) == ("refused", said)
    assert account.token is not None
    with nodes.linked(one) as link:  # what is told of it is true: stored, and not gone by
        stored = link.ask(messages.of_account(account.public_key, "CLAIMS.LOOKUP"), expect=1).payloads
        link.ask(
            messages.ACCOUNT_NSUBS, b'{"acc": "%s", "subject": "x"}' % account.public_key.encode(), expect=1
        )
        info = link.ask(messages.of_account(account.public_key, "INFO"), expect=1).answers
    assert stored == [account.token.text.encode()]
    assert not info[0].ok or info[0].data["jwt"] != account.token.text
    for _ in range(2):  # a comparison sees no more in it
        with links.linked(cluster) as link:
            counts = comparing.compare(cluster, link)
        assert counts["refused"] == 1
        assert held(account.public_key) == (state, said)

    early = make.account(operator, "early")
    assert early.issuer == operator.public_key  # it is trusted already
    attending.once()
    assert held(early.public_key)[0] == "same"

    one[0].stop()
    one[0].config.write_text(f"server_name: n1\n{nodes.config(operator)}", encoding="utf-8")
    one[0].start()

    def delivered() -> bool:
        attending.once()
        return held(account.public_key)[0] == "same"

    natsserver.eventually(delivered, "the restarted server going by it", 20)
    assert Delivery.objects.get(account_key=account.public_key).state == "done"
    assert make.account(operator, "late").issuer == key
