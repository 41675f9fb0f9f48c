"""Whoever is deleted, suspended, revoked or has a new key is off every server, which is proven; neighbours stay."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.errors import IdentityError
from identities.models import (
    Account,
    Delivery,
    DeliveryState,
    Holding,
    HoldingState,
    Job,
    JobState,
    Server,
    User,
)
from identities.resolver import messages
from identities.services import (
    accounts,
    biting,
    clock,
    jobs,
    lockouts,
    revocations,
    signing_keys,
    suspensions,
    user_keys,
    users,
)
from tests import crew, make, natsclient, natsserver, nodes

pytestmark = pytest.mark.django_db
HANDLERS = {lockouts.KIND: biting.HANDLER}


class World:
    """Three servers that hold an account with two users, each of them connected to every server."""

    def __init__(self, nats: natsserver.Stable, folder: Path, number: int = 3) -> None:
        self.folder = folder
        self.operator = make.operator()
        self.account = make.account(self.operator)
        self.alice, self.bob = make.user(self.account, "alice"), make.user(self.account, "bob")
        self.nodes = nodes.start(nats, self.operator, number)
        self.cluster = nodes.cluster(self.nodes)
        moment = clock.now()
        for name in ("n1", "n2", "n3")[:number]:
            Server.objects.create(
                cluster=self.cluster,
                name=name,
                nats_cluster="test" if number > 1 else "",
                first_seen_at=moment,
                seen_at=moment,
            )
        self.deliver()
        self.creds = {user.name: crew.creds_file(folder, user) for user in (self.alice, self.bob)}

    def join(self, clients: crew.Crew, *names: str) -> None:
        for name in names or ("alice", "bob"):
            for number, server in enumerate(self.nodes.servers):
                clients.join(f"{name}{number}", server.url, self.creds[name])

    def deliver(self, to: int | None = None) -> None:
        """Send the account as it is now, and write what a delivery writes."""
        account = Account.objects.select_related("token").get(pk=self.account.pk)
        assert account.token is not None
        text = account.token.text.encode()
        with nodes.linked(self.nodes) as link:
            replies = link.ask(messages.CLAIMS_UPDATE, text, expect=to or len(self.nodes.servers))
        assert all(answer.words == "jwt updated" for answer in replies.answers)
        assert replies.complete
        moment = clock.now()
        Delivery.objects.update_or_create(
            cluster=self.cluster,
            account_key=account.public_key,
            defaults={
                "state": DeliveryState.DONE, "generation": 1, "delivered": 1, "run_at": moment, "by": "test",
                "by_name": "test", "created_at": moment, "updated_at": moment,
            },
        )  # fmt: skip
        for server in Server.objects.filter(cluster=self.cluster):
            Holding.objects.update_or_create(
                server=server,
                account_key=account.public_key,
                defaults={
                    "state": HoldingState.SAME,
                    "digest": hashlib.sha256(text).hexdigest(),
                    "said": "jwt updated",
                    "at": moment,
                },
            )
        self.account = account

    def bite(self) -> dict[str, Any]:
        """Deliver, and let the worker do what it has to."""
        job = Job.objects.filter(kind=lockouts.KIND).latest("pk")
        assert job.state == JobState.QUEUED
        self.deliver()
        assert jobs.work_once(HANDLERS)
        job.refresh_from_db()
        assert job.state == JobState.DONE, job.error
        return jobs.result_of(job)


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = True


def kicks(result: dict[str, Any]) -> dict[str, tuple[int, int, int]]:
    (step,) = result["clusters"]
    return {one["name"]: (one["found"], one["left"], one["others"]) for one in step["kicks"]}


def test_a_deleted_user_is_gone_from_every_server_within_seconds_and_its_neighbours_stay(
    nats: natsserver.Stable, tmp_path: Path
) -> None:
    world = World(nats, tmp_path)
    with crew.Crew() as clients:
        world.join(clients)
        began = time.monotonic()
        users.delete(principal=make.COMMAND, user=world.alice, version=world.alice.version)
        result = world.bite()
        natsserver.eventually(lambda: not any(clients.is_on(f"alice{n}") for n in range(3)), "the end", 5)
        assert time.monotonic() - began < 5
        assert all(clients.is_on(f"bob{n}") for n in range(3))
        assert result["proven"] is True
        assert {name: left for name, (_, left, _) in kicks(result).items()} == {"n1": 0, "n2": 0, "n3": 0}
    for server in world.nodes.servers:
        assert not natsclient.lets_in(server.url, world.creds["alice"])
        assert natsclient.lets_in(server.url, world.creds["bob"])


def test_a_disconnected_client_ends_at_once_and_may_come_back(
    nats: natsserver.Stable, tmp_path: Path
) -> None:
    world = World(nats, tmp_path)
    with crew.Crew() as clients:
        world.join(clients)
        job = biting.disconnect(principal=make.COMMAND, user=world.alice)
        assert jobs.work_once(HANDLERS)
        job.refresh_from_db()
        assert kicks(jobs.result_of(job)) == dict.fromkeys(("n1", "n2", "n3"), (1, 0, 0))
        natsserver.eventually(lambda: not any(clients.is_on(f"alice{n}") for n in range(3)), "the end", 5)
        assert all(clients.is_on(f"bob{n}") for n in range(3))
        assert lockouts.just_noted(make.COMMAND, world.account) is None
    assert natsclient.lets_in(world.nodes[0].url, world.creds["alice"])


def test_a_suspended_user_is_out_until_the_suspension_is_lifted(
    nats: natsserver.Stable, tmp_path: Path
) -> None:
    world = World(nats, tmp_path, 1)
    with crew.Crew() as clients:
        world.join(clients)
        suspensions.suspend(principal=make.COMMAND, user=world.alice, version=world.alice.version)
        assert world.bite()["proven"] is True
        natsserver.eventually(lambda: not clients.is_on("alice0"), "the end", 5)
        assert clients.is_on("bob0")
    alice = User.objects.select_related("account__operator", "operator", "token").get(pk=world.alice.pk)
    suspensions.lift(principal=make.COMMAND, user=alice, version=alice.version)
    assert not Job.objects.filter(kind=lockouts.KIND, state=JobState.QUEUED).exists()
    world.deliver()
    assert natsclient.lets_in(world.nodes[0].url, world.creds["alice"])


def test_a_replaced_key_is_out_and_the_replacement_creds_connect(
    nats: natsserver.Stable, tmp_path: Path
) -> None:
    world = World(nats, tmp_path, 1)
    with crew.Crew() as clients:
        world.join(clients)
        rotated = user_keys.rotate(principal=make.COMMAND, user=world.alice, version=world.alice.version)
        assert world.bite()["proven"] is True
        natsserver.eventually(lambda: not clients.is_on("alice0"), "the end", 5)
    url = world.nodes[0].url
    assert not natsclient.lets_in(url, world.creds["alice"])
    assert natsclient.lets_in(url, crew.creds_file(tmp_path, rotated))


def test_creds_from_before_an_edit_are_out_and_the_new_ones_stay_connected(
    nats: natsserver.Stable, tmp_path: Path
) -> None:
    world = World(nats, tmp_path, 1)
    edited = users.rewrite(
        principal=make.COMMAND,
        user=world.alice,
        plan=lambda row: users.changes.plan(row, users.changes.edit_body(tags=("later",)), now=clock.unix()),
        version=world.alice.version,
        done="Edited user",
    )
    newer = crew.creds_file(tmp_path, edited)
    with crew.Crew() as clients:
        world.join(clients)
        clients.join("newer", world.nodes[0].url, newer)
        users.revoke_earlier(principal=make.COMMAND, user=edited)
        result = world.bite()
        natsserver.eventually(lambda: not clients.is_on("alice0"), "the end", 5)
        assert clients.is_on("newer")
        assert clients.is_on("bob0")
        assert (result["proven"], kicks(result)["n1"][1:]) == (True, (0, 1))


def test_revoking_everybody_ends_all_and_new_creds_connect(nats: natsserver.Stable, tmp_path: Path) -> None:
    world = World(nats, tmp_path, 1)
    with crew.Crew() as clients:
        world.join(clients)
        entries = revocations.entries_for(world.account)
        accounts.revoke(principal=make.COMMAND, account=world.account, entries=entries)
        assert world.bite()["proven"] is True
        natsserver.eventually(lambda: not clients.is_on("alice0") and not clients.is_on("bob0"), "the end", 5)
    late = make.user(world.account, "late")
    assert late.last_iat > entries["*"]
    assert natsclient.lets_in(world.nodes[0].url, crew.creds_file(tmp_path, late))
    assert not natsclient.lets_in(world.nodes[0].url, world.creds["bob"])


def test_users_of_a_role_that_changes_start_anew_with_what_it_says_now(
    nats: natsserver.Stable, tmp_path: Path
) -> None:
    world = World(nats, tmp_path, 1)
    role = RoleDraft(role="reader", template=UserPermissionLimits.unlimited())
    key = signing_keys.add(
        principal=make.COMMAND,
        account=world.account,
        draft=SigningKeyDraft(role=role),
        version=world.account.version,
    )
    world.deliver()
    assert not Job.objects.filter(kind=lockouts.KIND).exists()
    reader = make.user(world.account, "reader", signer=key.public_key)
    world.creds["reader"] = crew.creds_file(tmp_path, reader)
    narrower = replace(
        UserPermissionLimits.unlimited(), pub=Permission(deny=("secret",)), sub=Permission(allow=("news.>",))
    )
    with crew.Crew() as clients:
        world.join(clients, "reader", "bob")
        signing_keys.edit(
            principal=make.COMMAND,
            account=world.account,
            public_key=key.public_key,
            draft=replace(role, template=narrower),
            version=world.account.version,
        )
        assert world.bite()["proven"] is True
        natsserver.eventually(lambda: not clients.is_on("reader0"), "the end", 5)
        assert clients.is_on("bob0")
        clients.join("back", world.nodes[0].url, world.creds["reader"])
        signing_keys.remove(
            principal=make.COMMAND,
            account=world.account,
            public_key=key.public_key,
            version=world.account.version,
        )
        assert world.bite()["proven"] is True
        natsserver.eventually(lambda: not clients.is_on("back"), "the end", 5)
        assert clients.is_on("bob0")


def test_what_can_not_be_proven_is_said(
    nats: natsserver.Stable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(biting, "PATIENCE", 0.3)
    world = World(nats, tmp_path, 2)
    with crew.Crew() as clients:
        world.join(clients)
        users.delete(principal=make.COMMAND, user=world.alice, version=world.alice.version)
        Delivery.objects.update(state=DeliveryState.WAITING, generation=2)
        job = Job.objects.filter(kind=lockouts.KIND).latest("pk")
        assert jobs.work_once(HANDLERS)
        job.refresh_from_db()
        result = jobs.result_of(job)
        (step,) = result["clusters"]
        assert (result["proven"], step["push"]) == (False, "waiting")
        assert kicks(result) == {"n1": (1, 1, 0), "n2": (1, 1, 0)}  # nobody is kicked only to come back
        assert clients.is_on("alice0")

        world.nodes[1].stop()
        Server.objects.filter(name="n2").update(seen_at=clock.now() - timedelta(minutes=5))
        again = biting.again(principal=make.COMMAND, account=world.account, job=job)
        world.deliver(to=1)
        assert jobs.work_once(HANDLERS)
        again.refresh_from_db()
        result = jobs.result_of(again)
        (step,) = result["clusters"]
        assert (result["proven"], step["push"], step["away"]) == (False, "partly", ["n2"])
        assert kicks(result)["n1"][1:] == (0, 0)

    world.nodes[0].stop()
    last = biting.disconnect(principal=make.COMMAND, user=world.bob)
    assert jobs.work_once(HANDLERS)
    last.refresh_from_db()
    (step,) = jobs.result_of(last)["clusters"]
    assert "Nothing listens" in step["problem"]
    assert not step["proven"]


def test_without_a_cluster_nothing_is_begun(tmp_path: Path) -> None:
    user = make.user()
    users.delete(principal=make.COMMAND, user=user, version=user.version)
    assert not Job.objects.filter(kind=lockouts.KIND).exists()
    with pytest.raises(IdentityError, match="Add a cluster"):
        biting.disconnect(principal=make.COMMAND, user=make.user())
