"""Whoever is deleted, suspended, revoked or has a new key is off every server, which is proven; neighbours stay."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.errors import IdentityError
from identities.management.commands import worker
from identities.models import (
    Account,
    Cluster,
    Job,
    JobState,
    Server,
    User,
)
from identities.services import (
    accounts,
    attending,
    biting,
    clock,
    jobs,
    kicking,
    lockouts,
    outbox,
    revocations,
    signing_keys,
    suspensions,
    user_keys,
    users,
)
from tests import crew, make, natsclient, natsserver, nodes
from tests.pages import Visitor

pytestmark = pytest.mark.django_db(transaction=True)
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
        outbox.wake_all(principal=make.COMMAND, cluster=self.cluster)
        self.deliver()
        self.creds = {user.name: crew.creds_file(folder, user) for user in (self.alice, self.bob)}

    @property
    def keys(self) -> tuple[str, str]:
        """Of the account and of alice, for addresses."""
        return self.account.public_key, self.alice.public_key

    def join(self, clients: crew.Crew, *names: str) -> None:
        for name in names or ("alice", "bob"):
            for number, server in enumerate(self.nodes.servers):
                clients.join(f"{name}{number}", server.url, self.creds[name])

    def deliver(self) -> None:
        """Have the worker deliver what waits."""
        attending.once()
        self.account = Account.objects.select_related("operator", "token").get(pk=self.account.pk)

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
        with lockouts.watched():
            job = biting.disconnect(principal=make.COMMAND, user=world.alice)
            assert lockouts.just_noted(world.account) is None
        assert jobs.work_once(HANDLERS)
        job.refresh_from_db()
        assert kicks(jobs.result_of(job)) == dict.fromkeys(("n1", "n2", "n3"), (1, 0, 0))
        natsserver.eventually(lambda: not any(clients.is_on(f"alice{n}") for n in range(3)), "the end", 5)
        assert all(clients.is_on(f"bob{n}") for n in range(3))
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
        world.deliver()
        natsserver.eventually(lambda: not clients.is_on("reader0"), "the end", 5)
        clients.join("back", world.nodes[0].url, world.creds["reader"])
        result = world.bite()
        assert (result["proven"], kicks(result)["n1"][1]) == (True, 0)
        assert clients.is_on("back")
        assert clients.is_on("bob0")
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
        job = Job.objects.filter(kind=lockouts.KIND).latest("pk")
        assert jobs.work_once(HANDLERS)
        job.refresh_from_db()
        result = jobs.result_of(job)
        (step,) = result["clusters"]
        assert (result["proven"], step["push"]) == (False, "waiting")
        assert kicks(result) == {"n1": (1, 1, 0), "n2": (1, 1, 0)}  # nobody is kicked only to come back
        assert clients.is_on("alice0")

        world.nodes[1].stop()
        again = biting.again(principal=make.COMMAND, account=world.account, job=job)
        world.deliver()
        Server.objects.filter(name="n2").update(seen_at=clock.now() - timedelta(minutes=5))
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


def test_with_a_worker_a_deletion_on_the_page_ends_in_a_proof_by_itself(
    nats: natsserver.Stable, tmp_path: Path
) -> None:
    world = World(nats, tmp_path)
    stop = threading.Event()
    threads = [threading.Thread(target=each, args=(stop,)) for each in (worker._thread, attending.tend)]
    visitor = Visitor(make.client())
    page = visitor.open(reverse("user-delete", args=[world.operator.public_key, *world.keys]))
    with crew.Crew() as clients:
        world.join(clients)
        for thread in threads:
            thread.start()
        try:
            leased = Cluster.objects.filter(pk=world.cluster.pk).exclude(lease_until=None)
            natsserver.eventually(leased.exists, "the worker taking the cluster in hand")
            steps = visitor.send(page, confirm="alice", revoke=True)
            natsserver.eventually(lambda: not any(clients.is_on(f"alice{n}") for n in range(3)), "the end", 5)
            natsserver.eventually(lambda: "It is out" in visitor.open(steps.url).text, "the proof", 10)
            assert all(clients.is_on(f"bob{n}") for n in range(3))
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def test_an_old_server_kicks_nobody_and_says_so_and_the_pushed_revocation_ends_the_connection(
    old_nats: natsserver.Stable, tmp_path: Path
) -> None:
    world = World(old_nats, tmp_path, 1)
    with crew.Crew() as clients:
        world.join(clients)
        job = biting.disconnect(principal=make.COMMAND, user=world.bob)
        assert jobs.work_once(HANDLERS)
        job.refresh_from_db()
        result = jobs.result_of(job)
        assert kicks(result) == {"n1": (1, 1, 0)}  # found by key, which 2.9 can't do itself
        assert result["clusters"][0]["kicks"][0]["said"] == kicking.NO_KICK
        assert result["proven"] is False
        users.delete(principal=make.COMMAND, user=world.alice, version=world.alice.version)
        assert world.bite()["proven"] is True
        natsserver.eventually(lambda: not clients.is_on("alice0"), "the end", 5)
        assert clients.is_on("bob0")
    assert not natsclient.lets_in(world.nodes[0].url, world.creds["alice"])
