"""What the builder writes is enough and no more: each task works on a real JetStream server with just its subjects, and
fails when any one of them is taken away.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from identities.claims import codec, recipes
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.limits import NO_LIMIT, OperatorLimits
from identities.claims.operator import OperatorBody
from identities.claims.permissions import Permission, ResponsePermission, UserPermissionLimits
from identities.claims.recipes import Line, Side, Task, Wish
from identities.claims.user import UserBody
from identities.formats import creds, server_config
from identities.nkeys import KeyKind, KeyPair
from tests import natsclient, natsserver
from tests.natsclient import Connected

PATIENCE = 5.0
AFTERWARDS = 0.3
"""How long an operation may go on after the server refused something: it may not have needed that."""
NOWHERE = Permission(allow=("nowhere",))
Operation = Callable[["Trial"], Awaitable[object]]


class World:
    """A server with JetStream, one account, and an open user who prepares things; `more` configures it further."""

    def __init__(self, nats: natsserver.Stable, folder: Path, more: str = "") -> None:
        self.now = int(time.time())
        self.folder = folder
        operator, self.account = KeyPair.create(KeyKind.OPERATOR), KeyPair.create(KeyKind.ACCOUNT)
        system = KeyPair.create(KeyKind.ACCOUNT).public.text

        def signed(body: Any, name: str, key: str) -> str:
            return codec.encode(Claims(nats=body, name=name, sub=key), operator, self.now).text

        limits = replace(OperatorLimits.unlimited(), disk_storage=NO_LIMIT, mem_storage=NO_LIMIT)
        key = self.account.public.text
        config = server_config.ServerConfig(
            resolver=server_config.Resolver.MEMORY,
            operator_name="O",
            operator_jwt=signed(OperatorBody(system_account=system), "O", operator.public.text),
            system_account=system,
            preload=[
                ("A", key, signed(AccountBody(limits=limits), "A", key)),
                ("SYS", system, signed(AccountBody(), "SYS", system)),
            ],
        )
        more = f'jetstream {{ store_dir: "./js" }}\n{more}'
        self.url = nats.start(server_config.render(config) + more).url
        self.open = self.user(UserPermissionLimits.unlimited())

    def user(self, limits: UserPermissionLimits) -> Path:
        pair = KeyPair.create(KeyKind.USER)
        file = self.folder / f"{pair.public.text}.creds"
        file.write_text(creds.format_creds(self.jwt(limits, pair), pair.seed()))
        return file

    def jwt(self, limits: UserPermissionLimits, pair: KeyPair) -> str:
        body = UserBody(limits=limits, issuer_account=self.account.public.text)
        return codec.encode(Claims(nats=body, name="u", sub=pair.public.text), self.account, self.now).text


class Trial:
    """The connection under trial, and the open one beside it."""

    def __init__(self, held: Connected, beside: Connected) -> None:
        self.client, self.errors = held.client, held.errors
        self.js = held.client.jetstream(timeout=PATIENCE)
        self.beside = beside.client
        self.admin = beside.client.jetstream(timeout=PATIENCE)

    async def api(self, subject: str, **payload: Any) -> dict[str, Any]:
        """One request of JetStream's API, as other clients send it; its error is raised."""
        data = json.dumps(payload).encode() if payload else b""
        reply = await self.client.request(f"$JS.API.{subject}", data, timeout=PATIENCE)
        if reply.headers and reply.headers.get("Status"):
            raise AssertionError(reply.headers)
        if subject.startswith("DIRECT."):
            return {}
        answer: dict[str, Any] = json.loads(reply.data)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer

    async def watch_as_go_does(self, stream: str, subject: str) -> None:
        """An ordered consumer by the newer subject, and its end."""
        inbox = self.client.new_inbox()
        listening = await self.client.subscribe(inbox)
        config = {
            "name": "w", "deliver_policy": "last_per_subject", "ack_policy": "none", "filter_subject": subject,
            "deliver_subject": inbox, "mem_storage": True, "num_replicas": 1, "inactive_threshold": 5 * 10**9,
        }  # fmt: skip
        await self.api(f"CONSUMER.CREATE.{stream}.w.{subject}", stream_name=stream, config=config)
        await listening.next_msg(PATIENCE)
        await self.api(f"CONSUMER.DELETE.{stream}.w")


# --- the operations of each task


async def requests(trial: Trial) -> None:
    async def answer(message: Any) -> None:
        await message.respond(b"!")

    await trial.beside.subscribe("req.a", cb=answer)
    await trial.beside.flush()
    assert (await trial.client.request("req.a", b"?", timeout=PATIENCE)).data == b"!"


