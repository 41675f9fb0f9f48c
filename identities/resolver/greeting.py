"""What stands at an address before anybody logs in: a nats-server that greets, TLS, or something else altogether."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from identities.resolver import contexts
from identities.resolver.addresses import Route
from identities.resolver.connection import said_by
from identities.resolver.errors import explain
from identities.resolver.system import Target

LARGEST_INFO: Final = 64 * 1024
GUESSED: Final = 1.0
"""Seconds that what does not greet is given to show what it is."""
_SHOWN: Final = 80
_WEB: Final = (
    "A web server answers at this address, not a nats-server. Clients' port is usually 4222; 8222 is where a "
    "nats-server shows its monitoring."
)
_SILENT: Final = (
    "Something accepts the connection and then says nothing; a nats-server greets at once. Check the port, and whether "
    "a firewall or load balancer stands between."
)
_CLOSED: Final = (
    "The connection is accepted and closed without a word. Check the port, and whether the server takes connections "
    "from here."
)
_TLS_FIRST: Final = "The server speaks TLS first. Write a tls:// address and choose “TLS first”."
_NOT_TLS_FIRST: Final = "The server greets in clear text before it speaks TLS. Take “TLS first” away."
_NO_TLS: Final = explain("the server offers no TLS")
_NEEDS_CERTIFICATE: Final = (
    "The server asks for a client certificate, and none is given. Add one, with its private key."
)


class NoGreeting(Exception):
    """There is no nats-server to log in to, or no way to it: in plain words, and as it was said."""

    def __init__(self, text: str, said: str = "") -> None:
        super().__init__(text)
        self.text, self.said = text, said


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """A server that greets: its INFO, and whether TLS was agreed on."""

    info: Mapping[str, Any] = field(default_factory=dict)
    encrypted: bool = False

    @property
    def server(self) -> str:
        """Its name (or id) and version."""
        words = (self.info.get("server_name") or self.info.get("server_id"), self.info.get("version"))
        return " ".join(str(word) for word in words if word)[:200]

    @property
    def has_operator(self) -> bool:
        """Whether it may run with an operator: those send a nonce to sign (so do a few others)."""
        return bool(self.info.get("auth_required")) and bool(self.info.get("nonce"))


def greet(route: Route, target: Target, seconds: float) -> Greeting:
    """Connect, hear the greeting and agree on TLS, each within `seconds`; nobody logs in. What does not greet is looked
    at for `GUESSED` seconds more.

    Raises: NoGreeting. ResolverError: certificates that can't be used.
    """
    context = contexts.client_context(target.ca_pem, target.client_cert, target.client_key)
    with ThreadPoolExecutor(
        1, thread_name_prefix="greeting"
    ) as apart:  # whoever calls may have a loop of its own
        return apart.submit(asyncio.run, _greet(route, target, context, seconds)).result()


async def _greet(route: Route, target: Target, context: ssl.SSLContext, seconds: float) -> Greeting:
    first = target.tls_first and route.url.scheme == "tls"
    try:
        reader, writer = await _open(route, seconds, context if first else None)
    except (OSError, TimeoutError) as error:
        if first and isinstance(error, ssl.SSLError) and await _greets_in_clear(route, seconds):
            raise NoGreeting(_NOT_TLS_FIRST, said_by(error)) from None
        raise NoGreeting(explain(said_by(error)), said_by(error)) from None
    try:
        info = await _info(route, reader, seconds)
        wanted = first or route.url.scheme == "tls" or bool(info.get("tls_required"))
        if not wanted or first:
            return Greeting(info=info, encrypted=first)
        if not (info.get("tls_required") or info.get("tls_available")):
            raise NoGreeting(_NO_TLS)
        if info.get("tls_verify") and not target.client_cert:
            raise NoGreeting(_NEEDS_CERTIFICATE)
        await asyncio.wait_for(
            writer.start_tls(context, server_hostname=route.url.host, ssl_handshake_timeout=seconds),
            seconds,
        )
        return Greeting(info=info, encrypted=True)
    except TimeoutError:
        raise NoGreeting(await _waits_for_us(route, seconds) or _SILENT, "timed out") from None
    except OSError as error:
        raise NoGreeting(explain(said_by(error)), said_by(error)) from None
    finally:
        writer.transport.abort()


async def _open(
    route: Route, seconds: float, context: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    opening = asyncio.open_connection(
        route.address,
        route.url.port,
        limit=LARGEST_INFO,
        ssl=context,
        server_hostname=route.url.host if context else None,
    )
    return await asyncio.wait_for(opening, seconds)


async def _info(route: Route, reader: asyncio.StreamReader, seconds: float) -> Mapping[str, Any]:
    """The greeting. Raises: NoGreeting, TimeoutError, OSError."""
    try:
        line = await asyncio.wait_for(reader.readline(), seconds)
    except ValueError:  # longer than the limit
        raise NoGreeting(explain("chunk exceed the limit"), "more than 64 KiB without a line's end") from None
    if not line:
        raise NoGreeting(await _waits_for_us(route, seconds) or _CLOSED, "connection closed")
    text = line.decode("utf-8", "replace").strip()
    if text.startswith("HTTP/"):
        raise NoGreeting(_WEB, _printable(text))
    if not text.upper().startswith("INFO "):
        raise NoGreeting(explain("expecting info"), _printable(text))
    try:
        info = json.loads(text[5:])
    except (ValueError, RecursionError):
        info = None
    if not isinstance(info, dict):
        raise NoGreeting(
            "What answers begins like a nats-server, but its greeting can't be read.", _printable(text)
        )
    return info


async def _waits_for_us(route: Route, seconds: float) -> str:
    """What something is that waits for us to speak first; "" when it answers to nothing.

    Both ways to speak are tried at once, and briefly: whoever waits has waited for a greeting already.
    """
    seconds = min(seconds, GUESSED)
    web, tls = await asyncio.gather(_is_web(route, seconds), _speaks_tls(route, seconds))
    return _WEB if web else _TLS_FIRST if tls else ""


async def _is_web(route: Route, seconds: float) -> bool:
    with suppress(OSError, TimeoutError, ValueError):
        reader, writer = await _open(route, seconds, None)
        try:
            writer.write(f"GET / HTTP/1.0\r\nHost: {route.url.host}\r\n\r\n".encode())
            return (await asyncio.wait_for(reader.read(5), seconds)).startswith(b"HTTP/")
        finally:
            writer.transport.abort()
    return False


async def _speaks_tls(route: Route, seconds: float) -> bool:
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # only whether TLS is spoken: nothing is sent
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    with suppress(OSError, TimeoutError):
        _, writer = await _open(route, seconds, unchecked)
        writer.transport.abort()
        return True
    return False


async def _greets_in_clear(route: Route, seconds: float) -> bool:
    with suppress(OSError, TimeoutError, ValueError):
        reader, writer = await _open(route, seconds, None)
        try:
            return (await asyncio.wait_for(reader.readline(), seconds)).startswith(b"INFO ")
        finally:
            writer.transport.abort()
    return False


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:_SHOWN])
