"""A connection to a cluster's system account, for code that is not asynchronous: ask, ask many at once, listen.

One thread with an event loop serves each `SystemLink`; its methods may be called from any other thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import token_hex
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from identities.nkeys import SecretBytes
from identities.resolver import connection as connections
from identities.resolver.addresses import AddressRefused, Lookup, parse_url, resolve, system_lookup
from identities.resolver.collecting import Collector
from identities.resolver.connection import Connection, Refused, said_by
from identities.resolver.errors import ResolverError
from identities.resolver.messages import Question, Reply
from identities.resolver.plan import TestUser

INBOX: Final = "_INBOX_nscweb"
"""Answers come to subjects below it; nobody else in the system account listens there."""
WINDOW: Final = 64
"""Questions under way at a time."""
LARGEST_INTAKE: Final = 2**40
"""A link lives long: what one answer may weigh is bounded, what all of them weigh together is not."""
_GRACE: Final = 5.0
T = TypeVar("T")
OnMessage = Callable[[str, bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which servers, and how they are reached: the first of `urls` that lets us in is taken."""

    urls: tuple[str, ...]
    ca_pem: str = field(default="", repr=False)
    client_cert: str = field(default="", repr=False)
    client_key: SecretBytes | None = field(default=None, repr=False)
    tls_first: bool = False
    allow_loopback: bool = False
    connect_seconds: float = 3.0
    request_seconds: float = 2.0


