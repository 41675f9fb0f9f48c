"""Real NATS clients for tests: nats-py with a downloaded creds file, told in plain words what the server refused."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from nats.aio.client import Client
from nats.errors import Error, NoRespondersError
from nats.errors import TimeoutError as Silence

from identities.nkeys import KeyPair

PATIENCE = 5.0
QUIET = 0.7
"""Seconds after which a message that did not come is taken not to come."""
T = TypeVar("T")
_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----\s*(\S+)\s*------END")


class LoginRefused(Exception):
    """The server let this client not in; the text is the server's."""


class Orderly(Client):
    """nats-py's flush sends its ping past what is not written yet; this one does not."""

    async def flush(self, timeout: float = PATIENCE) -> None:
        await self._flush_pending(force_flush=True)
        await super().flush(timeout)


@dataclass(slots=True)
class Connected:
    """A connection, and what the server said against it."""

    client: Orderly = field(default_factory=Orderly)
    errors: list[str] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)


def read_creds(path: Path) -> tuple[str, str]:
    """JWT and seed of a creds file, read by the dashes alone: not by the code under test."""
    found = dict(_BLOCK.findall(path.read_text()))
    return found["NATS USER JWT"], found["USER NKEY SEED"]


@asynccontextmanager
async def connected(url: str, creds: Path | str) -> AsyncIterator[Connected]:
    """Connect with a creds file, or with a bearer JWT alone (a text).

    Raises: LoginRefused.
    """
    jwt, seed = read_creds(creds) if isinstance(creds, Path) else (creds, "")
    held = Connected()

    async def on_error(error: Exception) -> None:
        held.errors.append(str(error))

    async def on_closed() -> None:
        held.closed.set()

    def sign(nonce: str) -> bytes:
        if not seed:
            return b""
        return base64.b64encode(KeyPair.from_seed(seed).sign(nonce.encode()))

    try:
        await asyncio.wait_for(
            held.client.connect(
                url,
                user_jwt_cb=jwt.encode,
                signature_cb=sign,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                connect_timeout=int(PATIENCE),
                error_cb=on_error,
                closed_cb=on_closed,
            ),
            PATIENCE,
        )
    except (Error, OSError, TimeoutError) as error:
        await _hang_up(held.client)
        raise LoginRefused("; ".join([*held.errors, str(error)])) from error
    try:
        yield held
    finally:
        await held.client.close()
        await _hang_up(held.client)


def _apart(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on a loop of its own in a thread: a browser test before may have left this thread's loop running."""
    with ThreadPoolExecutor(max_workers=1) as threads:
        return threads.submit(asyncio.run, work).result()


async def _hang_up(client: Client) -> None:
    """Close the socket of a client that was refused: nats-py leaves it open."""
    writer = getattr(client._transport, "_io_writer", None)
    if writer is not None:
        writer.transport.abort()
        await asyncio.sleep(0)


def alone(doing: Callable[[Connected], Awaitable[T]], url: str, creds: Path | str) -> T:
    """Connect, do one thing, and leave."""

    async def work() -> T:
        async with connected(url, creds) as held:
            return await doing(held)

    return _apart(work())


def lets_in(url: str, creds: Path | str) -> bool:
    """Whether a server lets this client in."""

    async def nothing(held: Connected) -> None:
        await held.client.flush()

    try:
        alone(nothing, url, creds)
    except LoginRefused as refused:
        if "authorization violation" not in str(refused).lower():
            raise
        return False
    return True


def hear_yourself(url: str, creds: Path | str, subject: str = "hello") -> bytes:
    """Publish on a subject that the same connection listens to; what arrived."""

    async def work(held: Connected) -> bytes:
        listening = await held.client.subscribe(subject)
        await held.client.publish(subject, b"hello, world")
        message = await listening.next_msg(PATIENCE)
        return bytes(message.data)

    return alone(work, url, creds)


def ask(url: str, asking: Path, answering: Path, subject: str = "req.a") -> bytes:
    """One client requests, the other answers with what it was asked, turned round; the answer."""

    async def work() -> bytes:
        async with connected(url, answering) as service, connected(url, asking) as client:

            async def answer(message: Any) -> None:
                await message.respond(message.data[::-1])

            await service.client.subscribe(subject, cb=answer)
            await service.client.flush()
            reply = await client.client.request(subject, b"abc", timeout=PATIENCE)
            assert not service.errors + client.errors
            return bytes(reply.data)

    return _apart(work())


def hears(url: str, listening: Path, on: str, speaking: Path, to: str) -> str | None:
    """The subject on which a message arrives that another account publishes; None when none comes."""

    async def work() -> str | None:
        async with connected(url, listening) as here, connected(url, speaking) as there:
            subscription = await here.client.subscribe(on)
            await here.client.flush()
            await there.client.publish(to, b"hello")
            await there.client.flush()
            try:
                message = await subscription.next_msg(QUIET)
            except Silence:
                return None
            return str(message.subject)

    return _apart(work())


def answers(url: str, asking: Path, to: str, answering: Path, on: str) -> str | None:
    """The subject on which another account is asked, as it answers with it; None when nobody does."""

    async def work() -> str | None:
        async with connected(url, answering) as there, connected(url, asking) as here:

            async def answer(message: Any) -> None:
                await message.respond(message.subject.encode())

            await there.client.subscribe(on, cb=answer)
            await there.client.flush()
            try:
                reply = await here.client.request(to, b"?", timeout=QUIET)
            except (Silence, NoRespondersError):
                return None
            return bytes(reply.data).decode()

    return _apart(work())


def refusals_of_publishing(url: str, creds: Path, subject: str) -> list[str]:
    """What the server says to publishing there."""

    async def work(held: Connected) -> list[str]:
        await held.client.publish(subject, b"x")
        await held.client.flush()
        for _ in range(100):
            if held.errors:
                break
            await asyncio.sleep(0.01)
        return held.errors

    return alone(work, url, creds)


def request(url: str, creds: Path, subject: str, payload: bytes) -> str:
    """One request as that user, such as the system account's; the answer."""

    async def work(held: Connected) -> str:
        reply = await held.client.request(subject, payload, timeout=PATIENCE)
        return bytes(reply.data).decode()

    return alone(work, url, creds)
