"""A NATS client of a few lines over a plain socket: many short conversations, each answer told apart by a PING."""

from __future__ import annotations

import base64
import json
import re
import socket
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Self

from identities.nkeys import KeyPair

PATIENCE = 10.0
_ERROR = re.compile(rb"-ERR '(.*)'\r\n")


class Refused(Exception):
    """The server let this client not in; the text is the server's."""


class Message(NamedTuple):
    """A message as it came in."""

    subject: str
    sid: str
    reply: str
    data: bytes


@dataclass(slots=True)
class Wire:
    """One connection. `errors` and `messages` are what came in since the last `sync`."""

    port: int
    jwt: str
    pair: KeyPair
    errors: list[str] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    _socket: socket.socket = field(init=False, repr=False)
    _held: bytes = field(default=b"", repr=False)

    def __enter__(self) -> Self:
        self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._sign_in()
        except BaseException:
            self._socket.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._socket.close()

    def _sign_in(self) -> None:
        info = json.loads(self._line().split(b" ", 1)[1])
        signature = base64.urlsafe_b64encode(self.pair.sign(info["nonce"].encode())).rstrip(b"=").decode()
        options = {
            "jwt": self.jwt, "sig": signature, "verbose": False, "pedantic": False, "protocol": 1,
            "headers": True, "no_responders": True, "echo": False, "lang": "test", "version": "1",
        }  # fmt: skip
        self._socket.sendall(f"CONNECT {json.dumps(options)}\r\n".encode())
        self.sync()
        if self.errors:
            raise Refused(self.errors[0])

    def say(self, *lines: str) -> None:
        """Send protocol lines."""
        self._socket.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def publish(self, subject: str, data: str = "", reply: str = "", times: int = 1) -> None:
        """Publish; an empty reply is none."""
        head = f"PUB {subject} {reply + ' ' if reply else ''}{len(data)}"
        self.say(*[head, data] * times)

    def sync(self) -> list[str]:
        """Wait until the server has seen all of it; the errors it answered meanwhile."""
        self.errors, self.messages = [], []
        self.say("PING")
        while True:
            try:
                line = self._line()
            except EOFError:
                if not self.errors:
                    raise
                return self.errors
            verb = line.split(b" ", 1)[0].strip()
            if verb == b"PONG":
                return self.errors
            if verb == b"PING":
                self.say("PONG")
            elif found := _ERROR.fullmatch(line):
                self.errors.append(found[1].decode())
            elif verb in (b"MSG", b"HMSG"):
                self._message(line.decode().split())

    def ask(self, *lines: str) -> list[str]:
        """Send lines; the errors they bring."""
        self.say(*lines)
        return self.sync()

    def _message(self, words: list[str]) -> None:
        size = int(words[-1])
        while len(self._held) < size + 2:
            self._receive()
        data, self._held = self._held[:size], self._held[size + 2 :]
        sizes = 1
        if words[0] == "HMSG":
            sizes, data = 2, data[int(words[-2]) :]
        reply = words[3] if len(words) == 4 + sizes else ""
        self.messages.append(Message(words[1], words[2], reply, data))

    def _line(self) -> bytes:
        while b"\r\n" not in self._held:
            self._receive()
        line, _, self._held = self._held.partition(b"\r\n")
        return line + b"\r\n"

    def _receive(self) -> None:
        try:
            more = self._socket.recv(1 << 16)
        except ConnectionResetError:  # hung up with a PING of ours unread
            more = b""
        if not more:
            raise EOFError("the server hung up")
        self._held += more
