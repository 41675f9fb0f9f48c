"""One user's connection to one server, through nats-py: no reconnects, no other servers, every refusal kept."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import ceil
from typing import Any, Final, TypeVar

from nats.aio.client import Client, Srv
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError, NoServersError
from nats.errors import TimeoutError as NatsTimeoutError

from identities.nkeys import KeyPair, SecretBytes
from identities.resolver import contexts
from identities.resolver.addresses import Route
from identities.resolver.errors import ResolverError, explain
from identities.resolver.plan import CONNECT_SECONDS, TestUser
from identities.resolver.transports import LARGEST_INTAKE, TcpRoute, WebSocketRoute

FLUSH_SECONDS: Final = 4
_GOODBYE_SECONDS: Final = 1.0
T = TypeVar("T")
Taker = Callable[[str, bytes, bytes | None], None]
"""Takes a message's subject, payload and raw headers, None where there are none."""


class Refused(ResolverError):
    """The server, or the way to it, refused; `said` is its own text, the message says it plainly."""

    code = "server-refused"

    def __init__(self, said: str, message: str = "", *, who: str = "") -> None:
        plain = message or explain(said)
        super().__init__(f"{who}: {plain}" if who and not message else plain)
        self.said, self.who = said, who


class Connection(Client):  # type: ignore[misc, unused-ignore]  # nats-py annotates only in part
    """A nats-py client that goes to one checked address only, keeps the server's exact words, and stays down once
    it is down. `refusals` holds what the server refused while connected; `troubled` is set with the first one.
    """

    def __init__(self, route: Route, user_name: str, largest_intake: int = LARGEST_INTAKE) -> None:
        super().__init__()
        self.route, self.user_name, self.largest_intake = route, user_name, largest_intake
        self.refusals: list[str] = []
        self.troubled = asyncio.Event()
        self.failure: BaseException | None = None
        self._takers: dict[int, Taker] = {}

    async def _connect_to_server(self, s: Srv) -> None:
        kind = WebSocketRoute if self.route.url.websocket else TcpRoute
        self._transport = kind(self.route, self.largest_intake)
        if self.route.url.scheme == "wss":
            await self._transport.connect_tls(s.uri, self.ssl_context, 65_536, int(CONNECT_SECONDS))
        else:
            await self._transport.connect(s.uri, 65_536, int(CONNECT_SECONDS))

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:  # noqa: FBT001, FBT002 - nats-py's signature
        info.pop("connect_urls", None)  # other servers of the cluster were not checked
        if initial_connection:
            if self.route.url.scheme == "tls" and not self.options["tls_handshake_first"]:
                if not (info.get("tls_required") or info.get("tls_available")):
                    raise NatsError("the server offers no TLS")  # nats-py would go on in clear text
                info["tls_required"] = True
            if not info.get("auth_required"):
                raise NatsError("the server asks for no login")
        await super()._process_info(info, initial_connection)

    async def _process_err(self, err_msg: str) -> None:
        # nats-py hands the text over in lower case; its parser's buffer still has the line as it came.
        line = bytes(self._ps.buf).partition(b"\r\n")[0].decode("utf-8", "replace")
        said = line.partition("'")[2].rpartition("'")[0]
        self.note(said if said.lower() == err_msg.strip("'") else err_msg.strip("'"))
        await super()._process_err(err_msg)

    async def hear(self, subject: str, taker: Taker) -> None:
        """Subscribe; `taker` gets every message as it is read, without nats-py's queue and task: it must be quick."""
        subscription = await self.subscribe(subject)
        self._takers |= {sid: taker for sid, one in self._subs.items() if one is subscription}

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        taker = self._takers.get(sid)
        if taker is None:
            await super()._process_msg(sid, subject, reply, data, headers)
        else:
            taker(subject.decode(errors="replace"), data, headers)

    def note(self, said: str) -> None:
        """Keep a refusal and wake whoever waits."""
        self.refusals.append(said)
        self.troubled.set()

    async def on_error(self, error: Exception) -> None:
        """Remember the first reason why connecting or reading failed."""
        self.failure = self.failure or error

    async def on_closed(self) -> None:
        """A closed connection is trouble, unless its reason is known already."""
        reason = self.failure or self.last_error
        if not self.refusals:
            self.note(said_by(reason) if reason else "connection closed")
        self.troubled.set()

    async def flush(self, timeout: int = FLUSH_SECONDS) -> None:
        """Write everything, then wait for the server's pong: nats-py's own ping overtakes what is not written yet."""
        await self._flush_pending(force_flush=True)
        await super().flush(timeout)

    @property
    def server(self) -> str:
        """The server's name (or id) and version, as it told them."""
        name = self._server_info.get("server_name") or self._server_info.get("server_id") or "?"
        return f"{name} {self._server_info.get('version', '')}".strip()[:200]

    async def goodbye(self) -> None:
        """Close within a second, whatever the other side does."""
        self._closed_cb = None
        with suppress(TimeoutError, OSError, NatsError, RuntimeError):
            await asyncio.wait_for(self.close(), _GOODBYE_SECONDS)
        transport = self._transport
        if isinstance(transport, TcpRoute):
            transport.abort()
            await asyncio.sleep(0)  # let the event loop take note


