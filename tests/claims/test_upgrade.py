"""Version 1 tokens are read as the Go library migrates them."""

from __future__ import annotations

from typing import Any

import pytest

from identities.claims import codec, gojson, segments
from identities.claims.errors import ClaimsError
from identities.claims.exports import Export, ServiceLatency
from identities.claims.limits import OperatorLimits
from identities.claims.permissions import Permission, TimeRange, UserPermissionLimits
from identities.claims.scopes import SigningKey
from identities.nkeys import KeyKind, KeyPair

NOW = 1_800_000_000
OPERATOR, ACCOUNT, USER = (
    KeyPair(kind, bytes([7]) * 32) for kind in (KeyKind.OPERATOR, KeyKind.ACCOUNT, KeyKind.USER)
)
OLD_HEADER = segments.encode(b'{"typ":"jwt","alg":"ed25519"}')
SIGNERS = {"operator": OPERATOR, "account": OPERATOR, "user": ACCOUNT, "activation": ACCOUNT}
SUBJECTS = {"operator": OPERATOR, "account": ACCOUNT, "user": USER, "activation": ACCOUNT}


def old(kind: str, nats: dict[str, Any], **common: Any) -> str:
    """A version 1 token."""
    signer = SIGNERS[kind]
    tree = {
        "iss": signer.public.text,
        "sub": SUBJECTS[kind].public.text,
        "type": kind,
        **common,
        "nats": nats,
    }
    part = segments.encode(gojson.dumps(tree).encode())
    return f"{OLD_HEADER}.{part}.{segments.encode(signer.sign(part.encode()))}"


def test_an_operator_keeps_what_both_versions_know() -> None:
    nats = {
        "identity": [{"id": "x"}],
        "signing_keys": ["K"],
        "account_server_url": "https://a",
        "system_account": "A",
        "strict_signing_key_usage": True,
        "x": 1,
    }
    token = codec.decode(old("operator", nats, tags=["t"], y=2))
    body = token.claims.nats
    assert (token.version, body.version, body.type, body.tags) == (1, 1, "operator", ("t",))
    assert (body.signing_keys, body.system_account, body.strict_signing_key_usage) == (("K",), "A", False)
    assert (body.extra, token.claims.extra) == ({"x": 1}, {"y": 2})
    again = codec.encode_checked(token.claims, OPERATOR, NOW)
    assert again.payload.endswith(
        '"nats":{"signing_keys":["K"],"account_server_url":"https://a","system_account":"A","tags":["t"],'
        '"type":"operator","version":2,"x":1},"y":2}'
    )


def test_an_account_gets_plain_keys_and_no_jetstream_and_nothing_that_only_version_2_knew() -> None:
    nats = {
        "limits": {"subs": 5, "wildcards": True, "mem_storage": 9, "z": 1},
        "signing_keys": ["K", "L", "K"],
        "exports": [{"subject": "s", "type": "service", "service_latency": {"results": "r"}}],
        "mappings": {"a": 1},
        "revocations": {"*": 3},
        "description": 5,
    }
    body = codec.decode(old("account", nats)).claims.nats
    assert body.limits == OperatorLimits(subs=5, wildcards=True, extra={"z": 1})
    assert body.signing_keys == (SigningKey(key="K"), SigningKey(key="L"))
    assert body.exports == (Export(subject="s", type="service", service_latency=ServiceLatency(results="r")),)
    assert (body.mappings, body.description, body.revocations, body.extra) == ({}, "", {"*": 3}, {})


def test_a_user_gets_the_missing_limits_as_unlimited_and_loses_max() -> None:
    nats = {
        "pub": {"allow": ["a"]},
        "src": "10.0.0.0/8,192.168.1.0/24",
        "times": [{"start": "01:00:00", "end": "02:00:00"}],
        "max": 5,
        "data": 0,
    }
    claims = codec.decode(old("user", nats, issuer_account="A")).claims
    assert claims.nats.issuer_account == "A"
    assert claims.nats.limits == UserPermissionLimits(
        pub=Permission(allow=("a",)),
        src=("10.0.0.0/8", "192.168.1.0/24"),
        times=(TimeRange(start="01:00:00", end="02:00:00"),),
        subs=-1,
        data=0,
        payload=-1,
    )


def test_an_activation_s_type_becomes_its_kind() -> None:
    nats = {"subject": "s", "type": "stream", "max": 1, "payload": 2, "src": "x", "kind": "service"}
    body = codec.decode(old("activation", nats, issuer_account="A")).claims.nats
    assert (body.subject, body.kind, body.type, body.issuer_account) == ("s", "stream", "activation", "A")
    assert body.extra == {}


@pytest.mark.parametrize(
    ("kind", "nats", "words"),
    [
        ("operator", {"signing_keys": [1]}, "signing_keys.0"),
        ("account", {"signing_keys": [{"kind": "user_scope"}]}, "signing_keys.0"),
        ("account", {"limits": {"subs": "1"}}, "limits.subs"),
        ("user", {"max": "1"}, "max"),
        ("activation", {"type": "bogus"}, "unknown export type"),
        ("activation", {"src": []}, "src"),
    ],
)
def test_wrong_types_are_refused_in_dropped_fields_too(kind: str, nats: dict[str, Any], words: str) -> None:
    with pytest.raises(ClaimsError) as caught:
        codec.decode(old(kind, nats))
    assert words in caught.value.user_message


@pytest.mark.parametrize("kind", ["cluster", "server"])
def test_kinds_that_are_gone_are_refused(kind: str) -> None:
    SIGNERS[kind] = SUBJECTS[kind] = OPERATOR
    with pytest.raises(ClaimsError, match=f"{kind.title()}Claims are not supported"):
        codec.decode(old(kind, {}))


def test_a_stored_version_1_document_is_read_too() -> None:
    token = codec.decode(old("user", {}))
    assert codec.from_payload(token.payload) == token.claims
