"""Lines of nats-server's log and errors of clients, as recorded, are understood; other text is not."""

from __future__ import annotations

import pytest

from identities.formats.denial_words import MEANINGS
from identities.formats.denials import Denial, Kind, parse, restored

USER = "UDMW2SEZXES3LW7H6ZIUJLMMCOZSWWICEWPBBRW23Z6F7EBTJL4PQ5CG"
ACCOUNT = "AATMOHQAIFKJQJ6KKM3FIG2CG53KA3R5CUYEG5DAHOA67P24556JJA2T"
NEW = f'[28439] 2026/11/26 20:05:14.789236 [ERR] 127.0.0.1:47596 - cid:6 - "v1:test" - "{ACCOUNT}/Shop/jwt:{USER}" - '
OLD = "[28175] 2026/11/26 20:05:03.234988 [ERR] 127.0.0.1:52568 - cid:6 - "

LINES = [
    (NEW + 'Publish Violation - Subject "no"', Kind.PUBLISH, "no", ""),
    (NEW + 'Subscription Violation - Subject "no", SID 1', Kind.SUBSCRIBE, "no", ""),
    (NEW + 'Subscription Violation - Subject "no.>", Queue: "q", SID 1', Kind.SUBSCRIBE, "no.>", "q"),
    (NEW + 'Publish Violation - Reply "_R_.x"', Kind.REPLY, "_R_.x", ""),
    (OLD + f'Publish Violation - JWT User "{USER}", Subject "no"', Kind.PUBLISH, "no", ""),
    (OLD + f'Subscription Violation - JWT User "{USER}", Subject "no", SID 1', Kind.SUBSCRIBE, "no", ""),
    (
        OLD + f'Subscription Violation - JWT User "{USER}", Subject "no", Queue: "q", SID 1',
        Kind.SUBSCRIBE,
        "no",
        "q",
    ),
    (OLD + f'Publish Violation - JWT User "{USER}", Reply "_R_.x"', Kind.REPLY, "_R_.x", ""),
    (
        OLD + f'Subscription Violation Too Many Tokens - JWT User "{USER}", Subject "a.b", SID 1',
        Kind.TOKENS,
        "a.b",
        "",
    ),
    (
        f'[1] [INF] Removed sub "a" using queue "q" (sid "1") for JWT User "{USER}" - not authorized',
        Kind.SUBSCRIBE,
        "a",
        "q",
    ),
]


@pytest.mark.parametrize(("line", "kind", "subject", "queue"), LINES)
def test_a_log_line_names_user_action_and_subject(line: str, kind: Kind, subject: str, queue: str) -> None:
    (found,) = parse(line)
    assert (found.kind, found.subject, found.queue, found.user) == (kind, subject, queue, USER)
    assert found.account == (ACCOUNT if ACCOUNT in line else "")
    assert not found.small


ERRORS = [
    ("-ERR 'Permissions Violation for Publish to \"Orders.new\"'", Kind.PUBLISH, "Orders.new", ""),
    ('nats: Permissions Violation for Publish to "Orders.new"', Kind.PUBLISH, "Orders.new", ""),
    ('nats: permissions violation: Permissions Violation for Publish to "a"', Kind.PUBLISH, "a", ""),
    (
        'nats: permissions violation: Permissions Violation for Subscription to "a" on connection [4]',
        Kind.SUBSCRIBE,
        "a",
        "",
    ),
    ('Permissions Violation for Subscription to "a" using queue "q"', Kind.SUBSCRIBE, "a", "q"),
    ('Permissions Violation for Subscription to "a" using queue "q" (sid "3")', Kind.SUBSCRIBE, "a", "q"),
    ('Permissions Violation for Subscription to "a" (sid "3")', Kind.SUBSCRIBE, "a", ""),
    ('Permissions Violation for Subscription to "a.b.c", too many tokens', Kind.TOKENS, "a.b.c", ""),
    ('Permissions Violation for Publish with Reply of "$JS.ACK.x"', Kind.REPLY, "$JS.ACK.x", ""),
    (r'{"error":"nats: Permissions Violation for Publish to \"a.b\""}', Kind.PUBLISH, "a.b", ""),
]


@pytest.mark.parametrize(("text", "kind", "subject", "queue"), ERRORS)
def test_a_client_s_error_names_action_and_subject(text: str, kind: Kind, subject: str, queue: str) -> None:
    (found,) = parse(text)
    assert (found.kind, found.subject, found.queue, found.user) == (kind, subject, queue, "")


