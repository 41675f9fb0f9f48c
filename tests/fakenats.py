"""Something that listens where a nats-server should: silent, a web server, or one that answers oddly."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

INFO = {
    "server_id": "N" + "A" * 55,
    "server_name": "fake",
    "version": "2.15.0",
    "max_payload": 1_048_576,
    "headers": True,
    "auth_required": True,
    "nonce": "abcdefghijk",
}
Talk = Callable[[socket.socket], None]
Answers = Callable[[str, bytes], list[bytes]]
"""From the subject and payload of a request to what is answered."""


@contextmanager
def listening(talk: Talk) -> Iterator[int]:
    """A port at which `talk` is held with everyone who connects."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                talk(self.request)
            except OSError:
                pass

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


def says(text: bytes) -> Talk:
    """Says one thing, then waits."""

    def talk(peer: socket.socket) -> None:
        peer.sendall(text)
        silent(peer)

    return talk


def silent(peer: socket.socket) -> None:
    """Says nothing, until the other side goes."""
    while peer.recv(4096):
        pass


def hangs_up(peer: socket.socket) -> None:
    """Accepts, and closes."""
    peer.shutdown(socket.SHUT_RDWR)


def web(peer: socket.socket) -> None:
    """Answers as a web server does: once it was asked."""
    if b"\r\n" in peer.recv(4096):
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def greeting(**changes: Any) -> bytes:
    """An INFO line; None leaves a field out."""
    info = {name: value for name, value in {**INFO, **changes}.items() if value is not None}
    return b"INFO " + json.dumps(info).encode() + b"\r\n"


def server(answers: Answers) -> Talk:
    """A server that lets anybody in, and answers what `answers` says."""

    def talk(peer: socket.socket) -> None:
        peer.sendall(greeting())
        stream, inboxes = peer.makefile("rb"), []
        while line := stream.readline():
            words = line.split()
            if words[:1] == [b"PING"]:
                peer.sendall(b"PONG\r\n")
            elif words[:1] == [b"SUB"]:
                inboxes.append(words[-1])
            elif words[:1] == [b"PUB"]:
                payload = stream.read(int(words[-1]) + 2)[:-2]
                subject, reply = words[1].decode(), words[2]
                for answer in answers(subject, payload):
                    peer.sendall(b"MSG %s %s %d\r\n%s\r\n" % (reply, inboxes[0], len(answer), answer))

    return talk
