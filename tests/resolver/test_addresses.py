from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.resolver.addresses import AddressRefused, Route, ServerURL, parse_url, resolve

HOSTILE = [
    # schemes and shapes
    "http://example.com",
    "https://example.com",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_",
    "ftp://example.com",
    "javascript:alert(1)",
    "nats:example.com",
    "nats:/example.com",
    "//example.com",
    "example.com:4222",
    "NATS+unix:///tmp/x",
    "unix:///var/run/x",
    "",
    "nats://",
    "nats://:4222",
    "tls://?x",
    "nats://example.com:0",
    "nats://example.com:65536",
    "nats://example.com:-1",
    "nats://example.com:",
    "nats://example.com:4222x",
    "nats://a b",
    "nats://a\nb",
    "nats://a\r\nHost: b",
    "nats://a\tb",
    "nats://a\0b",
    "nats://a\\@b",
    "nats://user:pass@example.com",
    "nats://example.com@169.254.169.254",
    "nats://example.com?x=1",
    "nats://example.com#x",
    "nats://example.com/path",
    "ws://example.com/../x",
    "ws://example.com/%2e%2e",
    "nats://exa_mple..com",
    "nats://-x.com",
    "nats://[::1",
    "nats://[fe80::1%25eth0]",
    "nats://[v1.x]",
    "nats://ⅠⅡⅢ.com",
    "nats://１２７.0.0.1",
    "nats://" + "a" * 3000,
    # odd notations of addresses
    "nats://2130706433",
    "nats://2852039166:80",
    "nats://0x7f000001",
    "nats://0xa9.0xfe.0xa9.0xfe",
    "nats://0177.0.0.1",
    "nats://0251.0376.0251.0376",
    "nats://127.1",
    "nats://169.254.43518",
    "nats://1.2.3.4.5",
    "nats://256.1.1.1",
    "nats://0x",
    "nats://127.0.0.0x1",
    # well-formed, but they lead where nobody may go
    "nats://169.254.169.254",
    "tls://169.254.0.1",
    "ws://169.254.169.254/latest",
    "nats://169.254.169.254.",
    "nats://0.0.0.0",
    "nats://0.1.2.3",
    "nats://224.0.0.1",
    "nats://255.255.255.255",
    "nats://240.0.0.1",
    "nats://100.100.100.200",
    "nats://192.0.0.192",
    "nats://127.0.0.1",
    "nats://127.8.8.8",
    "nats://[::1]",
    "nats://[::]",
    "nats://[fe80::1]",
    "nats://[febf::1]",
    "nats://[fec0::1]",
    "nats://[ff02::1]",
    "nats://[fd00:ec2::254]",
    "nats://[fd20:ce::254]",
    "nats://[::ffff:169.254.169.254]",
    "nats://[::ffff:a9fe:a9fe]",
    "nats://[::ffff:127.0.0.1]",
    "nats://[::ffff:0.0.0.0]",
    "nats://[::169.254.169.254]",
    "nats://[::127.0.0.1]",
    "nats://[64:ff9b::a9fe:a9fe]",
    "nats://[64:ff9b:1::a9fe:a9fe]",
    "nats://[2002:a9fe:a9fe::1]",
    "nats://[2002:7f00:1::1]",
    "nats://[2001:0:a9fe:a9fe::1]",
]


def itself(host: str, port: int) -> list[str]:
    return [host]


@pytest.mark.parametrize("url", HOSTILE, ids=lambda url: ascii(url)[:40])
def test_a_hostile_address_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        resolve(parse_url(url), allow_loopback=False, lookup=itself)
    assert refused.value.field == "url"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("nats://example.com", ServerURL(scheme="nats", host="example.com", port=4222)),
        (" TLS://Example.COM:4443/ ", ServerURL(scheme="tls", host="example.com", port=4443)),
        ("ws://example.com", ServerURL(scheme="ws", host="example.com", port=80)),
        ("wss://example.com/nats", ServerURL(scheme="wss", host="example.com", port=443, path="/nats")),
        ("nats://10.1.2.3", ServerURL(scheme="nats", host="10.1.2.3", port=4222)),
        ("nats://[2001:DB8::1]:99", ServerURL(scheme="nats", host="2001:db8::1", port=99)),
        ("nats://nats_1.internal.", ServerURL(scheme="nats", host="nats_1.internal", port=4222)),
    ],
)
def test_a_usual_address_is_read(text: str, url: ServerURL) -> None:
    assert parse_url(text) == url
    assert parse_url(str(url)) == url


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_connected_to_only_when_allowed(address: str) -> None:
    url = parse_url("nats://localhost")
    assert resolve(url, allow_loopback=True, lookup=lambda *_: [address]).url == url
    with pytest.raises(AddressRefused, match="loopback"):
        resolve(url, allow_loopback=False, lookup=lambda *_: [address])


@pytest.mark.parametrize(
    "answers",
    [
        ["169.254.169.254"],
        ["10.0.0.1", "169.254.169.254"],
        ["fd00:ec2::254"],
        ["fe80::1%2"],
        ["nonsense"],
        [],
    ],
)
def test_a_name_is_refused_when_any_of_its_addresses_is(answers: list[str]) -> None:
    with pytest.raises(AddressRefused):
        resolve(parse_url("nats://innocent.example"), allow_loopback=True, lookup=lambda *_: answers)


def test_a_name_is_looked_up_once_so_that_a_second_answer_changes_nothing() -> None:
    answers = iter([["192.0.2.7"], ["169.254.169.254"]])
    url = parse_url("tls://rebinding.example")
    assert resolve(url, allow_loopback=False, lookup=lambda *_: next(answers)) == Route(url, "192.0.2.7")
    assert next(answers) == ["169.254.169.254"]


@given(st.text())
def test_no_text_makes_the_reader_fail_in_another_way(text: str) -> None:
    for candidate in (text, f"nats://{text}"):
        try:
            parse_url(candidate)
        except AddressRefused:
            continue