async def answers(trial: Trial) -> None:
    async def answer(message: Any) -> None:
        await message.respond(b"!")

    await trial.client.subscribe("req.b", queue="workers", cb=answer)
    await trial.client.flush()
    assert (await trial.beside.request("req.b", b"?", timeout=PATIENCE)).data == b"!"


async def stores(trial: Trial) -> None:
    assert (await trial.js.publish("orders.new", b"1")).stream == "ORDERS"


async def consumes(trial: Trial) -> None:
    await trial.js.consumer_info("ORDERS", "C")
    listening = await trial.js.pull_subscribe_bind("C", "ORDERS")
    (message,) = await listening.fetch(1, timeout=PATIENCE)
    await message.ack_sync(timeout=PATIENCE)


async def makes_consumers(trial: Trial) -> None:
    config = {"name": "N", "ack_policy": "explicit", "filter_subject": "orders.new"}
    await trial.api("CONSUMER.CREATE.ORDERS.N.orders.new", stream_name="ORDERS", config=config)
    await trial.js.add_consumer("ORDERS", durable_name="D", ack_policy="explicit")
    await trial.js.consumer_info("ORDERS", "N")
    await trial.js.consumers_info("ORDERS")
    await trial.api("CONSUMER.NAMES.ORDERS")
    listening = await trial.js.pull_subscribe_bind("N", "ORDERS")
    (message,) = await listening.fetch(1, timeout=PATIENCE)
    await message.ack_sync(timeout=PATIENCE)
    await trial.js.delete_consumer("ORDERS", "N")


async def manages_a_stream(trial: Trial) -> None:
    await trial.js.add_stream(name="OWN", subjects=["own.>"])
    await trial.beside.request("own.x", b"1", timeout=PATIENCE)
    await trial.js.stream_info("OWN")
    await trial.js.update_stream(name="OWN", subjects=["own.>"], max_msgs=10)
    await trial.js.get_msg("OWN", seq=1)
    await trial.js.delete_msg("OWN", 1)
    await trial.js.purge_stream("OWN")
    await trial.js.delete_stream("OWN")


def reads_keys(bucket: str) -> Operation:
    async def read(trial: Trial) -> None:
        store = await trial.js.key_value(bucket)
        assert (await store.get("k")).value == b"v"
        assert await store.keys() == ["k"]
        await trial.watch_as_go_does(f"KV_{bucket}", f"$KV.{bucket}.>")

    return read


async def writes_keys(trial: Trial) -> None:
    store = await trial.js.key_value("DIRECT")
    await store.put("new", b"1")
    await store.delete("new")


async def manages_a_bucket(trial: Trial) -> None:
    await trial.js.create_key_value(bucket="OWN")
    await trial.js.key_value("OWN")
    await trial.js.delete_key_value("OWN")


async def reads_objects(trial: Trial) -> None:
    store = await trial.js.object_store("FILES")
    assert len((await store.get("big")).data or b"") == BIG
    await store.list()
    await trial.watch_as_go_does("OBJ_FILES", "$O.FILES.M.>")


async def reads_objects_directly(trial: Trial) -> None:
    await trial.js.object_store("FAST")
    await trial.api("DIRECT.GET.OBJ_FAST.$O.FAST.M.YmlnCg==")
    await reads_pieces(trial)
    await trial.watch_as_go_does("OBJ_FAST", "$O.FAST.M.>")


async def reads_pieces(trial: Trial) -> None:
    """The pieces of an object, with flow control: as nats-py reads them, by the subject that they have."""
    listening = await trial.js.subscribe("$O.FAST.C.big", ordered_consumer=True)
    for _ in range(PIECES):
        await listening.next_msg(PATIENCE)
    await listening.unsubscribe()


async def writes_objects(trial: Trial) -> None:
    store = await trial.js.object_store("FILES")
    for _ in range(2):
        await store.put("mine", b"x" * 1000)
    await store.delete("mine")


async def writes_objects_directly(trial: Trial) -> None:
    await trial.js.object_store("FAST")
    await trial.api("DIRECT.GET.OBJ_FAST.$O.FAST.M.YmlnCg==")
    await trial.js.publish("$O.FAST.C.mine", b"x")
    await trial.js.purge_stream("OBJ_FAST", subject="$O.FAST.C.mine")


async def manages_a_store(trial: Trial) -> None:
    await trial.js.create_object_store("OWN")
    await trial.js.object_store("OWN")
    await trial.js.delete_object_store("OWN")


