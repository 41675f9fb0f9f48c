"""What an account uses of JetStream is told by real servers, by tier, each stream once whoever holds its replicas."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nats.js import JetStreamContext
from nats.js.errors import NoStreamResponseError

from identities.claims.limits import NO_LIMIT, JetStreamLimits
from identities.models import Account
from identities.resolver import messages, monitoring
from identities.resolver.observed import TierUse
from identities.resolver.system import SystemLink
from identities.services import accounts, changes, live
from tests import crew, make, natsclient, natsserver, nodes

pytestmark = pytest.mark.django_db
JETSTREAM = 'jetstream { store_dir: "./js", max_mem: 100M, max_file: 100M }'


def account_with_tiers(**tiers: JetStreamLimits) -> Account:
    account = make.account(make.operator())
    limits = replace(changes.claims_of(account).nats.limits, tiered_limits=tiers)
    return accounts.update_limits(
        principal=make.COMMAND, account=account, limits=limits, version=account.version
    )


async def _stored(context: JetStreamContext, subject: str, payload: bytes) -> None:
    """Publish; a stream on another server is heard of here a moment after it is made: nothing is stored till then."""
    deadline = time.monotonic() + 10
    while True:
        try:
            await context.publish(subject, payload)
            return
        except NoStreamResponseError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.02)


def fill(url: str, creds: Path, *streams: dict[str, Any]) -> None:
    """Make streams, with three messages of a kilobyte each."""

    async def work() -> None:
        async with natsclient.connected(url, creds) as held:
            context = held.client.jetstream(timeout=10)
            for number, stream in enumerate(streams):
                await context.add_stream(name=f"S{number}", subjects=[f"s{number}.>"], **stream)
                for _ in range(3):
                    await _stored(context, f"s{number}.a", b"x" * 1000)

    with ThreadPoolExecutor(max_workers=1) as threads:
        threads.submit(asyncio.run, work()).result()


@pytest.mark.parametrize("servers", [1, 3])
def test_streams_are_counted_once_and_by_tier(nats: natsserver.Stable, tmp_path: Path, servers: int) -> None:
    roomy = JetStreamLimits(mem_storage=NO_LIMIT, disk_storage=NO_LIMIT, streams=NO_LIMIT, consumer=NO_LIMIT)
    account = account_with_tiers(R1=roomy, R3=roomy)
    creds = crew.creds_file(tmp_path, make.user(account))
    running = nodes.start(nats, account.operator, servers, extra=JETSTREAM)
    cluster = nodes.cluster(running)
    assert account.token is not None
    with nodes.linked(running) as link:
        link.ask(messages.CLAIMS_UPDATE, account.token.text.encode(), expect=servers)
        if servers > 1:
            natsserver.eventually(lambda: _elected(link), "a leader", 30)
        natsserver.eventually(lambda: _enabled(link, account, servers), "the account's JetStream everywhere")
        more = [{"num_replicas": 3}] if servers > 1 else []
        fill(running[0].url, creds, {"storage": "file"}, {"storage": "memory"}, *more)
        live.watch(cluster, account=account.public_key)

        def told() -> list[TierUse]:
            reply = link.ask_all([monitoring.jsz(account.public_key, servers)])[0]
            return list(monitoring.tiers_of(reply.answers))

        natsserver.eventually(
            lambda: sum(tier.streams for tier in told()) == 2 + len(more), "the streams", 10
        )
        tiers = {tier.tier: tier for tier in told()}
        assert (tiers["R1"].streams, servers > 1) == (2, "R3" in tiers)
        assert 3000 < tiers["R1"].disk < 4000
        assert 3000 < tiers["R1"].memory < 4000
        if servers > 1:
            assert 3000 < tiers["R3"].disk < 4000
        assert live.refresh(cluster, link) == 1
        body = live.body_of(live.watch(cluster, account=account.public_key))
        assert sum(tier["streams"] for tier in body["tiers"]) == 2 + len(more)


def _enabled(link: SystemLink, account: Account, servers: int) -> bool:
    """Whether every server has loaded the account with its JetStream: until then it may refuse a first stream."""
    wanted = json.dumps({"acc": account.public_key, "subject": "nobody.listens"}).encode()
    link.ask(messages.ACCOUNT_NSUBS, wanted, expect=servers)
    answers = link.ask_all([monitoring.jsz(account.public_key, servers)])[0].answers
    return sum(answer.ok for answer in answers) == servers


def _elected(link: Any) -> bool:
    answers = link.ask(messages.of_every_server("JSZ"), expect=3).answers
    return any((answer.data or {}).get("meta_cluster", {}).get("leader") for answer in answers if answer.ok)
