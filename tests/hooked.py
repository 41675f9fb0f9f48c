"""A real HTTP server on loopback that is told how to answer webhooks, and keeps what it was sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Hooked:
    """Where it listens, how it answers from now on, and what came."""

    port: int
    status: int = 204
    text: bytes = b""
    location: str = ""
    seconds: float = 0.0
    endless: bool = False
    received: list[Received] = field(default_factory=list)

    @property
    def url(self) -> str:
        """An address of this server."""
        return f"http://127.0.0.1:{self.port}/in/here"


@contextmanager
def server() -> Iterator[Hooked]:
    """Listen for the length of a block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.received.append(Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            ended.wait(told.seconds)
            self.send_response(told.status)
            if told.location:
                self.send_header("Location", told.location)
            self.end_headers()
            self.wfile.write(told.text)
            while told.endless and not ended.is_set():
                try:
                    self.wfile.write(b"x" * 65536)
                except OSError:
                    return

        def do_GET(self) -> None:
            told.received.append(Received(self.path, {}, b"GET"))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Nothing is printed."""

    ended = threading.Event()
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told = Hooked(listening.server_address[1])
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield told
    finally:
        ended.set()
        listening.shutdown()
        thread.join()
        listening.server_close()
