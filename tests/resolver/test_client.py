from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from identities.nkeys import KeyKind, KeyPair
from identities.resolver.addresses import AddressRefused
from identities.resolver.client import run
from identities.resolver.errors import ResolverError
from identities.resolver.plan import (
    CONNECT_SECONDS,
    LARGEST_KEPT,
    LARGEST_KEPT_IN_ALL,
    Act,
    ClientPlan,
    ClientResult,
    Event,
    EventKind,
    PlanRefused,
    Step,
    TestUser,
)
from tests.resolver.conftest import GOLDEN, StartServer, golden_user

Users = dict[str, TestUser]
pytestmark = pytest.mark.server


def plan(url: str, step: Step, partner: Step | None = None, **options: object) -> ClientPlan:
    return ClientPlan(url=url, step=step, partner=partner, allow_loopback=True, **options)  # type: ignore[arg-type]


def kinds(result: ClientResult) -> list[EventKind]:
    return [event.kind for event in result.events]


def data(result: ClientResult, kind: EventKind) -> list[bytes]:
    return [event.data for event in result.events if event.kind is kind]


def test_one_user_subscribes_and_publishes(basics: str, users: Users) -> None:
    seen: list[Event] = []
    thread = threading.get_ident()

    def on_event(event: Event) -> None:
        assert threading.get_ident() == thread  # where the database may be used
        seen.append(event)

    user = users["TestUser"]
    result = run(
        plan(
            basics,
            Step(user=user, act=Act.PUBLISH, subject="a.b", payload="hello"),
            Step(user=user, act=Act.SUBSCRIBE, subject="a.>", queue="workers"),
        ),
        on_event,
    )
    assert result.ok, result.summary
    assert data(result, EventKind.RECEIVED) == [b"hello"]
    assert tuple(seen) == result.events
    assert "2.15" in result.server
    assert result.summary == "TestUser published 1 message to a.b. TestUser received 1 message on a.>."
    assert result.as_json()["ok"] is True


@pytest.mark.parametrize(("echo", "answer"), [(True, b"ping"), (False, b"pong")])
def test_one_answers_and_the_other_requests(basics: str, users: Users, echo: bool, answer: bytes) -> None:
    result = run(
        plan(
            basics,
            Step(user=users["TestClient"], act=Act.REQUEST, subject="req.a", payload="ping"),
            Step(user=users["TestService"], act=Act.REPLY, subject="req.a", payload="pong", echo=echo),
        )
    )
    assert result.ok, result.summary
    assert [event.data for event in result.events if event.who == "TestClient"][-1] == answer
    assert result.summary.startswith("TestClient requested on req.a and received 1 answer.")


def test_a_lone_act_of_each_kind(basics: str, users: Users) -> None:
    user = users["TestUser"]
    published = run(plan(basics, Step(user=user, act=Act.PUBLISH, subject="x", payload="ü", messages=3)))
    assert published.summary == "TestUser published 3 messages to x."
    listened = run(plan(basics, Step(user=user, act=Act.SUBSCRIBE, subject="x", seconds=0.05)))
    assert listened.ok
    assert kinds(listened) == [EventKind.CONNECTED, EventKind.SUBSCRIBED, EventKind.ENDED]
    measured = run(plan(basics, Step(user=user, act=Act.RTT, messages=5)))
    assert kinds(measured).count(EventKind.RTT) == 5
    assert "best of 5" in measured.summary


def test_a_request_that_nobody_hears_is_told_at_once(basics: str, users: Users) -> None:
    result = run(plan(basics, Step(user=users["TestClient"], act=Act.REQUEST, subject="req.a", seconds=9)))
    assert not result.ok
    assert "Nobody answers" in result.summary
    assert result.seconds < 3


def test_a_request_that_nobody_answers_ends_in_time(basics: str, users: Users) -> None:
    user = users["TestUser"]
    silent = Step(user=user, act=Act.SUBSCRIBE, subject="silent")
    with listening(basics, silent):
        result = run(plan(basics, Step(user=user, act=Act.REQUEST, subject="silent", seconds=0.1)))
    assert result.summary == "TestUser asked on silent and got no answer within 0.1 seconds."


