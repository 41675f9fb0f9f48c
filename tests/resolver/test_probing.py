from __future__ import annotations

import json
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from identities.nkeys import KeyKind, KeyPair, SecretBytes
from identities.resolver import greeting, probing
from identities.resolver.plan import TestUser
from identities.resolver.probing import At, Probe, probe
from identities.resolver.system import Target
from tests import fakenats, pem

pytestmark = pytest.mark.server
SECONDS = 0.3


def login() -> TestUser:
    return TestUser(name="nscweb", jwt="eyJ", seed=KeyPair.create(KeyKind.USER).seed())


def probed(*urls: str, **options: Any) -> Probe:
    told: list[At] = []
    values = {"allow_loopback": True, "connect_seconds": SECONDS, "request_seconds": SECONDS, **options}
    found = probe(Target(urls=urls, **values), login(), told.append)
    assert tuple(told) == found.at
    return found


def only(url: str, **options: Any) -> At:
    (at,) = probed(url, **options).at
    return at


def last(at: At) -> tuple[str, str]:
    return at.steps[-1].name, at.steps[-1].text


def tcp(port: int, scheme: str = "nats", host: str = "127.0.0.1") -> str:
    return f"{scheme}://{host}:{port}"


def test_a_port_at_which_nobody_listens_is_told() -> None:
    with fakenats.listening(fakenats.silent) as port:
        pass
    name, text = last(only(tcp(port)))
    assert (name, "Nothing listens" in text) == ("greeting", True)


def test_an_unknown_name_is_told() -> None:
    name, text = last(only("nats://nowhere.invalid:4222", connect_seconds=5.0))
    assert name == "address"
    assert "unknown" in text


def test_an_address_that_must_not_be_connected_to_is_refused() -> None:
    name, text = last(only("nats://127.0.0.1:4222", allow_loopback=False))
    assert (name, "not connected" in text) == ("address", True)


@pytest.mark.parametrize(
    ("talk", "name", "words"),
    [
        (fakenats.silent, "greeting", "says nothing"),
        (fakenats.web, "greeting", "A web server answers"),
        (fakenats.says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "greeting", "A web server answers"),
        (fakenats.hangs_up, "greeting", "closed without a word"),
        (fakenats.says(b"SSH-2.0-OpenSSH_9.2\r\n"), "greeting", "Something else than a nats-server"),
        (fakenats.says(b"x" * 200_000), "greeting", "Something else than a nats-server"),
        (fakenats.says(b"INFO {not json}\r\n"), "greeting", "greeting can't be read"),
        (fakenats.says(b"INFO " + b"[" * 60_000 + b"\r\n"), "greeting", "greeting can't be read"),
        (fakenats.says(fakenats.greeting(nonce=None)), "mode", "does not run with an operator"),
        (fakenats.says(fakenats.greeting(nonce=None, auth_required=None)), "mode", "lets anybody in"),
        (fakenats.says(fakenats.greeting()), "login", "did not answer in time"),
    ],
)
def test_whatever_listens_there_is_named_in_time(talk: fakenats.Talk, name: str, words: str) -> None:
    with fakenats.listening(talk) as port:
        began = time.monotonic()
        at = only(tcp(port))
    assert last(at)[0] == name
    assert words in last(at)[1]
    assert not at.ok
    assert time.monotonic() - began < 6 * SECONDS + 2


def test_who_says_nothing_is_waited_for_once_and_looked_at_briefly() -> None:
    with fakenats.listening(fakenats.silent) as port:
        began = time.monotonic()
        at = only(tcp(port), connect_seconds=3.0)
        passed = time.monotonic() - began
    assert at.steps[0].text == "It is an IP address: no name to look up."
    assert 3.0 <= passed < 3.0 + greeting.GUESSED + 1.0


def test_an_address_after_a_broken_one_is_tried_too() -> None:
    with (
        fakenats.listening(fakenats.silent) as dead,
        fakenats.listening(fakenats.server(_statsz)) as port,
    ):
        found = probed(tcp(dead), tcp(port))
    assert [at.ok for at in found.at] == [False, True]
    assert [seen.info.name for seen in found.servers] == ["fake"]