def said_by(error: BaseException) -> str:
    """An error's own words, without nats-py's decoration."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS certificate verify failed: {error.verify_message}"
    if isinstance(error, TimeoutError) and not str(error):
        return "timed out"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or str(error)).replace('_', ' ').lower()}"
    return str(error).removeprefix("nats: ").strip("' ") or type(error).__name__


async def connect(
    route: Route,
    user: TestUser,
    *,
    seconds: float = CONNECT_SECONDS,
    inbox_prefix: str = "_INBOX",
    ca_pem: str = "",
    tls_first: bool = False,
    client_name: str = "nscweb client test",
    client_cert: str = "",
    client_key: SecretBytes | None = None,
    largest_intake: int = LARGEST_INTAKE,
) -> Connection:
    """Log in as `user` within `seconds`. Raises: Refused. The caller says `goodbye()`."""
    tls = contexts.client_context(ca_pem, client_cert, client_key)
    connection = Connection(route, user.name, largest_intake)
    host = f"[{route.address}]" if ":" in route.address else route.address
    try:
        await asyncio.wait_for(
            connection.connect(
                f"{route.url.scheme}://{host}:{route.url.port}",
                name=client_name,
                error_cb=connection.on_error,
                closed_cb=connection.on_closed,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=ceil(seconds),
                user_jwt_cb=user.jwt.encode,
                signature_cb=_signer(user),
                inbox_prefix=inbox_prefix,
                tls=tls,
                tls_hostname=route.url.host,
                tls_handshake_first=tls_first and route.url.scheme == "tls",
            ),
            seconds,
        )
    except BaseException as error:
        await connection.goodbye()
        if isinstance(error, NoServersError | TimeoutError) and connection.failure is not None:
            error = connection.failure
        if not isinstance(error, Exception):
            raise
        raise Refused(said_by(error)) from error
    return connection


def _signer(user: TestUser) -> Callable[[str], bytes]:
    def sign(nonce: str) -> bytes:
        if user.seed is None:
            return b""
        pair = KeyPair.from_seed(user.seed)
        try:
            return base64.b64encode(pair.sign(nonce.encode()))
        finally:
            pair.wipe()

    return sign


async def guarded(doing: Awaitable[T], *watched: Connection) -> T:
    """Await something, unless one of the connections is refused something first. Raises: Refused."""
    task = asyncio.ensure_future(doing)
    troubles = [asyncio.ensure_future(connection.troubled.wait()) for connection in watched]
    try:
        await asyncio.wait((task, *troubles), return_when=asyncio.FIRST_COMPLETED)
        for connection in watched:
            _raise_refusals(connection)
        return task.result()
    except NoRespondersError:
        raise Refused("no responders", who=watched[0].user_name) from None
    except (TimeoutError, NatsTimeoutError):
        raise Refused("timed out", who=watched[0].user_name) from None
    except (NatsError, OSError) as error:
        raise Refused(said_by(error), who=watched[0].user_name) from error
    finally:
        for waiting in (task, *troubles):
            waiting.cancel()


async def flushed(connection: Connection) -> None:
    """Wait until the server has taken all that was sent, and refused what it refuses. Raises: Refused."""
    await guarded(connection.flush(timeout=FLUSH_SECONDS), connection)
    _raise_refusals(connection)


def _raise_refusals(connection: Connection) -> None:
    if connection.refusals:
        raise Refused(connection.refusals[0], who=connection.user_name)