@contextmanager
def listening(url: str, step: Step) -> Iterator[None]:
    """Another client test that listens meanwhile."""
    ready = threading.Event()

    def on_event(event: Event) -> None:
        if event.kind is EventKind.SUBSCRIBED:
            ready.set()

    thread = threading.Thread(target=run, args=(plan(url, step), on_event))
    thread.start()
    assert ready.wait(5)
    yield
    thread.join()


@pytest.mark.parametrize(
    ("who", "act", "subject", "plain", "said"),
    [
        (
            "TestClient",
            Act.PUBLISH,
            "Other.Subject",
            "may not publish to Other.Subject",
            "Permissions Violation for Publish",
        ),
        (
            "TestClient",
            Act.SUBSCRIBE,
            "req.a",
            "may not subscribe to req.a",
            "Permissions Violation for Subscription",
        ),
        (
            "TestService",
            Act.REQUEST,
            "req.a",
            "may not listen on its inbox _INBOX.",
            "Permissions Violation for Subscription",
        ),
        (
            "TestService",
            Act.REPLY,
            "req.b",
            "may not subscribe to req.b",
            "Permissions Violation for Subscription",
        ),
    ],
)
def test_what_the_server_refuses_is_told_plainly_and_in_its_own_words(
    basics: str, users: Users, who: str, act: Act, subject: str, plain: str, said: str
) -> None:
    result = run(plan(basics, Step(user=users[who], act=act, subject=subject)))
    assert not result.ok
    assert plain in result.summary
    assert result.events[-1].kind is EventKind.REFUSED
    assert result.events[-1].said.startswith(said)
    assert result.seconds < 3


def test_an_inbox_that_is_not_allowed_is_told_and_another_prefix_can_be_used(
    basics: str, users: Users
) -> None:
    def request(prefix: str) -> ClientResult:
        step = Step(user=users["TestClient"], act=Act.REQUEST, subject="req.a")
        answer = Step(user=users["TestService"], act=Act.REPLY, subject="req.a", seconds=1)
        return run(plan(basics, step, answer, inbox_prefix=prefix))

    assert request("_INBOX.mine").ok
    refused = request("_MINE")
    assert not refused.ok
    assert "may not" in refused.summary
    assert "_MINE." in refused.summary


def test_a_wrong_seed_and_an_unknown_user_are_refused_at_login(basics: str, users: Users) -> None:
    for seed in (KeyPair.create(KeyKind.USER).seed(), None):
        result = run(plan(basics, Step(user=replace(users["TestUser"], seed=seed), act=Act.RTT)))
        assert not result.ok
        assert result.summary.startswith("TestUser could not connect to nats://127.0.0.1:")
        assert result.events[-1].said == "Authorization Violation"


def test_a_bearer_user_logs_in_with_the_jwt_alone_and_a_revoked_one_not_at_all(
    start_server: StartServer, users: Users
) -> None:
    url = f"nats://127.0.0.1:{start_server((GOLDEN / 'full/out/server-mem-resolver.conf').read_text())}"
    bearer = replace(golden_user("full/out/creds/Billing-bearer.creds"), seed=None)
    assert run(plan(url, Step(user=bearer, act=Act.RTT))).ok
    revoked = run(plan(url, Step(user=golden_user("full/out/creds/Analytics-a1.creds"), act=Act.RTT)))
    assert not revoked.ok
    assert revoked.events[-1].said == "Authorization Violation"
    assert "was revoked" in revoked.summary


