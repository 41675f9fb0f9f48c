"""An MQTT 3.1.1 client of a few lines over a plain socket."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

PATIENCE = 3.0
_CONNECT, _CONNACK, _PUBLISH, _PUBACK, _SUBSCRIBE, _SUBACK, _PINGREQ, _PINGRESP = (
    0x10, 0x20, 0x30, 0x40, 0x82, 0x90, 0xC0, 0xD0,
)  # fmt: skip


class MqttRefused(Exception):
    """The server refused the login, a subscription, or hung up."""


@dataclass(slots=True)
class Mqtt:
    """One connection; `received` are topic and message of what came in."""

    port: int
    client: str
    password: str
    received: list[tuple[str, bytes]] = field(default_factory=list)
    _socket: socket.socket = field(init=False, repr=False)

    def __enter__(self) -> Self:
        self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        body = (
            _text("MQTT") + bytes([4, 0xC2, 0, 60]) + _text(self.client) + _text("x") + _text(self.password)
        )
        self._send(_CONNECT, body)
        if self._until(_CONNACK)[1] != 0:
            raise MqttRefused("the login")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._socket.close()

    def publish(self, topic: str, data: bytes, *, qos: int = 0) -> None:
        """Publish, and wait until the server has stored it when `qos` is 1."""
        self._send(_PUBLISH | qos << 1, _text(topic) + (b"\x00\x01" if qos else b"") + data)
        if qos:
            self._until(_PUBACK)
        self.ping()

    def subscribe(self, topic: str, *, qos: int = 0) -> None:
        """Raises: MqttRefused."""
        self._send(_SUBSCRIBE, b"\x00\x01" + _text(topic) + bytes([qos]))
        if self._until(_SUBACK)[2] == 0x80:
            raise MqttRefused(topic)

    def ping(self) -> None:
        """Wait until the server has dealt with all that was sent."""
        self._send(_PINGREQ, b"")
        self._until(_PINGRESP)

    def message(self) -> tuple[str, bytes]:
        """The next message."""
        while not self.received:
            self._packet()
        return self.received.pop(0)

    def _until(self, wanted: int) -> bytes:
        while True:
            kind, body = self._packet()
            if kind & 0xF0 == wanted & 0xF0:
                return body

    def _packet(self) -> tuple[int, bytes]:
        kind = self._read(1)[0]
        size, shift = 0, 0
        while True:
            byte = self._read(1)[0]
            size |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                break
        body = self._read(size)
        if kind & 0xF0 == _PUBLISH:
            self._take(kind, body)
        return kind, body

    def _take(self, kind: int, body: bytes) -> None:
        length = int.from_bytes(body[:2], "big")
        topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
        if kind >> 1 & 3:
            self._send(_PUBACK, rest[:2])
            rest = rest[2:]
        self.received.append((topic, rest))

    def _send(self, kind: int, body: bytes) -> None:
        size, head = len(body), bytearray([kind])
        while True:
            size, byte = size >> 7, size & 127
            head.append(byte | (128 if size else 0))
            if not size:
                break
        self._socket.sendall(bytes(head) + body)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                more = self._socket.recv(size - len(data))
            except (TimeoutError, ConnectionResetError) as ended:
                raise MqttRefused("no answer") from ended
            if not more:
                raise MqttRefused("the server hung up")
            data += more
        return data


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data
