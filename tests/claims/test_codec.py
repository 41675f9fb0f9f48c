"""Only claims that mean what they say are signed, and they are read back as they were."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from identities.claims import codec, gojson, segments
from identities.claims.account import AccountBody
from identities.claims.activation import ActivationBody
from identities.claims.authorization import (
    AuthorizationRequestBody,
    AuthorizationResponseBody,
    ConnectOptions,
)
from identities.claims.bodies import KINDS
from identities.claims.common import Claims
from identities.claims.errors import ClaimsError
from identities.claims.exports import Export, ServiceLatency
from identities.claims.generic import GenericBody
from identities.claims.imports import Import
from identities.claims.limits import JetStreamLimits, OperatorLimits
from identities.claims.mappings import WeightedMapping
from identities.claims.operator import OperatorBody
from identities.claims.permissions import UserPermissionLimits
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.claims.user import UserBody
from identities.nkeys import KeyKind, KeyPair, PublicKey
from tests.claims.tokens import ACCOUNT, BODIES, NOW, OPERATOR, PLAIN_USER, SERVER, USER


@pytest.mark.parametrize("name", BODIES)
def test_every_kind_is_signed_and_read_back(name: str) -> None:
    body, signer, subject = BODIES[name]
    claims: Claims[Any] = Claims(name="n", sub=subject.public.text, nats=body)
    token = codec.encode_checked(claims, signer, NOW)
    again = codec.decode_generic(token.text) if name == "generic" else codec.decode(token.text)
    assert again.claims == token.claims
    assert again.payload == token.payload
    assert (again.type, again.version, again.text) == (name, 2, token.text)
    assert (token.claims.iat, token.claims.iss, token.claims.nats.version) == (NOW, signer.public.text, 2)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("kind", KeyKind)
def test_only_the_right_kind_of_key_may_issue(name: str, kind: KeyKind) -> None:
    body, _, subject = BODIES[name]
    claims: Claims[Any] = Claims(sub=subject.public.text, nats=body)
    allowed = KINDS[name].issuers if name in KINDS else tuple(KeyKind)
    if kind is KeyKind.CURVE:
        return
    signer = KeyPair.create(kind)
    if kind in allowed:
        codec.encode_checked(claims, signer, NOW)
    else:
        with pytest.raises(ClaimsError, match="unable to validate expected prefixes"):
            codec.encode(claims, signer, NOW)


@pytest.mark.parametrize(
    ("body", "signer", "subject", "words"),
    [
        (OperatorBody(), OPERATOR, ACCOUNT.public.text, "expected subject to be an operator public key"),
        (AccountBody(), OPERATOR, USER.public.text, "expected subject to be account public key"),
        (UserBody(), ACCOUNT, ACCOUNT.public.text, "expected subject to be user public key"),
        (ActivationBody(), ACCOUNT, USER.public.text, "expected subject to be an account"),
        (UserBody(), ACCOUNT, USER.seed().reveal().decode(), "expected subject to be user public key"),
        (AuthorizationResponseBody(), ACCOUNT, "", "subject is not set"),
        (
            OperatorBody(account_server_url="example.org"),
            OPERATOR,
            OPERATOR.public.text,
            "requires a protocol",
        ),
    ],
)
def test_the_subject_must_be_right_to_be_signed(body: Any, signer: KeyPair, subject: str, words: str) -> None:
    with pytest.raises(ClaimsError, match=words):
        codec.encode(Claims(sub=subject, nats=body), signer, NOW)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (AccountBody(exports=(Export(subject="a", type="bogus"),)), "unknown export type"),
        (
            AccountBody(exports=(Export(subject="a", service_latency=ServiceLatency(sampling=101)),)),
            "sampling rate",
        ),
        (AccountBody(mappings={"a": (WeightedMapping(subject="b", weight=300),)}), "uint8"),
        (AccountBody(limits=OperatorLimits(subs=2**63)), "int64"),
        (
            AccountBody(limits=OperatorLimits(streams=1, tiered_limits={"R1": JetStreamLimits(streams=1)})),
            "limits",
        ),
        (
            AccountBody(
                signing_keys=(
                    SigningKey(kind=USER_SCOPE, key=ACCOUNT.public.text, template=UserPermissionLimits()),
                )
            ),
            "signing_keys",
        ),
        (AccountBody(tags=["a"]), "tags"),  # type: ignore[arg-type]
        (AccountBody(description=5), "description"),  # type: ignore[arg-type]
        (AccountBody(extra={"Limits": {"subs": 5}}), "extra"),
    ],
)
def test_claims_that_would_read_back_differently_are_not_issued(body: AccountBody, words: str) -> None:
    with pytest.raises(ClaimsError, match=words):
        codec.encode_checked(Claims(sub=ACCOUNT.public.text, nats=body), OPERATOR, NOW)


def test_a_signer_that_signs_badly_is_noticed() -> None:
    class Liar:
        public: PublicKey = ACCOUNT.public

        def sign(self, data: bytes) -> bytes:
            return ACCOUNT.sign(data + b" ")

    with pytest.raises(ClaimsError, match="signature verification"):
        codec.encode_checked(PLAIN_USER, Liar(), NOW)


def test_lists_come_out_sorted_and_signing_keys_once() -> None:
    keys = sorted(KeyPair.create(KeyKind.ACCOUNT).public.text for _ in range(3))
    body = AccountBody(
        exports=(Export(subject="b", type="stream"), Export(subject="a", type="service")),
        imports=(Import(subject="z", type="stream"), Import(subject="B", type="stream")),
        signing_keys=(SigningKey(key=keys[2]), SigningKey(key=keys[0]), SigningKey(key=keys[2])),
        revocations={"b": 1, "a": 2, "*": 3},
    )
    token = codec.encode_checked(Claims(sub=ACCOUNT.public.text, nats=body), OPERATOR, NOW)
    tree = json.loads(token.payload)["nats"]
    assert [item["subject"] for item in tree["exports"]] == ["a", "b"]
    assert [item["subject"] for item in tree["imports"]] == ["B", "z"]
    assert tree["signing_keys"] == [keys[0], keys[2]]
    assert list(tree["revocations"]) == ["*", "a", "b"]


def test_unknown_fields_of_a_role_move_with_its_limits_into_the_user() -> None:
    limits = UserPermissionLimits(extra={"x": 1})
    token = codec.encode_checked(replace(PLAIN_USER, nats=UserBody(limits=limits)), ACCOUNT, NOW)
    assert token.claims.nats.extra == {"x": 1}
    assert json.loads(token.payload)["nats"]["x"] == 1


def test_ids_are_equal_within_a_second_and_differ_with_it() -> None:
    other = replace(PLAIN_USER, nats=UserBody(tags=("t",)))
    assert codec.encode(PLAIN_USER, ACCOUNT, NOW).claims.jti == codec.encode(other, ACCOUNT, NOW).claims.jti
    assert (
        codec.encode(PLAIN_USER, ACCOUNT, NOW).claims.jti
        != codec.encode(PLAIN_USER, ACCOUNT, NOW + 1).claims.jti
    )


def test_a_generic_token_is_read_either_way() -> None:
    body = GenericBody(data={"z": 1, "accounts": [ACCOUNT.public.text], "a": {"d": 1, "c": 2}})
    token = codec.encode_checked(Claims(sub=OPERATOR.public.text, nats=body), OPERATOR, NOW)
    assert token.payload.endswith(
        f'{{"a":{{"c":2,"d":1}},"accounts":["{ACCOUNT.public}"],"version":2,"z":1}}}}'
    )
    assert codec.decode_generic(token.text).claims.nats.version == 2
    with pytest.raises(ClaimsError, match="V1 signature"):
        codec.decode(token.text)  # as Go does: free claims are verified by the old rule there
    typed = codec.decode_generic(codec.encode(PLAIN_USER, ACCOUNT, NOW).text)
    assert typed.claims.nats.type == "user"


def test_what_a_client_proves_itself_with_is_not_printed() -> None:
    body = AuthorizationRequestBody(
        connect_opts=ConnectOptions(pass_="hunter2", auth_token="hunter3", jwt="hunter4")
    )
    assert "hunter" not in repr(body)
    token = codec.encode_checked(Claims(sub=ACCOUNT.public.text, nats=body), SERVER, NOW)
    assert json.loads(token.payload)["nats"]["connect_opts"]["pass"] == "hunter2"
    assert codec.decode(token.text).claims.nats.connect_opts.pass_ == "hunter2"


def test_the_text_of_a_token_is_base64url_without_padding() -> None:
    text = codec.encode(PLAIN_USER, ACCOUNT, NOW).text
    header, payload, signature = text.split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))) == {
        "typ": "JWT",
        "alg": "ed25519-nkey",
    }
    assert len(signature) == 86
    assert gojson.loads(segments.decode(payload)) == json.loads(segments.decode(payload))
