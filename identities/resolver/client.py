"""The client test: connect as one or two users, publish, subscribe, request, reply or measure; tell what happened."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from queue import SimpleQueue

from nats.aio.msg import Msg

from identities.resolver import connection as connections
from identities.resolver.addresses import Lookup, Route, ServerURL, resolve, system_lookup
from identities.resolver.connection import FLUSH_SECONDS, Connection, Refused, flushed, guarded, said_by
from identities.resolver.plan import (
    LARGEST_KEPT,
    LARGEST_KEPT_IN_ALL,
    LISTENING,
    Act,
    ClientPlan,
    ClientResult,
    Event,
    EventKind,
    Step,
    check,
)

OnEvent = Callable[[Event], None]
_MOST_PINGS = 100


def run(plan: ClientPlan, on_event: OnEvent | None = None, *, lookup: Lookup = system_lookup) -> ClientResult:
    """Run a client test and return what came of it, at most a few seconds after `plan.total_seconds`.

    The event loop has a thread of its own; `on_event` is called in the caller's, as things happen, and may use the
    database. A refusal by the server is a result (`ok` False), not an exception.
    Raises: PlanRefused, AddressRefused, ResolverError (a CA certificate that is none).
    """
    url = check(plan)
    told: SimpleQueue[Event | None] = SimpleQueue()
    outcome: list[ClientResult | BaseException] = []

    def work() -> None:
        try:
            outcome.append(asyncio.run(_Test(plan, url, told.put, lookup).run()))
        except BaseException as error:  # noqa: BLE001 - carried over to the caller's thread
            outcome.append(error)
        finally:
            told.put(None)

    threading.Thread(target=work, name="client-test", daemon=True).start()
    while (event := told.get()) is not None:
        if on_event is not None:
            on_event(event)
    result = outcome[0]
    if isinstance(result, BaseException):
        raise result
    return result


class _Test:
    """One run: what it was asked for, what happened so far."""

    def __init__(self, plan: ClientPlan, url: ServerURL, tell: OnEvent, lookup: Lookup) -> None:
        self.plan, self.url, self.tell, self.lookup = plan, url, tell, lookup
        self.started = time.monotonic()
        self.events: list[Event] = []
        self.kept = 0
        self.server = ""

    async def run(self) -> ClientResult:
        try:
            async with asyncio.timeout(self.plan.total_seconds):
                summary, ok = await self._perform(), True
        except TimeoutError:
            summary, ok = f"The test was ended after {self.plan.total_seconds:g} seconds.", False
            self.note(EventKind.FAILED, "", summary)
        except Refused as refused:
            summary, ok = refused.user_message, False
            self.note(EventKind.REFUSED, refused.who, summary, said=refused.said)
        return ClientResult(
            ok=ok,
            summary=summary,
            events=tuple(self.events),
            seconds=time.monotonic() - self.started,
            server=self.server,
        )

    async def _perform(self) -> str:
        route = await self._route()
        step, partner = self.plan.step, self.plan.partner
        async with AsyncExitStack() as stack:
            if partner is not None:
                other = _Listener(self, await self._login(route, partner, stack), partner)
                return await self._pair(other, await self._login(route, step, stack))
            connection = await self._login(route, step, stack)
            if step.act in LISTENING:
                listener = _Listener(self, connection, step)
                await listener.start()
                return await listener.finish(step.seconds)
            return await self._speak(step, connection)

    async def _pair(self, listener: _Listener, speaker: Connection) -> str:
        await listener.start()
        spoken = await self._speak(self.plan.step, speaker, listener.connection)
        # Answers are in already; published messages may still be on their way.
        heard = await listener.finish(0 if self.plan.step.act is Act.REQUEST else listener.step.seconds)
        if not listener.count:
            raise Refused(
                "nothing arrived", f"{spoken} {heard} Nothing arrived.", who=listener.step.user.name
            )
        return f"{spoken} {heard}"

    async def _route(self) -> Route:
        """Look the host up in a thread that may be left behind: a name server can take longer than we wait."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Route] = loop.create_future()

        def settle(route: Route | None, problem: Exception | None) -> None:
            if answer.done():
                return
            if route is not None:
                answer.set_result(route)
            else:
                answer.set_exception(problem or OSError("no answer"))

        def work() -> None:
            route, problem = None, None
            try:
                route = resolve(self.url, allow_loopback=self.plan.allow_loopback, lookup=self.lookup)
            except Exception as error:  # noqa: BLE001 - carried over to the waiting side
                problem = error
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, route, problem)

        threading.Thread(target=work, name="client-test-lookup", daemon=True).start()
        try:
            return await asyncio.wait_for(answer, self.plan.connect_seconds)
        except TimeoutError as error:
            raise Refused(
                "name server: timed out", f"The name {self.url.host} could not be looked up in time."
            ) from error
        except (OSError, UnicodeError) as error:
            raise Refused(f"getaddrinfo: {said_by(error)}") from error

    async def _login(self, route: Route, step: Step, stack: AsyncExitStack) -> Connection:
        name = step.user.name
        spent = (
            time.monotonic() - self.started if not self.server else 0
        )  # the lookup counts for the first login
        try:
            connection = await connections.connect(
                route,
                step.user,
                seconds=max(0.1, self.plan.connect_seconds - spent),
                inbox_prefix=self.plan.inbox_prefix,
                ca_pem=self.plan.ca_pem,
                tls_first=self.plan.tls_first,
                client_cert=self.plan.client_cert,
                client_key=self.plan.client_key,
            )
        except Refused as refused:
            message = f"{name} could not connect to {self.url}. {refused.user_message}"
            raise Refused(refused.said, message, who=name) from refused
        stack.push_async_callback(connection.goodbye)
        self.server = connection.server
        self.note(EventKind.CONNECTED, name, f"Connected to {self.url} ({self.server}).")
        return connection

    async def _speak(self, step: Step, connection: Connection, *others: Connection) -> str:
        if step.act is Act.PUBLISH:
            return await self._publish(step, connection, *others)
        if step.act is Act.REQUEST:
            return await self._request(step, connection, *others)
        return await self._measure(step, connection)

    async def _publish(self, step: Step, connection: Connection, *others: Connection) -> str:
        payload, name = step.payload.encode(), step.user.name
        for _ in range(step.messages):
            await guarded(connection.publish(step.subject, payload), connection, *others)
        await flushed(connection)
        told = f"Published {_messages(step.messages)} to {step.subject}."
        self.note(EventKind.PUBLISHED, name, told, step.subject, payload)
        return f"{name} published {_messages(step.messages)} to {step.subject}."

    async def _request(self, step: Step, connection: Connection, *others: Connection) -> str:
        payload, name = step.payload.encode(), step.user.name
        for _ in range(step.messages):
            self.note(EventKind.REQUESTED, name, f"Requested on {step.subject}.", step.subject, payload)
            asking = connection.request(step.subject, payload, timeout=step.seconds)
            try:
                answer = await guarded(asking, connection, *others)
            except Refused as refused:
                if refused.said != "timed out":
                    raise
                said = f"no answer within {step.seconds:g} seconds"
                message = f"{name} asked on {step.subject} and got no answer within {step.seconds:g} seconds."
                raise Refused(said, message, who=name) from refused
            self.note(EventKind.RECEIVED, name, "Received the answer.", answer.subject, answer.data)
        return f"{name} requested on {step.subject} and received {_messages(step.messages, 'answer')}."

    async def _measure(self, step: Step, connection: Connection) -> str:
        times = []
        for _ in range(min(step.messages, _MOST_PINGS)):
            times.append(1000 * await guarded(connection.rtt(timeout=FLUSH_SECONDS), connection))
            self.note(EventKind.RTT, step.user.name, f"Round trip to the server in {times[-1]:.2f} ms.")
        return f"{step.user.name} reached the server and back in {min(times):.2f} ms (best of {len(times)})."

    def note(
        self, kind: EventKind, who: str, text: str, subject: str = "", data: bytes = b"", *, said: str = ""
    ) -> None:
        kept = data[: max(0, min(LARGEST_KEPT, LARGEST_KEPT_IN_ALL - self.kept))]
        self.kept += len(kept)
        event = Event(
            kind=kind,
            at=time.monotonic() - self.started,
            who=who,
            text=text,
            subject=subject,
            data=kept,
            size=len(data),
            said=said,
        )
        self.events.append(event)
        self.tell(event)


