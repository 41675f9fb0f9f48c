"""The limits of JetStream that people set on an account's page are what a real nats-server enforces."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from nats.js.api import StorageType, StreamConfig
from nats.js.errors import APIError, Error, NotFoundError

from tests import natsclient
from tests.interop.settings_page import Setting
from tests.natsclient import Connected

LOOK = 1.0
"""Seconds in which what should not come would have come."""


def stream(setting: Setting, name: str, **config: Any) -> str:
    """Make a stream; "" when the server takes it, else why not."""

    async def work(held: Connected) -> str:
        context = held.client.jetstream(timeout=natsclient.PATIENCE)
        try:
            await context.add_stream(StreamConfig(name=name, subjects=[f"{name}.>"], **config))
        except APIError as refused:
            return str(refused.description)
        return ""

    return natsclient.alone(work, setting.server.url, setting.creds)


def stored(setting: Setting, name: str, size: int) -> str:
    """Store a message of so many bytes; "" when that works, else why not."""

    async def work(held: Connected) -> str:
        try:
            await held.client.jetstream(timeout=LOOK).publish(f"{name}.x", b"x" * size)
        except Error as refused:
            return str(refused) or type(refused).__name__
        return ""

    return natsclient.alone(work, setting.server.url, setting.creds)


@pytest.mark.django_db
def test_jetstream_limits_of_the_whole_account_are_enforced_as_set(setting: Setting) -> None:
    assert "not enabled" in stream(setting, "early")
    setting.save(
        "limits",
        jetstream=True,
        mem_storage="1 MiB",
        disk_storage="2 MiB",
        streams="2",
        disk_max_stream_bytes="1 MiB",
        max_bytes_required=True,
    )
    assert stream(setting, "a", max_bytes=1024 * 1024) == ""
    assert "max bytes" in stream(setting, "b")
    assert "exceeds account limit max stream bytes" in stream(setting, "b", max_bytes=1024 * 1025)
    assert "insufficient memory" in stream(
        setting, "b", max_bytes=2 * 1024 * 1024, storage=StorageType.MEMORY
    )
    assert stream(setting, "b", max_bytes=512 * 1024, storage=StorageType.MEMORY) == ""
    assert "maximum number of streams reached" in stream(setting, "c", max_bytes=1024)
    assert stored(setting, "a", 100) == ""
    assert setting.info()["jetstream_enabled"] is True


@pytest.mark.django_db
def test_a_tier_alone_lets_no_other_number_of_replicas_in(setting: Setting) -> None:
    setting.save("limits", jetstream=True, layout="tiers", **{"R1-disk_storage": "1 MiB", "R1-streams": "1"})
    assert "no JetStream default or applicable tiered limit" in stream(setting, "r3", num_replicas=3)
    assert "insufficient storage" in stream(setting, "big", max_bytes=2 * 1024 * 1024)
    assert stream(setting, "one") == ""
    assert "maximum number of streams reached" in stream(setting, "two")
    visitor, path = setting.tutorial.visitor, urlsplit(setting.tutorial.account.url).path + "limits"
    moved = visitor.send(visitor.open(path), action=path, convert="whole:R1")
    page = visitor.send(moved, action=path, streams="2")
    assert "Saved the limits" in page.text, page.text
    setting.push()
    assert stream(setting, "two") == ""
    assert "maximum number of streams reached" in stream(setting, "three")


@pytest.mark.django_db
def test_a_stream_whose_tier_is_gone_takes_no_more_messages(setting: Setting) -> None:
    setting.save("limits", jetstream=True)
    assert stream(setting, "kept") == ""
    assert stored(setting, "kept", 10) == ""
    setting.save(
        "limits",
        layout="tiers",
        mem_storage="",
        disk_storage="",
        **{"R3-disk_storage": "1 MiB"},
    )
    assert stored(setting, "kept", 10) != ""


@pytest.mark.django_db
def test_jetstream_switched_off_and_on_again_has_its_files_and_not_its_memory(setting: Setting) -> None:
    setting.save("limits", jetstream=True)
    assert stream(setting, "file") == ""
    assert stream(setting, "memory", storage=StorageType.MEMORY) == ""
    assert [stored(setting, name, 10) for name in ("file", "memory")] == ["", ""]
    setting.save("limits", jetstream=False)
    assert stored(setting, "file", 10) != ""
    setting.save("limits", jetstream=True)

    async def messages(held: Connected) -> dict[str, int]:
        context, found = held.client.jetstream(timeout=natsclient.PATIENCE), {}
        for name in ("file", "memory"):
            try:
                found[name] = (await context.stream_info(name)).state.messages
            except NotFoundError:
                found[name] = 0
        return found

    found = natsclient.alone(messages, setting.server.url, setting.creds)
    assert found == {"file": 1, "memory": 0}