@pytest.mark.parametrize(
    ("small", "whole"),
    [
        ("_inbox.abc.def", "_INBOX.abc.def"),
        ("_inbox_ann.abc", "_INBOX_ann.abc"),
        ("$js.api.stream.info.orders", "$JS.API.STREAM.INFO.orders"),
        ("$js.api.consumer.msg.next.orders.c", "$JS.API.CONSUMER.MSG.NEXT.orders.c"),
        ("$js.api.consumer.durable.create.orders.c", "$JS.API.CONSUMER.DURABLE.CREATE.orders.c"),
        ("$js.api.direct.get.kv_x", "$JS.API.DIRECT.GET.kv_x"),
        ("$js.ack.orders.c.1.2.3.4.5", "$JS.ACK.orders.c.1.2.3.4.5"),
        ("$kv.bucket.key", "$KV.bucket.key"),
        ("$o.bucket.m.x", "$O.bucket.m.x"),
        ("orders.new", "orders.new"),
    ],
)
def test_nats_py_s_small_letters_get_their_capitals_back_where_nats_has_them(small: str, whole: str) -> None:
    assert restored(small) == whole
    (found,) = parse(f'nats: permissions violation for publish to "{small}"')
    assert (found.subject, found.small) == (whole, True)


MEANT = [
    ("nats: authorization violation", Kind.AUTHORIZATION),
    ("nats: authorization failed", Kind.AUTHORIZATION),
    ("'Authorization Violation'", Kind.AUTHORIZATION),
    (OLD + "authentication error", Kind.AUTHORIZATION),
    ("nats: authentication expired", Kind.EXPIRED),
    ("User Authentication Expired", Kind.EXPIRED),
    ("nats: account authentication expired", Kind.ACCOUNT_EXPIRED),
    ("Account JWT has expired", Kind.ACCOUNT_EXPIRED),
    ("nats: authentication revoked", Kind.REVOKED),
    ("User authentication revoked", Kind.REVOKED),
    ("Credentials Revoked", Kind.REVOKED),
    ("Authentication Timeout", Kind.AUTH_TIMEOUT),
    (OLD + "Bad src Ip 127.0.0.1", Kind.SOURCE),
    (OLD + "Outside connect times", Kind.HOURS),
    ("Connection type not allowed", Kind.CONNECTION_TYPE),
    ("Account does not allow bearer tokens", Kind.BEARER),
    ("Proxy Required", Kind.PROXY),
    ("Signature not verified", Kind.SIGNATURE),
    ("User JWT issuer is not known", Kind.ISSUER),
    ("Account JWT not signed by trusted operator", Kind.ISSUER),
    ("User JWT generated invalid permissions", Kind.TEMPLATE),
    ("Failed Account Registration", Kind.ACCOUNT),
    ("maximum account active connections exceeded", Kind.CONNECTIONS),
    ("nats: maximum connections exceeded", Kind.CONNECTIONS),
    ("maximum subscriptions exceeded", Kind.SUBSCRIPTIONS),
    ("Maximum Payload Violation", Kind.PAYLOAD),
    ("nats: maximum payload exceeded", Kind.PAYLOAD),
    ("Error adding service import to account [A/x]: service import not authorized", Kind.IMPORT),
    ("nats: no responders available for request", Kind.NO_RESPONDERS),
    ("nats: timeout", Kind.TIMEOUT),
    ("nats: error: context deadline exceeded", Kind.TIMEOUT),
    ("nats: no response from stream", Kind.TIMEOUT),
    ("nats: jetstream not enabled for account", Kind.JETSTREAM_OFF),
    ("nats: ServiceUnavailableError: code=503 err_code=10039 description='jetstream'", Kind.JETSTREAM_OFF),
    (
        "nats: API error: code=400 err_code=10027 description=maximum number of streams reached",
        Kind.JETSTREAM_LIMIT,
    ),
    ("nats: error: could not create: insufficient storage resources available (10047)", Kind.JETSTREAM_LIMIT),
    ("nats: NotFoundError: code=404 err_code=10059 description='stream not found'", Kind.JETSTREAM_MISSING),
    ("nats: consumer not found", Kind.JETSTREAM_MISSING),
]


@pytest.mark.parametrize(("text", "kind"), MEANT)
def test_what_is_no_permission_is_understood_too(text: str, kind: Kind) -> None:
    assert [one.kind for one in parse(text)] == [kind]


def test_every_kind_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Kind)


@pytest.mark.parametrize(
    "text", ["", "hello", "\n\n", '[INF] Server is ready, "no"', "listening on 10039", "x" * 90_000]
)
def test_what_says_nothing_of_the_kind_is_not_guessed_at(text: str) -> None:
    assert parse(text) == ()


def test_several_lines_are_told_apart_and_doubles_are_one() -> None:
    text = "\n".join(
        [NEW + 'Publish Violation - Subject "a"'] * 3 + [NEW + 'Publish Violation - Subject "b"', "hello"]
    )
    assert [one.subject for one in parse(text)] == ["a", "b"]
    many = "\n".join(f'Permissions Violation for Publish to "a.{number}"' for number in range(50))
    assert len(parse(many)) == 10


def test_a_key_that_is_none_is_no_user() -> None:
    line = f'Publish Violation - JWT User "{USER[:-1]}A", Subject "a"'
    assert parse(line) == (Denial(kind=Kind.PUBLISH, said=line, subject="a"),)