def test_a_user_whose_jwt_expires_meanwhile_is_told(basics: str) -> None:
    account = KeyPair.from_seed(ACCOUNT_SEED)
    pair = KeyPair.create(KeyKind.USER)

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    def jwt(expires: int) -> str:
        body = {
            "exp": expires,
            "iat": expires - 60,
            "iss": account.public.text,
            "sub": pair.public.text,
            "jti": "x",
            "nats": {
                "type": "user",
                "version": 2,
                "pub": {},
                "sub": {},
                "subs": -1,
                "data": -1,
                "payload": -1,
            },
        }
        text = f"{part({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{part(body)}"
        return f"{text}.{base64.urlsafe_b64encode(account.sign(text.encode())).decode().rstrip('=')}"

    def listen(expires: int) -> ClientResult:
        user = TestUser(name="Brief", jwt=jwt(expires), seed=pair.seed())
        return run(plan(basics, Step(user=user, act=Act.SUBSCRIBE, subject="x", seconds=8)))

    meanwhile = listen(int(time.time()) + 2)
    assert meanwhile.events[-1].said == "User Authentication Expired"
    assert "later expiry and new creds" in meanwhile.summary
    assert not listen(int(time.time()) - 5).ok


def test_a_server_without_an_operator_is_told(start_server: StartServer, users: Users) -> None:
    result = run(plan(f"nats://127.0.0.1:{start_server('')}", Step(user=users["TestUser"], act=Act.RTT)))
    assert "lets anybody in" in result.summary


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


ACCOUNT_SEED = (
    "SAAG4TUTBZRTTDXRMHVDUABAJZIJ7KICJSENXKT2DJ33OZE2ZQ32TIZ63Q"  # TestAccount of the golden basics
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


def test_kept_messages_are_bounded_in_number_and_size(basics: str, users: Users) -> None:
    user = users["TestUser"]
    result = run(
        plan(
            basics,
            Step(user=user, act=Act.PUBLISH, subject="big", payload="z" * LARGEST_KEPT, messages=40),
            Step(user=user, act=Act.SUBSCRIBE, subject="big", messages=30),
        )
    )
    received = [event for event in result.events if event.kind is EventKind.RECEIVED]
    assert len(received) == 30
    assert all(event.size == LARGEST_KEPT for event in received)
    assert sum(len(event.data) for event in result.events) <= LARGEST_KEPT_IN_ALL


def test_the_whole_test_is_bounded_in_time(basics: str, users: Users) -> None:
    step = Step(user=users["TestUser"], act=Act.SUBSCRIBE, subject="x", seconds=30)
    result = run(plan(basics, step, total_seconds=0.3))
    assert result.summary == "The test was ended after 0.3 seconds."
    assert result.seconds < 3


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


@pytest.mark.parametrize(
    "field", ["subject", "messages", "seconds", "payload", "queue", "inbox_prefix", "total_seconds"]
)
def test_a_plan_out_of_bounds_is_refused(users: Users, field: str) -> None:
    step = Step(user=users["TestUser"], act=Act.PUBLISH, subject="x")
    bad: dict[str, object] = {
        "subject": "a..b",
        "messages": 1001,
        "seconds": 31,
        "payload": "x" * 70_000,
        "queue": "a b",
        "inbox_prefix": "_INBOX.>",
        "total_seconds": 31,
    }
    asked = plan("nats://127.0.0.1", step)
    changed = (
        replace(asked, **{field: bad[field]})  # type: ignore[arg-type]
        if hasattr(asked, field)
        else replace(asked, step=replace(step, **{field: bad[field]}))  # type: ignore[arg-type]
    )
    with pytest.raises(PlanRefused) as refused:
        run(changed)
    assert refused.value.field == field


def test_an_odd_pair_and_a_forbidden_address_are_refused(users: Users) -> None:
    step = Step(user=users["TestUser"], act=Act.PUBLISH, subject="x")
    with pytest.raises(PlanRefused, match="A pair is"):
        run(plan("nats://127.0.0.1", step, step))
    with pytest.raises(AddressRefused):
        run(ClientPlan(url="nats://127.0.0.1", step=step))
    with pytest.raises(AddressRefused):
        run(plan("nats://x.example", step), lookup=lambda *_: ["169.254.169.254"])


def test_no_secret_shows_in_a_plan(users: Users) -> None:
    user = users["TestUser"]
    assert user.seed is not None
    shown = repr(plan("nats://x", Step(user=user, act=Act.RTT)))
    assert user.seed.reveal().decode() not in shown
    assert user.jwt not in shown