PIECES = 40
BIG = 4 * 1024 * 1024
TASKS: dict[str, tuple[Wish, Operation]] = {
    "request": (Wish(task=Task.REQUEST, subject="req.a"), requests),
    "answer": (Wish(task=Task.ANSWER, subject="req.b", queue="workers"), answers),
    "publish": (Wish(task=Task.STREAM_PUBLISH, subject="orders.new"), stores),
    "consume": (Wish(task=Task.STREAM_CONSUME, name="ORDERS", consumer="C"), consumes),
    "consumers": (Wish(task=Task.STREAM_CONSUMERS, name="ORDERS"), makes_consumers),
    "stream": (Wish(task=Task.STREAM_MANAGE, name="OWN"), manages_a_stream),
    "read keys": (Wish(task=Task.KV_READ, name="DIRECT"), reads_keys("DIRECT")),
    "read keys, not directly": (Wish(task=Task.KV_READ, name="SLOW", direct=False), reads_keys("SLOW")),
    "write keys": (Wish(task=Task.KV_WRITE, name="DIRECT"), writes_keys),
    "bucket": (Wish(task=Task.KV_MANAGE, name="OWN"), manages_a_bucket),
    "read objects": (Wish(task=Task.OBJECT_READ, name="FILES", direct=False), reads_objects),
    "read objects directly": (Wish(task=Task.OBJECT_READ, name="FAST"), reads_objects_directly),
    "write objects": (Wish(task=Task.OBJECT_WRITE, name="FILES", direct=False), writes_objects),
    "write objects directly": (Wish(task=Task.OBJECT_WRITE, name="FAST"), writes_objects_directly),
    "store": (Wish(task=Task.OBJECT_MANAGE, name="OWN"), manages_a_store),
}


async def prepare(js: Any) -> None:
    """A stream with messages and a consumer, buckets and stores; what a trial before left behind is gone."""
    for stream in await js.streams_info():
        await js.delete_stream(stream.config.name)
    await js.add_stream(name="ORDERS", subjects=["orders.>"])
    for number in range(3):
        await js.publish("orders.new", str(number).encode())
    await js.add_consumer("ORDERS", durable_name="C", ack_policy="explicit")
    for bucket, direct in (("DIRECT", True), ("SLOW", False)):
        store = await js.create_key_value(bucket=bucket, direct=direct)
        await store.put("k", b"v")
    files = await js.create_object_store("FILES")
    await files.put("big", b"x" * BIG)
    await js.add_stream(
        name="OBJ_FAST", subjects=["$O.FAST.C.>", "$O.FAST.M.>"], allow_direct=True, allow_rollup_hdrs=True
    )
    await js.publish("$O.FAST.M.YmlnCg==", b"{}")
    for _ in range(PIECES):
        await js.publish("$O.FAST.C.big", b"x" * 131_072)


async def works(world: World, limits: UserPermissionLimits, operation: Operation) -> str:
    """ "" when the operation works with these rules, else what went wrong."""
    async with natsclient.connected(world.url, world.open) as beside:
        await prepare(beside.client.jetstream(timeout=PATIENCE))
        async with natsclient.connected(world.url, world.user(limits)) as held:
            trial = Trial(held, beside)
            work = asyncio.ensure_future(operation(trial))
            while not work.done() and not held.errors:
                await asyncio.wait({work}, timeout=0.02)
            await asyncio.wait({work}, timeout=AFTERWARDS if held.errors else None)
            if not work.done():
                work.cancel()
                await asyncio.wait({work})
                return f"stuck: {held.errors}"
            failed = work.exception()
            return f"{failed!r} {held.errors}" if failed is not None else ""


def rules(lines: tuple[Line, ...]) -> UserPermissionLimits:
    """Just these lines; a side without any is closed, not open."""
    limits = replace(UserPermissionLimits.unlimited(), pub=NOWHERE, sub=NOWHERE)
    return recipes.added(limits, lines)


@pytest.fixture
def world(nats: natsserver.Stable, tmp_path: Path) -> World:
    return World(nats, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_what_is_written_is_enough_and_no_more(world: World, name: str) -> None:
    wish, operation = TASKS[name]
    lines = recipes.lines(wish)

    async def everything() -> tuple[str, list[str]]:
        whole = await works(world, rules(lines), operation)
        spare = [
            f"{line.side} {line.subject}"
            for line in lines
            if not await works(world, rules(tuple(each for each in lines if each is not line)), operation)
        ]
        return whole, spare

    whole, spare = natsclient._apart(everything())
    assert whole == "", whole
    assert spare == []


def test_every_task_is_tried() -> None:
    assert {wish.task for wish, _ in TASKS.values()} == set(Task)
    assert rules(recipes.lines(TASKS["answer"][0])).resp == ResponsePermission(max=1)
    assert Side.ANSWER in {line.side for line in recipes.lines(TASKS["answer"][0])}