class SystemLink:
    """An open connection as a user of the system account. Use it as a context manager, or `close` it.

    It does not connect again by itself: when `is_up` is false, open another one.
    """

    def __init__(self, target: Target, login: TestUser, *, lookup: Lookup = system_lookup) -> None:
        """Connect. Raises: Refused (with the server's or network's words), AddressRefused, ResolverError."""
        self.target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="system-link", daemon=True)
        self._thread.start()
        self._waiting: dict[str, Collector] = {}
        self._inbox = f"{INBOX}.{token_hex(12)}"
        self._next = 0
        self._watcher: asyncio.Future[None] | None = None
        try:
            seconds = len(target.urls) * (2 * target.connect_seconds + 2) + _GRACE
            self._connection = self._run(self._open(login, lookup), seconds)
        except BaseException:
            self._end_loop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_up(self) -> bool:
        """Whether the connection still stands."""
        return self._loop.is_running() and self._connection.is_connected

    @property
    def server(self) -> str:
        """Name and version of the server that this connection leads to."""
        return self._connection.server

    @property
    def refusals(self) -> tuple[str, ...]:
        """What the server refused so far, such as a subject that this user may not publish to."""
        return tuple(self._connection.refusals)

    def ask(
        self, subject: str, payload: bytes = b"", *, expect: int = 1, seconds: float | None = None
    ) -> Reply:
        """Ask once; with `expect` 0, everything that comes within `seconds` is taken. Silence is an empty reply.

        Raises: Refused when the connection is gone or the subject is not allowed.
        """
        return self.ask_all([Question(subject, payload, expect)], seconds=seconds)[0]

    def ask_all(
        self,
        questions: Sequence[Question],
        *,
        seconds: float | None = None,
        window: int = WINDOW,
    ) -> list[Reply]:
        """Ask many, `window` of them at a time; one reply each, in the order of the questions.

        `seconds` bounds each question by itself. Raises: Refused.
        """
        patience = self.target.request_seconds if seconds is None else seconds
        whole = (len(questions) / max(1, window) + 1) * patience + _GRACE
        return self._run(self._ask_all(questions, patience, window), whole)

    def take(
        self,
        subject: str,
        payload: bytes = b"",
        *,
        until: Callable[[bytes], bool],
        seconds: float | None = None,
    ) -> Reply:
        """Ask once and collect what comes until `until` says of a payload that it was the last, as PACK's empty one."""
        patience = self.target.request_seconds if seconds is None else seconds
        return self._run(self._take(subject, payload, until, patience), 60 * patience + _GRACE)

    def listen(self, subjects: Iterable[str], on_message: OnMessage) -> None:
        """Hear everything on `subjects`; `on_message` is called in the link's own thread and must return at once.

        Raises: Refused.
        """
        self._run(self._listen(tuple(subjects), on_message), self.target.connect_seconds + _GRACE)

    def close(self) -> None:
        """End the connection; does nothing the second time."""
        if self._loop.is_closed():
            return
        with suppress(ResolverError):
            self._run(self._connection.goodbye(), _GRACE)
        self._end_loop()

    def _run(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        if self._loop.is_closed():
            work.close()
            raise Refused("connection closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(seconds)
        except (FutureTimeout, CancelledError):
            future.cancel()
            raise Refused("timed out") from None

    def _end_loop(self) -> None:
        """End what still runs in the loop, in its own thread, and the thread."""
        with suppress(FutureTimeout, CancelledError):
            asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result(_GRACE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_GRACE)
        if not self._thread.is_alive():
            self._loop.close()

    async def _open(self, login: TestUser, lookup: Lookup) -> Connection:
        trouble: ResolverError = ResolverError("No server address is given.", field="urls")
        for text in self.target.urls:
            try:
                return await self._login(text, login, lookup)
            except AddressRefused:
                raise
            except (OSError, UnicodeError) as error:
                trouble = Refused(f"getaddrinfo: {said_by(error)}")
            except Refused as refused:
                trouble = refused
        raise trouble

    async def _login(self, text: str, login: TestUser, lookup: Lookup) -> Connection:
        url = parse_url(text, field="urls")
        resolving = asyncio.to_thread(resolve, url, allow_loopback=self.target.allow_loopback, lookup=lookup)
        try:
            route = await asyncio.wait_for(resolving, self.target.connect_seconds)
        except TimeoutError:
            raise Refused(
                "name server: timed out", f"The name {url.host} could not be looked up in time."
            ) from None
        connection = await connections.connect(
            route,
            login,
            seconds=self.target.connect_seconds,
            inbox_prefix=INBOX,
            ca_pem=self.target.ca_pem,
            tls_first=self.target.tls_first,
            client_name="nscweb",
            client_cert=self.target.client_cert,
            client_key=self.target.client_key,
            largest_intake=LARGEST_INTAKE,
        )
        try:
            await connection.hear(f"{self._inbox}.*", self._answered)
            await connections.flushed(connection)
        except BaseException:
            await connection.goodbye()
            raise
        self._watcher = asyncio.ensure_future(self._watch(connection))
        return connection

    def _answered(self, subject: str, payload: bytes, headers: bytes | None) -> None:
        collector = self._waiting.get(subject.rpartition(".")[2])
        if collector is not None:
            collector.take(payload, headers)

    async def _ask_all(self, questions: Sequence[Question], seconds: float, window: int) -> list[Reply]:
        """As many coroutines as may be under way, each with one question after the other."""
        replies = [Reply()] * len(questions)
        waiting = iter(enumerate(questions))

        async def work() -> None:
            for number, question in waiting:
                replies[number] = await self._ask(question, seconds)

        await asyncio.gather(*(work() for _ in range(min(window, len(questions)))))
        return replies

    async def _ask(self, question: Question, seconds: float) -> Reply:
        return await self._collected(question.subject, question.payload, Collector(question.expect), seconds)

    async def _take(
        self, subject: str, payload: bytes, until: Callable[[bytes], bool], seconds: float
    ) -> Reply:
        return await self._collected(subject, payload, Collector(0, until), seconds, quiet=True)

    async def _collected(
        self, subject: str, payload: bytes, collector: Collector, seconds: float, *, quiet: bool = False
    ) -> Reply:
        """Publish, then wait for the answers; with `quiet`, `seconds` is how long nothing may come."""
        self._next += 1
        token = str(self._next)
        self._waiting[token] = collector
        try:
            self._raise_troubles()
            await self._connection.publish(subject, payload, reply=f"{self._inbox}.{token}")
            collector.patience(self._loop, seconds, quiet=quiet)
            await collector.ended
            self._raise_troubles()
            return collector.reply
        except (NatsError, OSError) as error:
            raise Refused(said_by(error)) from error
        finally:
            collector.forget_patience()
            del self._waiting[token]

    async def _watch(self, connection: Connection) -> None:
        """Wake everybody who waits whenever the server refuses something or goes."""
        while True:
            await connection.troubled.wait()
            for collector in list(self._waiting.values()):
                collector.end()
            if not connection.is_connected:
                return
            await asyncio.sleep(0)  # whoever was woken takes note of it first

    async def _listen(self, subjects: tuple[str, ...], on_message: OnMessage) -> None:
        async def heard(message: Msg) -> None:
            on_message(message.subject, bytes(message.data))

        try:
            for subject in subjects:
                await self._connection.subscribe(subject, cb=heard)
        except (NatsError, OSError) as error:
            raise Refused(said_by(error)) from error
        await connections.flushed(self._connection)

    def _raise_troubles(self) -> None:
        if not self._connection.is_connected:
            said = self._connection.refusals[-1] if self._connection.refusals else "connection closed"
            raise Refused(said)
        if self._connection.refusals:
            said = self._connection.refusals.pop()
            if not self._connection.refusals:
                self._connection.troubled.clear()
            raise Refused(said)


async def _cancel_others() -> None:
    """Cancel every other task of the loop, and wait until they have ended."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
