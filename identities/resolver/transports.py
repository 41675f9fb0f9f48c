"""Bounded connections to exactly one checked address, for nats-py: plain TCP, TLS, and NATS inside a web socket."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
from collections.abc import Iterable
from secrets import token_bytes
from typing import Final
from urllib.parse import ParseResult

from nats.aio.transport import TcpTransport

from identities.resolver.addresses import Route

LARGEST_INTAKE: Final = 16 * 1024 * 1024
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUED, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class Broken(OSError):
    """The connection can't go on; nats-py closes it on any OSError."""


class TcpRoute(TcpTransport):
    """TCP to the route's address; TLS is laid over it with the URL's host name. Bounded by `largest_intake` bytes."""

    def __init__(self, route: Route, largest_intake: int = LARGEST_INTAKE) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # nats-py annotates only in part
        self._route, self._largest_intake = route, largest_intake
        self._taken = 0

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        """Connect to the checked address; `uri` is not looked at."""
        await self._open(buffer_size, connect_timeout, None)

    async def _open(self, limit: int, timeout: float, tls: ssl.SSLContext | None) -> None:
        opening = asyncio.open_connection(
            self._route.address,
            self._route.url.port,
            limit=limit,
            ssl=tls,
            server_hostname=self._route.url.host if tls else None,
        )
        reader, writer = await asyncio.wait_for(opening, timeout)
        self._bare_io_reader = self._io_reader = reader
        self._bare_io_writer = self._io_writer = writer

    async def read(self, buffer_size: int) -> bytes:
        """The next bytes. Raises: Broken beyond the largest intake."""
        return self._counted(await super().read(buffer_size))

    async def readline(self) -> bytes:
        """The next line. Raises: Broken beyond the largest intake."""
        return self._counted(await super().readline())  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Close; over TLS at once: asyncio would wait long for a goodbye that nats-server does not send.

        What was sent before is safe, a flush has been answered.
        """
        if self._io_writer is not None and self._io_writer.get_extra_info("ssl_object") is not None:
            self.abort()
        else:
            super().close()  # type: ignore[no-untyped-call]

    async def wait_closed(self) -> None:
        """Not waited for: after a failed TLS handshake asyncio never reports the end; `abort` follows anyway."""
        await asyncio.sleep(0)

    def abort(self) -> None:
        """Drop the connection at once, without waiting for the other side's TLS goodbye."""
        for writer in (self._io_writer, self._bare_io_writer):
            if writer is not None:
                writer.transport.abort()

    def _counted(self, data: bytes) -> bytes:
        self._taken += len(data)
        if self._taken > self._largest_intake:
            raise Broken("too much data")
        return data


class WebSocketRoute(TcpRoute):
    """NATS inside a web socket's binary frames (RFC 6455, client side, no extensions)."""

    def __init__(self, route: Route, largest_intake: int = LARGEST_INTAKE) -> None:
        super().__init__(route, largest_intake)
        self._inbox = bytearray()
        self._ended = False

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        """Connect in clear text and shake hands."""
        await self._open(buffer_size, connect_timeout, None)
        await asyncio.wait_for(self._shake_hands(), connect_timeout)

    async def connect_tls(
        self, uri: str | ParseResult, ssl_context: ssl.SSLContext, buffer_size: int, connect_timeout: int
    ) -> None:
        """Connect in TLS and shake hands; asked again later by nats-py, there is nothing left to do."""
        if self._io_writer is None:
            await self._open(buffer_size, connect_timeout, ssl_context)
            await asyncio.wait_for(self._shake_hands(), connect_timeout)

    async def _shake_hands(self) -> None:
        url, key = self._route.url, base64.b64encode(token_bytes(16))
        host = f"[{url.host}]" if ":" in url.host else url.host
        self._writer.write(
            f"GET {url.path} HTTP/1.1\r\nHost: {host}:{url.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key.decode()}\r\n\r\n".encode("ascii")
        )
        await self._writer.drain()
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *lines = head.split("\r\n")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }
        # SHA-1 is what the protocol has; it guards against confused servers, not against attackers.
        proof = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode()
        if status.split(" ")[1:2] != ["101"] or headers.get("sec-websocket-accept") != proof:
            raise Broken("no websocket answers at this address")

    @property
    def _reader(self) -> asyncio.StreamReader:
        if self._io_reader is None:
            raise Broken("connection closed")
        return self._io_reader

    @property
    def _writer(self) -> asyncio.StreamWriter:
        if self._io_writer is None:
            raise Broken("connection closed")
        return self._io_writer

    def write(self, payload: bytes) -> None:
        """Queue one binary frame."""
        self._writer.write(_frame(_BINARY, payload))

    def writelines(self, payload: Iterable[bytes]) -> None:
        """Queue many pieces as one binary frame."""
        self.write(b"".join(payload))

    async def read(self, buffer_size: int) -> bytes:
        """What the next frame brought; b"" at the end."""
        if not self._inbox:
            await self._fill()
        data = bytes(self._inbox)
        self._inbox.clear()
        return data

    async def readline(self) -> bytes:
        """The next line, even when frames end in its middle."""
        while b"\n" not in self._inbox and not self._ended:
            await self._fill()
        end = self._inbox.find(b"\n") + 1 or len(self._inbox)
        line = bytes(self._inbox[:end])
        del self._inbox[:end]
        return line

    async def _fill(self) -> None:
        while True:
            try:
                kind, data = await self._next_frame()
            except asyncio.IncompleteReadError:
                kind, data = _CLOSE, b""
            if kind == _PING:
                self._writer.write(_frame(_PONG, data))
            elif kind == _CLOSE:
                self._ended = True
                return
            elif kind in (_BINARY, _TEXT, _CONTINUED) and data:
                self._inbox += data
                return

    async def _next_frame(self) -> tuple[int, bytes]:
        first, second = await self._reader.readexactly(2)
        length = second & 0x7F
        if length >= 126:
            length = int.from_bytes(await self._reader.readexactly(2 if length == 126 else 8), "big")
        if second & 0x80 or first & 0x70:
            raise Broken("no websocket of the usual kind answers at this address")
        self._taken += length
        if self._taken > self._largest_intake:
            raise Broken("too much data")
        return first & 0x0F, await self._reader.readexactly(length)

    def at_eof(self) -> bool:
        """True after the server's last frame."""
        return not self._inbox and (self._ended or super().at_eof())  # type: ignore[no-untyped-call]


def _frame(kind: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        head = bytes((0x80 | kind, 0x80 | length))
    elif length < 65_536:
        head = bytes((0x80 | kind, 0x80 | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((0x80 | kind, 0x80 | 127)) + length.to_bytes(8, "big")
    mask = token_bytes(4)
    stream = (mask * (length // 4 + 1))[:length]
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(length, "big")
    return head + mask + masked
