"""Asks for one small text over http or https: at a checked address, within a time and a size, without redirects."""

from __future__ import annotations

import io
import re
import socket
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import cast
from urllib.parse import urlsplit

from identities.resolver.addresses import (
    AddressRefused,
    Lookup,
    checked_address,
    checked_host,
    system_lookup,
)
from identities.resolver.errors import ResolverError

SECONDS = 5.0
LARGEST = 64 * 1024
DEFAULT_PORTS = {"http": 80, "https": 443}
ACCEPT: Mapping[str, str] = {"Accept": "application/jwt, text/plain"}
LONGEST_HEAD = 16 * 1024
_LONGEST = 2000
_TARGET = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*", re.ASCII)
_HELP = "Write it as https://host/path or http://host:port/path."


class FetchFailed(ResolverError):
    """Nothing usable came from an address. What came instead is never repeated."""

    code = "fetch-failed"


class NotThere(FetchFailed):
    """A server that answered, with another status than 200."""

    code = "not-there"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebURL:
    """A well-formed address of a text; `target` is its path with the query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port as the server knows itself by."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered: its status and its text. The text may hold secrets."""

    status: int
    text: str


def parse_web_url(text: str, *, field: str) -> WebURL:
    """Read one address: http or https; no user, no fragment; only plain notations of hosts.

    Raises: AddressRefused. Nothing is looked up.
    """
    value = text.strip()
    if not value or len(value) > _LONGEST or not value.isascii() or not value.isprintable() or "\\" in value:
        raise AddressRefused(f"This is no address. {_HELP}", field=field)
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise AddressRefused(f"This address is malformed. {_HELP}", field=field) from None
    if parts.scheme not in DEFAULT_PORTS or not value.partition(":")[2].startswith("//"):
        raise AddressRefused(f"Only http and https addresses are fetched from. {_HELP}", field=field)
    if "@" in parts.netloc:
        raise AddressRefused(
            "Leave out the user and password: they would be kept in no safe place.", field=field
        )
    if port == 0 or (port is None and parts.netloc.endswith(":")):
        raise AddressRefused("A port is a number from 1 to 65535.", field=field)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if "#" in value or _TARGET.fullmatch(target) is None:
        raise AddressRefused(
            "An address ends with its path and query; blanks are written as %20.", field=field
        )
    return WebURL(
        scheme=parts.scheme,
        host=checked_host(parts.hostname or "", bracketed=parts.netloc.startswith("["), field=field),
        port=port or DEFAULT_PORTS[parts.scheme],
        target=target,
    )


def fetch(
    url: WebURL,
    *,
    allow_loopback: bool,
    field: str,
    seconds: float = SECONDS,
    lookup: Lookup = system_lookup,
    trust: ssl.SSLContext | None = None,
    largest: int = LARGEST,
) -> str:
    """The text at `url`. The host is looked up once, and only the address that was checked is connected to.

    `trust` takes the place of the system's certificate authorities.

    Raises:
        AddressRefused: it leads where nothing may be fetched from. FetchFailed: no answer in time, another answer than
            200 (NotThere), more than `largest` bytes, or no text.
    """
    answer = ask(
        url,
        allow_loopback=allow_loopback,
        field=field,
        seconds=seconds,
        lookup=lookup,
        trust=trust,
        largest=largest,
    )
    if answer.status != 200:
        raise NotThere(f"{url.authority} answered {answer.status}, not 200.", field=field)
    return answer.text


def ask(
    url: WebURL,
    *,
    allow_loopback: bool,
    field: str,
    headers: Mapping[str, str] = ACCEPT,
    body: bytes | None = None,
    version: str = "1.0",
    seconds: float = SECONDS,
    lookup: Lookup = system_lookup,
    trust: ssl.SSLContext | None = None,
    largest: int = LARGEST,
) -> Answer:
    """Send one request, with `body` a POST, and return the answer whatever its status; else as `fetch`.

    `version` of HTTP is 1.1 where proxies refuse the older one (Envoy answers 426).

    Raises: AddressRefused. FetchFailed: no answer in time, a redirect, more than `largest` bytes, or no text.
    """
    deadline = time.monotonic() + seconds
    try:
        address = looked_up(url, allow_loopback=allow_loopback, field=field, seconds=seconds, lookup=lookup)
        with connected(url, address, deadline, trust) as connection:
            connection.sendall(_request(url, version, headers, body))
            answer = _read(connection, deadline, url, field, largest)
    except TimeoutError:
        raise FetchFailed(
            f"{url.authority} did not answer within {seconds:g} seconds.", field=field
        ) from None
    except ssl.SSLError:
        raise FetchFailed(f"{url.authority} has no certificate that is trusted here.", field=field) from None
    except OSError:
        raise FetchFailed(f"{url.authority} can't be reached.", field=field) from None
    return _answer(answer, url, field, largest)


def _request(url: WebURL, version: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    method = "GET" if body is None else "POST"
    lines = [f"{method} {url.target} HTTP/{version}", f"Host: {url.authority}"]
    lines += ["Connection: close"] if version != "1.0" else []
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header holds a line end")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + (body or b"")


def looked_up(url: WebURL, *, allow_loopback: bool, field: str, seconds: float, lookup: Lookup) -> str:
    """The checked address. A name server that does not answer is not waited for longer than for the rest."""
    threads = ThreadPoolExecutor(max_workers=1)
    try:
        asked = threads.submit(
            checked_address, url.host, url.port, allow_loopback=allow_loopback, lookup=lookup, field=field
        )
        return asked.result(seconds)
    finally:
        threads.shutdown(wait=False)


def connected(url: WebURL, address: str, deadline: float, trust: ssl.SSLContext | None) -> socket.socket:
    """A connection to the address that was checked, with TLS where the URL says so. Raises: OSError."""
    plain = socket.create_connection((address, url.port), timeout=left(deadline))
    if url.scheme == "http":
        return plain
    try:
        return (trust or ssl.create_default_context()).wrap_socket(plain, server_hostname=url.host)
    except BaseException:
        plain.close()
        raise


def left(deadline: float) -> float:
    """Seconds until `deadline`. Raises: TimeoutError."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _read(connection: socket.socket, deadline: float, url: WebURL, field: str, largest: int) -> bytes:
    """All that the server sends until it hangs up (which every request asks for), never more than fits."""
    answer = bytearray()
    while True:
        connection.settimeout(left(deadline))
        part = connection.recv(16 * 1024)
        if not part:
            return bytes(answer)
        answer += part
        if len(answer) > largest + LONGEST_HEAD:
            raise FetchFailed(f"{url.authority} sent more than {largest // 1024} KiB.", field=field)


class Received:
    """What `HTTPResponse` reads from in the place of a socket."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def makefile(self, mode: str) -> io.BytesIO:
        """The answer as a file."""
        return io.BytesIO(self.answer)


def _answer(answer: bytes, url: WebURL, field: str, largest: int) -> Answer:
    response = HTTPResponse(cast("socket.socket", Received(answer)))
    try:
        response.begin()
        body = response.read()
    except HTTPException:
        raise FetchFailed(f"{url.authority} does not speak HTTP.", field=field) from None
    if 300 <= response.status < 400:
        words = f"{url.authority} sends on to another address, which is not followed: give that one."
        raise FetchFailed(words, field=field)
    if len(body) > largest:
        raise FetchFailed(f"{url.authority} sent more than {largest // 1024} KiB.", field=field)
    try:
        return Answer(status=response.status, text=body.decode())
    except UnicodeDecodeError:
        raise FetchFailed(f"What {url.authority} sent is no text.", field=field) from None
