"""What a preset gives is enough and no more: on a real server its task works with just its subjects, and fails when any
one of them is taken away.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nats as natspy
import pytest

from identities.claims import presets
from identities.claims.permissions import UserPermissionLimits
from identities.claims.presets import Filled, Line
from identities.claims.presets_built_in import BUILT_IN
from identities.claims.recipes import Side
from identities.nkeys import KeyKind, KeyPair
from tests import natsclient, natsserver
from tests.interop import test_recipes as trials
from tests.interop.mqtt import Mqtt, MqttRefused
from tests.interop.test_recipes import NOWHERE, Operation, Trial, World

UNLIMITED = UserPermissionLimits.unlimited()
SHORT = 1.0


def filled(key: str, **values: str) -> Filled:
    return presets.fill(BUILT_IN[key].newest, values)


def without(whole: Filled, gone: Line | None) -> UserPermissionLimits:
    """The rules but for one line; a side that has none left is closed, not open."""
    lines = tuple(line for line in whole.lines if line is not gone)
    limits = Filled(edition=whole.edition, lines=lines).over(UNLIMITED)
    pub = NOWHERE if limits.pub.is_empty and limits.resp is None else limits.pub
    return replace(limits, pub=pub, sub=NOWHERE if limits.sub.is_empty else limits.sub)


def allowing(whole: Filled) -> list[Line]:
    return [line for line in whole.lines if not line.deny]


async def watches(trial: Trial) -> None:
    listening = await trial.client.subscribe("orders.>")
    await trial.client.flush()
    await trial.beside.publish("orders.new", b"1")
    assert (await listening.next_msg(SHORT)).data == b"1"


TASKS: dict[str, tuple[dict[str, str], Operation]] = {
    "observer": ({"subject": "orders.>"}, watches),
    "service": ({"subject": "req.b", "queue": "workers"}, trials.answers),
    "requester": ({"subject": "req.a"}, trials.requests),
    "stream-publisher": ({"subject": "orders.new"}, trials.stores),
    "durable-consumer": ({"stream": "ORDERS", "consumer": "C"}, trials.consumes),
    "kv-reader": ({"bucket": "DIRECT"}, trials.reads_keys("DIRECT")),
    "kv-reader-indirect": ({"bucket": "SLOW"}, trials.reads_keys("SLOW")),
    "kv-writer": ({"bucket": "DIRECT"}, trials.writes_keys),
}


@pytest.mark.slow
@pytest.mark.parametrize("key", TASKS)
def test_a_preset_of_a_client_is_enough_and_no_more(
    nats: natsserver.Stable, tmp_path: Path, key: str
) -> None:
    world = World(nats, tmp_path)
    values, operation = TASKS[key]
    whole = filled(key, **values)

    async def everything() -> tuple[str, list[str]]:
        said = await trials.works(world, without(whole, None), operation)
        spare = [
            f"{line.side} {line.subject}"
            for line in allowing(whole)
            if not await trials.works(world, without(whole, line), operation)
        ]
        return said, spare

    said, spare = natsclient._apart(everything())
    assert said == "", said
    assert spare == []


def test_an_observer_publishes_nothing(nats: natsserver.Stable, tmp_path: Path) -> None:
    world = World(nats, tmp_path)
    file = world.user(filled("observer").over(UNLIMITED))

    async def work(held: natsclient.Connected) -> list[str]:
        await held.client.publish("orders.new", b"")
        await held.client.flush()
        return held.errors

    (refused,) = natsclient.alone(work, world.url, file)
    assert "orders.new" in refused


@dataclass
class Leaf:
    """A server here, and one that is its leaf while `with` lasts; `heard` tries what crosses between the two."""

    nats: natsserver.Stable
    world: World
    port: int

    @classmethod
    def of(cls, nats: natsserver.Stable, folder: Path) -> Leaf:
        port = natsserver.free_port()
        return cls(nats, World(nats, folder, f'leafnodes {{ listen: "127.0.0.1:{port}" }}\n'), port)

    def crosses(self, limits: UserPermissionLimits) -> list[str]:
        """Which of three messages arrive: one out, one in, and one that the preset does not speak of."""
        file = self.world.user(limits)
        config = f'leafnodes {{ remotes: [{{ url: "nats-leaf://127.0.0.1:{self.port}", credentials: "{file}" }}] }}\n'
        server = self.nats.start(config)
        try:
            natsserver.eventually(lambda: "Leafnode connection created" in server.log, "the leaf")
            found: list[str] = natsclient._apart(self._tried(server.url))
        finally:
            server.stop()
        return found

    async def _tried(self, leaf: str) -> list[str]:
        arrived: list[str] = []

        async def take(message: Any) -> None:
            arrived.append(message.subject)

        there = await natspy.connect(leaf)
        async with natsclient.connected(self.world.url, self.world.open) as held:
            here = held.client
            for client, subjects in ((here, ("site.out", "other.out")), (there, ("orders.in", "other.in"))):
                for subject in subjects:
                    await client.subscribe(subject, cb=take)
                await client.flush()
            await asyncio.sleep(0.3)
            for client, subjects in ((there, ("site.out", "other.out")), (here, ("orders.in", "other.in"))):
                for subject in subjects:
                    await client.publish(subject, b"")
                await client.flush()
            await asyncio.sleep(0.3)
        await there.close()
        return sorted(arrived)


@pytest.mark.slow
def test_a_leaf_node_carries_what_its_preset_says_and_nothing_else(
    nats: natsserver.Stable, tmp_path: Path
) -> None:
    leaf = Leaf.of(nats, tmp_path)
    whole = filled("leaf-node", outgoing="site.>", incoming="orders.>")
    assert leaf.crosses(without(whole, None)) == ["orders.in", "site.out"]
    out, in_ = allowing(whole)
    assert (out.side, in_.side) == (Side.PUBLISH, Side.SUBSCRIBE)
    assert leaf.crosses(without(whole, out)) == ["orders.in"]
    assert leaf.crosses(without(whole, in_)) == ["site.out"]


def test_a_leaf_node_s_user_is_no_client(nats: natsserver.Stable, tmp_path: Path) -> None:
    world = World(nats, tmp_path)
    file = world.user(filled("leaf-node", outgoing="a", incoming="b").over(UNLIMITED))

    async def work(held: natsclient.Connected) -> None:
        await held.client.flush()

    with pytest.raises(natsclient.LoginRefused):
        natsclient.alone(work, world.url, file)


@dataclass
class Broker:
    """A server that speaks MQTT too."""

    world: World
    port: int

    @classmethod
    def of(cls, nats: natsserver.Stable, folder: Path) -> Broker:
        port = natsserver.free_port()
        return cls(World(nats, folder, f'server_name: n\nmqtt {{ listen: "127.0.0.1:{port}" }}\n'), port)

    def works(self, limits: UserPermissionLimits, operation: Callable[[Broker, Mqtt], None]) -> str:
        """ "" when the operation works with these rules, else what went wrong."""
        pair = KeyPair.create(KeyKind.USER)
        try:
            with Mqtt(self.port, pair.public.text, self.world.jwt(limits, pair)) as device:
                operation(self, device)
        except MqttRefused as refused:
            return str(refused) or "refused"
        return ""

    def heard(self, subject: str, speak: Callable[[], None]) -> bytes:
        """What arrives on `subject` when `speak` was called; b"" for nothing."""

        async def work(held: natsclient.Connected) -> bytes:
            listening = await held.client.subscribe(subject)
            await held.client.flush()
            await asyncio.get_running_loop().run_in_executor(None, speak)
            with contextlib.suppress(Exception):
                data: bytes = (await listening.next_msg(SHORT)).data
                return data
            return b""

        return natsclient.alone(work, self.world.url, self.world.open)

    def say(self, subject: str, data: bytes) -> None:
        async def work(held: natsclient.Connected) -> None:
            await held.client.publish(subject, data)
            await held.client.flush()

        natsclient.alone(work, self.world.url, self.world.open)


def speaks(qos: int) -> Callable[[Broker, Mqtt], None]:
    def work(broker: Broker, device: Mqtt) -> None:
        got = broker.heard("sensors.7.state", lambda: device.publish("sensors/7/state", b"on", qos=qos))
        if got != b"on":
            raise MqttRefused("the message did not arrive")

    return work


def listens(qos: int) -> Callable[[Broker, Mqtt], None]:
    def work(broker: Broker, device: Mqtt) -> None:
        device.subscribe("orders/7/#", qos=qos)
        broker.say("orders.7.set", b"go")
        assert device.message() == ("orders/7/set", b"go")
        if qos:
            with Mqtt(
                broker.port, "other", broker.world.jwt(OPEN_DEVICE, KeyPair.create(KeyKind.USER))
            ) as other:
                other.publish("orders/7/set", b"stored", qos=1)
            assert device.message() == ("orders/7/set", b"stored")

    return work


OPEN_DEVICE = replace(UNLIMITED, bearer_token=True)
MQTT: dict[str, Callable[[Broker, Mqtt], None]] = {
    "publish": speaks(0),
    "publish stored": speaks(1),
    "subscribe": listens(0),
    "subscribe stored": listens(1),
}


@pytest.mark.slow
def test_a_device_of_mqtt_needs_each_of_its_subjects(nats: natsserver.Stable, tmp_path: Path) -> None:
    broker = Broker.of(nats, tmp_path)
    whole = filled("mqtt-device", outgoing="sensors.7.>", incoming="orders.7.>")
    for name, operation in MQTT.items():
        assert broker.works(without(whole, None), operation) == "", name
    needed = {
        line.subject: [name for name, work in MQTT.items() if broker.works(without(whole, line), work)]
        for line in allowing(whole)
    }
    assert all(needed.values()), needed


def test_every_preset_is_tried() -> None:
    assert {*TASKS, "leaf-node", "mqtt-device", "mqtt-device-older"} == set(BUILT_IN)


def test_the_device_of_older_servers_has_one_subject_more() -> None:
    """nats-server 2.9, 2.10 and 2.11 ask for it with the quality of service 1, as was tried by hand; 2.12 does not."""
    given = {"outgoing": "a", "incoming": "b.>"}
    newer, older = (filled(key, **given).over(UNLIMITED) for key in ("mqtt-device", "mqtt-device-older"))
    assert older == replace(newer, sub=replace(newer.sub, allow=(*newer.sub.allow, "$MQTT.sub.>")))
