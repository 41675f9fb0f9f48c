"""Texts are fetched from checked addresses alone, within a time and a size, and without redirects."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.resolver.addresses import AddressRefused
from identities.resolver.fetching import LARGEST, FetchFailed, WebURL, fetch, parse_web_url
from tests.resolver.test_addresses import HOSTILE

CERTIFICATES = Path(__file__).parent / "certificates"
OK = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n"
Serve = Callable[[bytes], int]


def itself(host: str, port: int) -> list[str]:
    return [host]


def loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answers one request with these bytes and hangs up; the port. `asked` holds what was sent."""
    listening: list[socket.socket] = []
    threads: list[Thread] = []
    asked.clear()

    def start(answer: bytes) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listening.append(listener)
        threads.append(Thread(target=_answer, args=(listener, answer)))
        threads[-1].start()
        return int(listener.getsockname()[1])

    yield start
    for listener in listening:
        listener.close()
    for thread in threads:
        thread.join(5)


asked: list[bytes] = []


def _answer(listener: socket.socket, answer: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        asked.append(connection.recv(4096))
        try:
            connection.sendall(answer)
        except OSError:
            return


def got(port: int, target: str = "/a.jwt", **options: float) -> str:
    url = parse_web_url(f"http://tokens.example:{port}{target}", field="token_url")
    return fetch(url, allow_loopback=True, field="token_url", lookup=loopback, **options)  # type: ignore[arg-type]


def refused(port: int, **options: float) -> str:
    with pytest.raises(FetchFailed) as failed:
        got(port, **options)
    assert failed.value.field == "token_url"
    return failed.value.user_message


@pytest.mark.parametrize("url", HOSTILE, ids=lambda url: ascii(url)[:40])
def test_a_hostile_address_is_refused(url: str) -> None:
    hostile = url.replace("nats://", "http://").replace("tls://", "https://").replace("ws://", "http://")
    if hostile in (
        "http://example.com",
        "https://example.com",
        "http://example.com?x=1",
        "http://example.com/path",
    ):
        return
    with pytest.raises((AddressRefused, FetchFailed)) as no:
        fetch(
            parse_web_url(hostile, field="token_url"),
            allow_loopback=False,
            field="token_url",
            lookup=itself,
            seconds=0.2,
        )
    assert isinstance(no.value, AddressRefused) or hostile.startswith("http://example.com/")
    assert no.value.field == "token_url"


@pytest.mark.parametrize(
    "url",
    [
        "nats://example.com/x",
        "HTTP:/x",
        "file:///etc/passwd",
        "http://example.com/a b",
        "http://example.com/a#b",
    ],
)
def test_only_plain_http_addresses_are_read(url: str) -> None:
    with pytest.raises(AddressRefused):
        parse_web_url(url, field="token_url")


def test_an_address_is_read_with_its_query() -> None:
    assert parse_web_url(" HTTPS://Example.com/a/b.jwt?version=2&x=%20 ", field="") == WebURL(
        scheme="https", host="example.com", port=443, target="/a/b.jwt?version=2&x=%20"
    )
    assert parse_web_url("http://[2001:db8::1]:81", field="").authority == "[2001:db8::1]:81"


def test_what_the_server_sends_is_read(serve: Serve) -> None:
    port = serve(OK + "a tökén".encode())
    assert got(port, "/a.jwt?x=1") == "a tökén"
    request = asked[0].decode()
    assert request.startswith("GET /a.jwt?x=1 HTTP/1.0\r\n")
    assert f"Host: tokens.example:{port}\r\n" in request
    assert "ookie" not in request


def test_an_answer_in_chunks_is_put_together(serve: Serve) -> None:
    port = serve(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert got(port) == "abcde"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.0 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n", "not followed"),
        (b"HTTP/1.0 404 Not Found\r\n\r\nsecret page", "answered 404"),
        (b"SSH-2.0-OpenSSH secret\r\n", "does not speak HTTP"),
        (b"", "does not speak HTTP"),
        (OK + b"x" * (LARGEST + 1), "more than 64 KiB"),
        (OK + b"x" * (LARGEST * 4), "more than 64 KiB"),
        (OK + b"\xff\xfe", "is no text"),
    ],
    ids=["redirect", "404", "ssh", "nothing", "a byte too much", "far too much", "binary"],
)
def test_anything_else_is_told_in_words_without_what_came(serve: Serve, answer: bytes, said: str) -> None:
    message = refused(serve(answer))
    assert said in message
    assert "secret" not in message
    assert "169.254" not in message


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "can't be reached" in refused(port)


def test_a_server_that_drips_is_not_waited_for_longer_than_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=_drip, args=(listener,))
        thread.start()
        began = time.monotonic()
        assert "within 0.3 seconds" in refused(listener.getsockname()[1], seconds=0.3)
        assert time.monotonic() - began < 2
    thread.join(5)


def _drip(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        try:
            for _ in range(100):
                connection.sendall(b"H")
                time.sleep(0.05)
        except OSError:
            return


def test_a_name_server_that_is_silent_is_not_waited_for() -> None:
    def silent(host: str, port: int) -> list[str]:
        time.sleep(0.5)
        return ["127.0.0.1"]

    url = parse_web_url("http://silent.example/x", field="")
    with pytest.raises(FetchFailed, match="did not answer"):
        fetch(url, allow_loopback=True, field="", lookup=silent, seconds=0.1)


def test_over_tls_the_certificate_must_be_trusted_and_bear_the_name() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "nats.test.crt", CERTIFICATES / "nats.test.key")
    trust = ssl.create_default_context(cafile=str(CERTIFICATES / "nats.test.crt"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=_serve_tls, args=(listener, context, 3))
        thread.start()
        port = listener.getsockname()[1]
        good = parse_web_url(f"https://nats.test:{port}/x", field="")
        assert fetch(good, allow_loopback=True, field="", lookup=loopback, trust=trust) == "sealed"
        with pytest.raises(FetchFailed, match="no certificate that is trusted"):
            fetch(good, allow_loopback=True, field="", lookup=loopback)
        other = parse_web_url(f"https://other.test:{port}/x", field="")
        with pytest.raises(FetchFailed, match="no certificate that is trusted"):
            fetch(other, allow_loopback=True, field="", lookup=loopback, trust=trust)
        thread.join(5)


def _serve_tls(listener: socket.socket, context: ssl.SSLContext, times: int) -> None:
    for _ in range(times):
        connection, _ = listener.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as sealed:
                sealed.recv(4096)
                sealed.sendall(OK + b"sealed")
        except OSError:
            connection.close()


@given(st.text())
def test_no_text_makes_the_reader_fail_in_another_way(text: str) -> None:
    for candidate in (text, f"http://{text}", f"https://example.com/{text}"):
        try:
            parse_web_url(candidate, field="")
        except AddressRefused:
            continue