def _statsz(subject: str, payload: bytes) -> list[bytes]:
    if subject.endswith("STATSZ"):
        server = {"name": "fake", "id": "N1", "ver": "2.15.0"}
        return [
            json.dumps({"server": server, "statsz": {"start": "2026-11-26T10:00:00.123456789Z"}}).encode()
        ]
    return []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"<html>not JSON</html>", "not JSON"),
        (b"[1, 2]", "not the form"),
        (b"x" * 1_000_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_answers_that_are_none_are_told(answer: bytes, words: str) -> None:
    with fakenats.listening(fakenats.server(lambda subject, payload: [answer])) as port:
        at = only(tcp(port))
    assert last(at)[0] == "account"
    assert words in last(at)[1]


def test_a_server_that_lets_us_in_and_never_answers_is_told_in_time() -> None:
    with fakenats.listening(fakenats.server(lambda subject, payload: [])) as port:
        began = time.monotonic()
        assert last(only(tcp(port))) == ("account", "We were let in, but no server answered in time.")
        assert time.monotonic() - began < 5


def test_a_huge_or_odd_answer_of_one_server_does_not_hide_the_others() -> None:
    def answers(subject: str, payload: bytes) -> list[bytes]:
        odd = [b"x" * 1_000_000, b"nonsense", b'{"server": {"name": ""}}', b'{"server": 7, "data": []}']
        return [*odd, *_statsz(subject, payload)]

    with fakenats.listening(fakenats.server(answers)) as port:
        found = probed(tcp(port))
    assert [seen.info.name for seen in found.servers] == ["fake"]
    assert found.servers[0].started is not None


def test_a_refusal_without_a_reason_is_marked_with_how_long_it_took() -> None:
    def talk(peer: Any) -> None:
        peer.sendall(fakenats.greeting())
        peer.recv(4096)
        peer.sendall(b"-ERR 'Authorization Violation'\r\n")

    with fakenats.listening(talk) as port:
        at = only(tcp(port))
    assert (at.refused, at.steps[-1].said) == (True, "Authorization Violation")
    assert 0 < at.login_seconds < 5


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pem.Pair]:
    home = tmp_path_factory.mktemp("ca")
    return home, pem.authority(home)


def encrypted(
    pair: pem.Pair, talk: fakenats.Talk, *, first: bool = False, ca: pem.Pair | None = None
) -> fakenats.Talk:
    """Greets, then speaks TLS; with `first`, TLS before anything. With `ca`, a client certificate is asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(ca.certificate)

    def wrapped(peer: Any) -> None:
        info = fakenats.greeting(tls_required=True, tls_verify=ca is not None or None)
        if not first:
            peer.sendall(info)
        with context.wrap_socket(peer, server_side=True) as inner:
            if first:
                inner.sendall(info)
            talk(inner)

    return wrapped


def test_every_way_that_tls_goes_wrong_has_its_words(authority: tuple[Path, pem.Pair]) -> None:
    home, ca = authority
    here = pem.issued(home, ca, "here", "IP:127.0.0.1")
    elsewhere = pem.issued(home, ca, "elsewhere")
    other = pem.authority(home, "other")
    trusted = {"ca_pem": ca.certificate_text}
    with fakenats.listening(encrypted(here, fakenats.silent)) as port:
        assert "not signed by an authority that is trusted" in last(only(tcp(port, "tls")))[1]
        wrong = {"ca_pem": other.certificate_text}
        assert "not signed by an authority that is trusted" in last(only(tcp(port, "tls"), **wrong))[1]
        assert [step.name for step in only(tcp(port, "tls"), **trusted).steps] == [
            "address",
            "greeting",
            "login",
        ]
        assert "“TLS first” away" in last(only(tcp(port, "tls"), tls_first=True, **trusted))[1]
    with fakenats.listening(encrypted(elsewhere, fakenats.silent)) as port:
        assert "is for another name" in last(only(tcp(port, "tls"), **trusted))[1]
    with fakenats.listening(fakenats.says(fakenats.greeting())) as port:
        assert "offers none" in last(only(tcp(port, "tls"), **trusted))[1]
    with fakenats.listening(encrypted(here, fakenats.silent, first=True)) as port:
        assert "speaks TLS first" in last(only(tcp(port, "tls"), **trusted))[1]
        named = [step.name for step in only(tcp(port, "tls"), tls_first=True, **trusted).steps]
        assert named == ["address", "greeting", "login"]


def test_a_client_certificate_is_shown_where_one_is_asked_for(authority: tuple[Path, pem.Pair]) -> None:
    home, ca = authority
    here, mine = pem.issued(home, ca, "here2", "IP:127.0.0.1"), pem.issued(home, ca, "mine")
    trusted = {"ca_pem": ca.certificate_text}
    shown = {"client_cert": mine.certificate_text, "client_key": SecretBytes(mine.key_text.encode())}
    with fakenats.listening(encrypted(here, fakenats.silent, ca=ca)) as port:
        assert "asks for a client certificate" in last(only(tcp(port, "tls"), **trusted))[1]
        named = [step.name for step in only(tcp(port, "tls"), **trusted, **shown).steps]
        assert named == ["address", "greeting", "login"]


def test_no_step_takes_longer_than_the_bound_whatever_the_cluster_says() -> None:
    assert probing.LONGEST_STEP == 5.0
    with fakenats.listening(fakenats.hangs_up) as port:
        target = Target(urls=(tcp(port),), allow_loopback=True, connect_seconds=30.0, request_seconds=30.0)
        assert not probe(target, login(), lambda at: None).at[0].ok