class _Listener:
    """A subscription that takes up to `step.messages` messages, and answers them when asked to."""

    def __init__(self, test: _Test, connection: Connection, step: Step) -> None:
        self.test, self.connection, self.step = test, connection, step
        self.count = 0
        self.enough = asyncio.Event()

    async def start(self) -> None:
        """Subscribe, and make sure that the server took it. Raises: Refused."""
        step = self.step
        await guarded(
            self.connection.subscribe(step.subject, queue=step.queue, cb=self._take), self.connection
        )
        await flushed(self.connection)
        queue = f" in the queue group {step.queue}" if step.queue else ""
        told = f"Listening on {step.subject}{queue}."
        self.test.note(EventKind.SUBSCRIBED, step.user.name, told, step.subject)

    async def _take(self, message: Msg) -> None:
        if self.count >= self.step.messages:
            return
        self.count += 1
        name = self.step.user.name
        self.test.note(EventKind.RECEIVED, name, "Received a message.", message.subject, message.data)
        if self.step.act is Act.REPLY and message.reply:
            payload = message.data if self.step.echo else self.step.payload.encode()
            await self.connection.publish(message.reply, payload)
            self.test.note(EventKind.ANSWERED, name, f"Answered to {message.reply}.", message.reply, payload)
        if self.count >= self.step.messages:
            self.enough.set()

    async def finish(self, seconds: float) -> str:
        """Wait for enough messages, or for `seconds`. Raises: Refused when the server refused something meanwhile."""
        if seconds:
            try:
                await guarded(asyncio.wait_for(self.enough.wait(), seconds), self.connection)
            except Refused as refused:
                if refused.said != "timed out" or self.connection.refusals:
                    raise
        await flushed(self.connection)  # an answer just sent may have been refused
        done = "answered" if self.step.act is Act.REPLY else "received"
        told = f"{done} {_messages(self.count)} on {self.step.subject}."
        self.test.note(EventKind.ENDED, self.step.user.name, told.capitalize(), self.step.subject)
        return f"{self.step.user.name} {told}"


def _messages(count: int, noun: str = "message") -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
