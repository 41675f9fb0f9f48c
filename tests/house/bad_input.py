"""What people type wrong: for every field of every form, values with the words that their message must hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from identities.nkeys import KeyKind, KeyPair

Bad = Mapping[str, tuple[str, ...]]
"""Values, each with the words that its message must hold besides the value itself."""


def public(kind: KeyKind) -> str:
    return KeyPair.create(kind).public.text


DAMAGED = public(KeyKind.USER)[:-1] + "a"
SEEDS = [KeyPair.create(kind).seed().reveal().decode() for kind in KeyKind]

NAME: Bad = {
    "": ("required",),
    " ": ("A name is needed",),
    ".": ("means a folder", "Choose another"),
    "..": ("means a folder", "Choose another"),
    "a/b": ("holds a slash", "Use “-” or “_”"),
    "../b": ("holds a slash", "Use “-” or “_”"),
    "a\\b": ("holds a slash", "Use “-” or “_”"),
    " a": ("begins or ends with a blank", "Remove it"),
    "a ": ("begins or ends with a blank", "Remove it"),
    "a\u00a0": ("begins or ends with a blank", "Remove it"),
    "a\tb": ("cannot be seen", "Type it anew"),
    "a\nb": ("cannot be seen", "Type it anew"),
    "a\x00b": ("cannot be seen", "Type it anew"),
    "a\x1b[31mb": ("cannot be seen", "Type it anew"),
    "a\x7fb": ("cannot be seen", "Type it anew"),
    "a\u202eb": ("cannot be seen", "Type it anew"),
    "a\u200bb": ("cannot be seen", "Type it anew"),
    "x" * 256: ("at most 255", "it has 256"),
    "é" * 128: ("256 bytes long", "255 are allowed", "Shorten it"),
}
TAKEN_FOLDED: Bad = {"taken": ("already", "Choose another"), "TAKEN": ("already", "Choose another")}
TAKEN_EXACTLY: Bad = {"taken": ("already", "Choose another")}
SUBJECT: Bad = {
    "a b c": ("too many spaces", "Write words"),
    "a..b": ("consecutive", "Write words"),
    ".a": ("cannot start or end", "Write words"),
    "a.": ("cannot start or end", "Write words"),
    ".": ("cannot start or end", "Write words"),
    "a.>.b": ("only be its last token", "Write words"),
    ">.a": ("only be its last token", "Write words"),
    "a*": ("matches only itself", "Write words"),
    "*a": ("matches only itself", "Write words"),
    "a.b*c.d": ("matches only itself", "Write words"),
    "a.b>": ("matches only itself", "Write words"),
    "**": ("matches only itself", "Write words"),
    "fine\na..b\nfine.too": ("a..b", "consecutive", "Write words"),
    "a\x00b": ("cannot be seen", "Type it anew"),
    "a." * 1100 + "a": ("2201 bytes long", "2048 are allowed", "Write words"),
}
PUB_SUBJECT: Bad = {**SUBJECT, "orders.> workers": ("not allowed to contain queue", "Write words")}
MOMENT: Bad = {
    "soon": ("no date or span", "Write a date"),
    "30": ("no date or span", "Write a date"),
    "5 minutes": ("no date or span", "Write a date"),
    "2027-13-01": ("no date or span", "Write a date"),
    "2027-02-30": ("no date or span", "Write a date"),
    "2027-06-30 25:00:00 UTC": ("no date or span", "Write a date"),
    "2027-06-30 12:00:00 Mars": ("no date or span", "Write a date"),
    "99999999999d": ("no date or span", "Write a date"),
    "@99999999999999999999": ("no date or span", "Write a date"),
    "@-5": ("before 1970",),
}
EXPIRY: Bad = {
    **MOMENT,
    "2001-01-01": ("in the past", "choose a later one"),
    "-5d": ("in the past", "choose a later one"),
    "1999-12-31 23:59:59 UTC": ("in the past", "choose a later one"),
}
LIMIT: Bad = {
    "-2": ("below -1", "Write -1"),
    "-9223372036854775808": ("below -1", "Write -1"),
    "many": ("no number", "Write digits"),
    "12 parsecs": ("no number", "Write digits"),
    "0x10": ("no number", "Write digits"),
    "1e3": ("no number", "Write digits"),
    "NaN": ("no number", "Write digits"),
    "--1": ("no number", "Write digits"),
    "９": ("no number", "Write digits"),
    "9223372036854775808": ("too large", "at most 9,223,372,036,854,775,807"),
    "-9223372036854775809": ("too large", "at most"),
    "8 EiB": ("too large", "at most"),
    "9" * 60: ("too large", "at most"),
    "9" * 61: ("at most 60",),
}
SAME_LIMIT: Bad = {
    "": ("Write a number",),
    "-3": ("below -1", "Write -1"),
    "few": ("no number", "Write digits"),
    "9" * 20: ("too large",),
}
"""For the fields that are all alike."""
OPEN_LIMIT: Bad = {typed: words for typed, words in SAME_LIMIT.items() if typed}
"""For JetStream's, where nothing typed means not set."""
URLS: Bad = {
    "http://example.com": ("protocol not supported", "Write addresses"),
    "javascript:alert(1)": ("protocol not supported", "Write addresses"),
    "example.com": ("paths are not supported", "Write addresses"),
    "nats://h:4222/path": ("paths are not supported", "Write addresses"),
    "nats://me:secret@h": ("credentials are not supported", "Write addresses"),
    "://": ("missing protocol scheme", "Write addresses"),
    "nats://[::1": ("missing ']'", "Write addresses"),
}
ACCOUNT_SERVER: Bad = {
    "example.com": ("requires a protocol", "Write nats://"),
    "ht tp://x": ("first path segment", "Write nats://"),
    "http://a b": ("invalid character", "Write nats://"),
    "ftp://x": ("names no server", "Write nats://"),
    "nats://": ("names no server", "Write nats://"),
    "nats://me:secret@h": ("holds a name or password", "Write nats://"),
}
INFO_URL: Bad = {
    "no url at all": ("no hostname or scheme", "Write an address"),
    "javascript:alert(1)": ("no hostname or scheme", "Write an address"),
    "http://a b": ("invalid character", "Write an address"),
}
NETWORK: Bad = {
    "192.0.2.1": ("Invalid cidr", "Write networks"),
    "192.0.2.0/33": ("Invalid cidr", "Write networks"),
    "192.0.2.0/": ("Invalid cidr", "Write networks"),
    "192.0.2.0/24/1": ("Invalid cidr", "Write networks"),
    "300.0.2.0/24": ("Invalid cidr", "Write networks"),
    "010.0.0.0/8": ("Invalid cidr", "Write networks"),
    "::1/129": ("Invalid cidr", "Write networks"),
    "localhost/8": ("Invalid cidr", "Write networks"),
    "10.0.0.0/8, everywhere": ('"everywhere"', "Invalid cidr", "Write networks"),
}
TIMES: Bad = {
    "morning": ("no range of the day", "Write 08:00-18:00"),
    "08:00": ("no range of the day", "Write 08:00-18:00"),
    "08:00-": ("no range of the day", "Write 08:00-18:00"),
    "08:00-09:00-10:00": ("no range of the day", "Write 08:00-18:00"),
    "08:00-24:00": ('"24:00:00"', "End in time range is invalid", "Write times"),
    "08:60-09:00": ('"08:60:00"', "Start in time range is invalid", "Write times"),
    "8-18": ('"8"', '"18"', "Write times"),
}
ZONE: Bad = {
    "Mars/Olympus": ("unknown time zone", "Write a name such as Europe/Zurich"),
    "europe/zurich": ("unknown time zone", "Write a name such as Europe/Zurich"),
    "CET+1": ("unknown time zone", "Write a name such as Europe/Zurich"),
    "../etc/passwd": ("invalid location", "Write a name such as Europe/Zurich"),
}
DURATION: Bad = {
    "soon": ("no duration", "Write a number with a unit"),
    "5": ("no duration", "Write a number with a unit"),
    "1d": ("no duration", "Write a number with a unit"),
    "9999999999h": ("no duration", "Write a number with a unit"),
    "-5s": ("can't be negative", "Write a time such as"),
}
TAGS: Bad = {"a\x00b": ("cannot be seen", "Type it anew"), "t" * 256: ("256 bytes long", "shorten it")}
TEXT: Bad = {"a\x00b": ("cannot be seen", "Type it anew"), "x" * 8193: ("at most 8192",)}


