"""Servers behind TLS and web sockets are reached; those that are not there, or are none, are told as that."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from identities.resolver.client import run
from identities.resolver.errors import ResolverError
from identities.resolver.plan import CONNECT_SECONDS, Act, ClientResult, EventKind, Step, TestUser
from tests.resolver.client_plans import Users, plan
from tests.resolver.conftest import GOLDEN, StartServer

pytestmark = pytest.mark.server


def test_nats_is_spoken_inside_a_web_socket(start_server: StartServer, users: Users) -> None:
    text = (GOLDEN / "basics/out/server-mem-resolver.conf").read_text()
    port = start_server(f'websocket {{ listen: "127.0.0.1:-1", no_tls: true }}\n{text}', "websocket clients")
    user = users["TestUser"]
    result = run(
        plan(
            f"ws://127.0.0.1:{port}",
            Step(user=user, act=Act.PUBLISH, subject="x", payload="y" * 60_000, messages=20),
            Step(user=user, act=Act.SUBSCRIBE, subject="x", messages=20),
        )
    )
    assert result.ok, result.summary
    received = [event for event in result.events if event.kind is EventKind.RECEIVED]
    assert [event.size for event in received] == [60_000] * 20
    assert received[0].data == b"y" * 60_000
    assert run(plan(f"wss://127.0.0.1:{port}", Step(user=user, act=Act.RTT))).summary.endswith(
        "There is no TLS at this address."
    )


CERTIFICATES = Path(__file__).parent / "certificates"
CA = (CERTIFICATES / "nats.test.crt").read_text()


def tls_block(first: str = "false") -> str:
    return (
        f'tls {{ cert_file: "{CERTIFICATES}/nats.test.crt", key_file: "{CERTIFICATES}/nats.test.key", '
        f"handshake_first: {first} }}\n"
    )


@pytest.mark.parametrize("tls_first", [False, True])
def test_tls_is_checked_against_the_name_and_spoken_with_the_address(
    start_server: StartServer, users: Users, tls_first: bool
) -> None:
    text = (GOLDEN / "basics/out/server-mem-resolver.conf").read_text()
    port = start_server(tls_block(str(tls_first).lower()) + text)

    def attempt(url: str, ca: str = CA, **options: object) -> ClientResult:
        step = Step(user=users["TestUser"], act=Act.RTT)
        asked = plan(f"{url}:{port}", step, ca_pem=ca, tls_first=tls_first, **options)
        return run(asked, lookup=lambda *_: ["127.0.0.1"])

    assert attempt("tls://nats.test").ok
    assert "not signed by an authority that is trusted" in attempt("tls://nats.test", "").summary
    assert "for another name" in attempt("tls://other.test").summary
    assert "for another name" in attempt("tls://127.0.0.1").summary
    if not tls_first:
        assert attempt("nats://nats.test").ok  # the server asks for TLS
    with pytest.raises(ResolverError, match="PEM"):
        attempt("tls://nats.test", "no certificate")


def test_a_web_socket_is_encrypted_and_checked_too(start_server: StartServer, users: Users) -> None:
    text = (GOLDEN / "basics/out/server-mem-resolver.conf").read_text()
    port = start_server(
        f'websocket {{ listen: "127.0.0.1:-1", {tls_block().strip()} }}\n{text}', "websocket clients"
    )
    step = Step(user=users["TestUser"], act=Act.RTT)
    for url, ca, ok in (
        ("wss://nats.test", CA, True),
        ("wss://other.test", CA, False),
        ("wss://nats.test", "", False),
    ):
        result = run(plan(f"{url}:{port}", step, ca_pem=ca), lookup=lambda *_: ["127.0.0.1"])
        assert result.ok is ok, result.summary


@contextmanager
def odd_server(*chunks: bytes, endless: bytes = b"") -> Iterator[str]:
    """Something that is no nats-server: takes one connection, says `chunks`, then `endless` for ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def serve() -> None:
            with server.accept()[0] as client:
                try:
                    for chunk in chunks:
                        client.sendall(chunk)
                    while endless and not over.is_set():
                        client.sendall(endless)
                    over.wait(10)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        over.set()
        thread.join()


def attempt(url: str, **options: object) -> ClientResult:
    user = TestUser(name="Somebody", jwt="eyJ.e30.x")
    step = Step(user=user, act=Act.SUBSCRIBE, subject="x", seconds=20)
    return run(plan(url, step, **options))


def test_a_server_that_is_not_there_is_a_clear_message_within_5_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    result = attempt(f"nats://127.0.0.1:{free}")
    assert "Nothing listens at this address" in result.summary
    assert result.seconds < 5


def test_a_server_that_says_nothing_is_a_clear_message_within_5_seconds() -> None:
    with odd_server() as address:
        result = attempt(f"nats://{address}", connect_seconds=0.3)
    assert "did not answer in time" in result.summary
    assert result.seconds < 1
    assert CONNECT_SECONDS < 5  # what is taken when nobody asks for less


def test_an_unknown_name_and_a_slow_name_server_are_clear_messages_within_5_seconds() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    step = Step(user=TestUser(name="Somebody", jwt="eyJ.e30.x"), act=Act.RTT)
    result = run(plan("nats://nowhere.example", step), lookup=unknown)
    assert "host name is unknown" in result.summary
    release = threading.Event()
    result = run(
        plan("nats://nowhere.example", step, connect_seconds=0.3), lookup=lambda *_: release.wait(20) and []
    )
    release.set()
    assert "could not be looked up in time" in result.summary
    assert result.seconds < 1


@pytest.mark.parametrize(
    "greeting",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"INFO {nonsense\r\n",
        b"x" * 200_000,
        b"\r\n",
    ],
    ids=["http", "ssh", "nonsense", "endless line", "empty"],
)
def test_another_kind_of_server_is_recognised(greeting: bytes) -> None:
    with odd_server(greeting) as address:
        assert "Something else than a nats-server" in attempt(f"nats://{address}").summary


def test_a_tls_address_never_falls_back_to_clear_text() -> None:
    info = b'INFO {"server_id":"x","version":"2.15.1","auth_required":true,"nonce":"abc"}\r\n'
    with odd_server(info) as address:
        result = attempt(f"tls://{address}")
    assert "offers none" in result.summary


def test_a_server_that_sends_without_end_is_left() -> None:
    info = b'INFO {"server_id":"x","version":"2.15.1","auth_required":true,"nonce":"abc"}\r\n'
    flood = b"MSG x 1 1000000\r\n" + b"z" * 1_000_000 + b"\r\n"
    with odd_server(info, b"PONG\r\n", endless=flood) as address:
        result = attempt(f"nats://{address}")
    assert "more than a client test takes" in result.summary
    assert result.seconds < 20
