"""Posts one text over http or https: to a checked address, within a time, without following anything."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import cast

from identities.resolver.addresses import Lookup, system_lookup
from identities.resolver.fetching import (
    LONGEST_HEAD,
    FetchFailed,
    Received,
    WebURL,
    connected,
    left,
    looked_up,
)

SECONDS = 10.0
MOST_READ = 4096
"""Bytes of an answer's text that are read; what comes after is not waited for."""
_PIECE = 16 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: its status, and the beginning of its text."""

    status: int
    text: str

    @property
    def accepted(self) -> bool:
        """True for 2xx."""
        return 200 <= self.status < 300


def post(
    url: WebURL,
    body: bytes,
    *,
    headers: Mapping[str, str],
    allow_loopback: bool,
    field: str = "url",
    seconds: float = SECONDS,
    lookup: Lookup = system_lookup,
    trust: ssl.SSLContext | None = None,
) -> Answer:
    """Post JSON to `url` and read the status that comes back, whatever it is; a redirect is not followed.

    The host is looked up once, and only the address that was checked is connected to. `headers` are plain ASCII.

    Raises:
        AddressRefused: it leads where nothing may be sent to. FetchFailed: no answer in time, or none of HTTP.
    """
    deadline = time.monotonic() + seconds
    try:
        address = looked_up(url, allow_loopback=allow_loopback, field=field, seconds=seconds, lookup=lookup)
        with connected(url, address, deadline, trust) as connection:
            connection.settimeout(left(deadline))
            connection.sendall(_head(url, body, headers) + body)
            answer = _read(connection, deadline)
    except TimeoutError:
        raise FetchFailed(
            f"{url.authority} did not answer within {seconds:g} seconds.", field=field
        ) from None
    except ssl.SSLError:
        raise FetchFailed(f"{url.authority} has no certificate that is trusted here.", field=field) from None
    except OSError:
        raise FetchFailed(f"{url.authority} can't be reached.", field=field) from None
    return _answer(answer, url, field)


def _head(url: WebURL, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = [
        f"POST {url.target} HTTP/1.0",
        f"Host: {url.authority}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "User-Agent: nscweb",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _read(connection: socket.socket, deadline: float) -> bytes:
    """The head of the answer and the beginning of its text."""
    answer = bytearray()
    while len(answer) < LONGEST_HEAD + MOST_READ:
        head, ended, text = bytes(answer).partition(b"\r\n\r\n")
        if ended and (len(text) >= MOST_READ or _is_all(head, text)):
            break
        connection.settimeout(left(deadline))
        part = connection.recv(_PIECE)
        if not part:
            break
        answer += part
    return bytes(answer)


def _is_all(head: bytes, text: bytes) -> bool:
    """Servers that leave the connection open say how much there is."""
    for line in head.lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip() == b"content-length" and value.strip().isdigit():
            return len(text) >= int(value)
    return False


def _answer(received: bytes, url: WebURL, field: str) -> Answer:
    response = HTTPResponse(cast("socket.socket", Received(received)))
    try:
        response.begin()
    except HTTPException:
        raise FetchFailed(f"{url.authority} does not speak HTTP.", field=field) from None
    text = received.partition(b"\r\n\r\n")[2][:MOST_READ].decode("utf-8", "replace")
    return Answer(response.status, "".join(letter if letter.isprintable() else " " for letter in text))