def key_of(kind: KeyKind) -> Bad:
    others = {public(other): (f"a key of kind {other}, not {kind}",) for other in KeyKind if other != kind}
    return {
        **others,
        "ABC": (f"not a public key of kind {kind}", "56 letters"),
        DAMAGED: (f"not a public key of kind {kind}", "56 letters"),
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sheet:
    """One form: the fields with what is bad for each, and what else must be filled in for the field to matter."""

    fields: Mapping[str, Bad]
    filled: Mapping[str, str] = dataclasses.field(default_factory=dict)


SERVER_VERSION: Bad = {
    "2.x": ("version", "Write a version such as 2.10.0"),
    "-1.2.3": ("version", "Write a version such as 2.10.0"),
    "1.2": ("version", "Write a version such as 2.10.0"),
}
OPERATOR_FIELDS: Mapping[str, Bad] = {
    "name": {**NAME, **TAKEN_FOLDED},
    "account_server_url": ACCOUNT_SERVER,
    "service_urls": URLS,
    "tags": TAGS,
    "expires": EXPIRY,
    "not_before": MOMENT,
}
ACCOUNT_FIELDS: Mapping[str, Bad] = {
    "name": {**NAME, **TAKEN_FOLDED},
    "description": TEXT,
    "info_url": INFO_URL,
    "tags": TAGS,
    "expires": EXPIRY,
    "not_before": MOMENT,
}
USER_FIELDS: Mapping[str, Bad] = {
    "name": {**NAME, **TAKEN_EXACTLY},
    "pub_allow": PUB_SUBJECT,
    "pub_deny": PUB_SUBJECT,
    "sub_allow": SUBJECT,
    "sub_deny": SUBJECT,
    "resp_max": LIMIT,
    "resp_ttl": DURATION,
    "subs": LIMIT,
    "data": {name: LIMIT[name] for name in ("-2", "many", "8 EiB")},
    "payload": {name: LIMIT[name] for name in ("-2", "many", "8 EiB")},
    "src": NETWORK,
    "times": TIMES,
    "times_location": ZONE,
    "tags": TAGS,
    "expires": EXPIRY,
    "not_before": MOMENT,
}
LIMITS = ("conn", "leaf", "subs", "payload", "data", "exports", "imports")
JETSTREAM = (
    "mem_storage", "disk_storage", "streams", "consumer", "max_ack_pending", "mem_max_stream_bytes",
    "disk_max_stream_bytes",
)  # fmt: skip
CONFIRM: Bad = {
    "": ("required",),
    "MAIN": ("not the name", "Type “"),
    "something else": ("not the name", "Type “"),
}
SERVER: Bad = {
    "": ("required",),
    "example.com": ("Only nats, tls, ws and wss", "Write it as nats://"),
    "http://example.com": ("Only nats, tls, ws and wss", "Write it as nats://"),
    "nats://": ("neither a name nor an address", "such as 192.0.2.1"),
    "nats://0x7f.1:4222": ("neither a name nor an address", "such as 192.0.2.1"),
    "nats://h:99999": ("malformed", "Write it as nats://"),
    "tls://a b": ("no server address", "Write it as nats://"),
}
ONE_SUBJECT: Bad = {
    "": ("words joined by dots", "such as orders.new"),
    "a b": ("words joined by dots", "such as orders.new"),
    "a..b": ("words joined by dots", "such as orders.new"),
    ".a": ("words joined by dots", "such as orders.new"),
    "a.>": ("no wildcards",),
    "*": ("no wildcards",),
}
CLIENT_TEST: Mapping[str, Bad] = {
    "url": {
        typed: words for typed, words in SERVER.items() if typed
    },  # without one a cluster's addresses are taken
    "subject": ONE_SUBJECT,
    "other": {"nobody": ("no user", "Give a name"), "Nowhere/plain": ("no user", "Give a name")},
    "queue": {"a b": ("no blanks",)},
    "messages": {
        "0": ("greater than or equal to 1",),
        "many": ("whole number",),
        "1001": ("less than or equal to 1000",),
    },
    "seconds": {
        "0": ("greater than or equal to 0.1",),
        "3600": ("less than or equal to 30",),
        "nan": ("Enter a number",),
    },
    "inbox_prefix": {"a.>": ("no wildcards",), "a b": ("words joined by dots",)},
    "ca_pem": {"no PEM": ("no certificate in PEM form", "BEGIN CERTIFICATE")},
}

LINE: Bad = {
    "a b c": ("no subject", "such as orders"),
    "a..b": ("no subject", "such as orders"),
    "a.>.b": ("no subject", "such as orders"),
    "${Name}": ("is no parameter", "small letters"),
    "a.${": ("is no parameter", "small letters"),
    "fine\n.a": ("no subject", "such as orders"),
    "a\x00b": ("cannot be seen", "Type it anew"),
}
PRESET: Mapping[str, Bad] = {
    "name": {
        "": ("required",),
        "Requester": ("already", "Choose another"),
        "x" * 256: ("at most 255",),
        "a\x00b": ("cannot be seen", "Type it anew"),
    },
    "about": TEXT,
    "news": TEXT,
    "pub_allow": {**LINE, "orders.> workers": ("no subject", "such as orders")},
    "pub_deny": LINE,
    "sub_allow": LINE,
    "sub_deny": LINE,
    "answers": {"-1": ("greater than or equal to 0",), "many": ("whole number",)},
}
CERTIFICATE: Bad = {"no PEM": ("no certificate in PEM form", "BEGIN CERTIFICATE")}
TIME: Bad = {
    "": ("required",),
    "0": ("greater than or equal to 0.1",),
    "31": ("less than or equal to 30",),
    "soon": ("Enter a number",),
    "nan": ("Enter a number",),
}
CLUSTER: Mapping[str, Bad] = {
    "name": {**NAME, **TAKEN_FOLDED},
    "urls": {
        **{typed: words for typed, words in SERVER.items() if typed and typed != "tls://a b"},
        "": ("at least one server address",),
        "nats://fine:4222\nnats://169.254.169.254": ("“nats://169.254.169.254”", "metadata service"),
        "\n".join(f"nats://n{number}" for number in range(17)): ("17 addresses", "16 are enough"),
    },
    "ca_pem": CERTIFICATE,
    "client_cert": CERTIFICATE,
    "client_key": {"no PEM": ("no private key in PEM form", "BEGIN PRIVATE KEY")},
    "connect_seconds": TIME,
    "request_seconds": TIME,
}
NEVER_SHOWN = {"client_key"}
"""Secrets: they are not given back, whatever is wrong with them."""
PEM = {"ca_pem", "client_cert", "client_key"}
"""Which may hold a key: their messages don't repeat them."""

ANYTHING_GOES = {"payload", "reply"}
"""Messages of client tests."""

SHEETS: Mapping[str, Sheet] = {
    "operator-create": Sheet(fields=OPERATOR_FIELDS, filled={"name": "new"}),
    "operator-edit": Sheet(fields={**OPERATOR_FIELDS, "assert_server_version": SERVER_VERSION}),
    "operator-delete": Sheet(fields={"confirm": CONFIRM}),
    "account-create": Sheet(
        fields={**ACCOUNT_FIELDS, "public_key": key_of(KeyKind.ACCOUNT)}, filled={"name": "new"}
    ),
    "account-edit": Sheet(fields=ACCOUNT_FIELDS),
    "account-limits": Sheet(
        fields={
            **dict.fromkeys(LIMITS, SAME_LIMIT),
            **dict.fromkeys(JETSTREAM, OPEN_LIMIT),
            **{f"{tier}-{name}": OPEN_LIMIT for tier in ("R1", "R2", "R3", "R4", "R5") for name in JETSTREAM},
            "conn": {**LIMIT, **SAME_LIMIT},
        }
    ),
    "account-delete": Sheet(fields={"confirm": CONFIRM}),
    "user-create": Sheet(
        fields={**USER_FIELDS, "public_key": key_of(KeyKind.USER)}, filled={"name": "new", "can_answer": "on"}
    ),
    "user-edit": Sheet(fields=USER_FIELDS, filled={"can_answer": "on"}),
    "user-delete": Sheet(fields={"confirm": CONFIRM}),
    "preset-create": Sheet(fields=PRESET, filled={"name": "new", "pub_allow": "a"}),
    "cluster-create": Sheet(
        fields={**CLUSTER, "expires": EXPIRY},
        filled={"name": "new", "urls": "nats://nats.example.com:4222"},
    ),
    "cluster-edit": Sheet(fields=CLUSTER),
    "cluster-delete": Sheet(fields={"confirm": CONFIRM}),
    "cluster-user-make": Sheet(fields={"expires": EXPIRY}),
    "cluster-user-renew": Sheet(fields={"expires": EXPIRY}),
    "user-test": Sheet(
        fields=CLIENT_TEST,
        filled={
            "trial": "subscribe-publish",
            "cluster": "",
            "url": "nats://nats.example.com:4222",
            "subject": "a",
        },
    ),
}
CONFIG: Mapping[str, Bad] = {
    "interval": {"soon": ("no duration",), "5": ("no duration",)},
    "timeout": {"soon": ("no duration",), "-1s": ()},
    "limit": {"0": ("greater than or equal to 1",), "many": ("whole number",), "9" * 30: ("less than",)},
    "dir": {"a\x07b": ("control character",), "x" * 501: ("at most 500",)},
    "operator_path": {"x" * 501: ("at most 500",)},
}
