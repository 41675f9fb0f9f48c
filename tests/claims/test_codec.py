"""Only tokens that mean what they say are read or written, whatever is thrown at the codec."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from identities.claims.permissions import Permission, TimeRange, UserPermissionLimits
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.claims.user import UserBody
from identities.nkeys import KeyKind, KeyPair, PublicKey

NOW = 1_800_000_000
OPERATOR, ACCOUNT, USER, SERVER = (
    KeyPair(kind, bytes([number]) * 32)
    for number, kind in enumerate([KeyKind.OPERATOR, KeyKind.ACCOUNT, KeyKind.USER, KeyKind.SERVER])
)
PLAIN_USER = Claims(name="u", sub=USER.public.text, nats=UserBody())
BODIES = {
    "operator": (OperatorBody(), OPERATOR, OPERATOR),
    "account": (AccountBody(), OPERATOR, ACCOUNT),
    "user": (UserBody(), ACCOUNT, USER),
    "activation": (ActivationBody(), ACCOUNT, ACCOUNT),
    "authorization_request": (AuthorizationRequestBody(), SERVER, ACCOUNT),
    "authorization_response": (AuthorizationResponseBody(), ACCOUNT, USER),
    "generic": (GenericBody(), USER, USER),
}


def signed(payload: str | bytes, signer: KeyPair, *, header: str = segments.HEADER_SEGMENT) -> str:
    data = payload.encode() if isinstance(payload, str) else payload
    text = f"{header}.{segments.encode(data)}"
    return f"{text}.{segments.encode(signer.sign(text.encode()))}"


def user_payload(nats: str = "", common: str = "") -> str:
    """A user's payload with more members in it."""
    return (
        f'{{"iss":"{ACCOUNT.public}","sub":"{USER.public}"{common},'
        f'"nats":{{"pub":{{}},"sub":{{}}{nats},"type":"user","version":2}}}}'
    )


def refused(payload: str | bytes, words: str = "", signer: KeyPair = ACCOUNT) -> None:
    with pytest.raises(ClaimsError) as caught:
        codec.decode(signed(payload, signer))
    assert words in caught.value.user_message


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


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("broken", ["", "A", "=", " ", ".", "é", "AAAA", "\0"])
def test_damage_in_any_segment_is_refused(place: int, broken: str) -> None:
    parts = codec.encode(PLAIN_USER, ACCOUNT, NOW).text.split(".")
    for damaged in (parts[place] + broken, broken + parts[place], broken):
        changed = ".".join(damaged if index == place else part for index, part in enumerate(parts))
        if changed != ".".join(parts):
            with pytest.raises(ClaimsError):
                codec.decode(changed)
            assert codec.peek(changed).errors


def test_line_breaks_that_go_ignores_are_ignored_and_not_kept() -> None:
    text = codec.encode(PLAIN_USER, ACCOUNT, NOW).text
    assert codec.decode(text[:-9] + "\r\n" + text[-9:] + "\n").text == text
    for changed in (text + " ", " " + text, "\n" + text, text.replace(".", "\n.", 1)):
        with pytest.raises(ClaimsError):
            codec.decode(changed)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ('{"typ":"JWT","alg":"none"}', 'unexpected "none" algorithm'),
        ('{"typ":"JWT"}', 'unexpected "" algorithm'),
        ('{"typ":"JWS","alg":"ed25519-nkey"}', 'not supported type "JWS"'),
        ('{"typ":1,"alg":"ed25519-nkey"}', "cannot unmarshal number"),
        ("[]", "cannot unmarshal array"),
        ("null", "cannot unmarshal"),
        ("{", "unexpected end"),
    ],
)
def test_a_strange_header_is_refused(header: str, words: str) -> None:
    with pytest.raises(ClaimsError, match=words):
        codec.decode(signed(user_payload(), ACCOUNT, header=segments.encode(header.encode())))


def test_a_header_in_another_case_or_with_more_in_it_is_taken() -> None:
    header = segments.encode(b'{"ALG":"ED25519-nkey","Typ":"jwt","kid":"x"}')
    assert codec.decode(signed(user_payload(), ACCOUNT, header=header)).header["kid"] == "x"


@pytest.mark.parametrize(
    ("nats", "common", "words"),
    [
        (',"subs":1,"subs":2', "", "twice"),
        (',"subs":1,"SUBS":2', "", "twice"),
        (',"Type":"account"', "", "twice"),
        ("", ',"Type":"account"', "V1 signature"),
        (',"subs":NaN', "", "invalid character"),
        (',"subs":-Infinity', "", "invalid character"),
        (',"subs":1.0', "", "cannot unmarshal number 1.0"),
        (',"subs":true', "", "cannot unmarshal bool"),
        (',"bearer_token":1', "", "cannot unmarshal number 1"),
        (',"subs":' + "9" * 5000, "", "too long"),
        (',"x":1.' + "9" * 5000, "", "400 digits"),
        (',"subs":9223372036854775808', "", "int64"),
        (',"x":' + "[" * 200 + "]" * 200, "", "max depth"),
        (',"x":' + "[" * 200000 + "]" * 200000, "", "max depth"),
        (',"tags":"a"', "", "cannot unmarshal string"),
        (',"tags":["a",1]', "", "nats.tags.1"),
        (',"times":[1]', "", "nats.times.0"),
        (',"src":[1]', "", "nats.src.0"),
        (',"x":"\x01"', "", "invalid character"),
        ("", ',"nbf":"1"', "field nbf of type int64"),
        ("", ",", ""),
    ],
)
def test_a_payload_that_could_be_read_in_two_ways_or_not_at_all_is_refused(
    nats: str, common: str, words: str
) -> None:
    refused(user_payload(nats, common), words)


def test_a_token_that_is_too_long_is_refused_unread() -> None:
    with pytest.raises(ClaimsError, match="token too large"):
        codec.decode("a" * (1024 * 1024 + 1))


def test_keys_in_another_case_are_read_as_go_reads_them() -> None:
    claims = codec.decode(
        signed(user_payload(',"SUBS":7,"\u017frc":["1.2.3.4/32"]', ',"EXP":5'), ACCOUNT)
    ).claims
    assert (claims.exp, claims.nats.limits.subs, claims.nats.limits.src) == (5, 7, ("1.2.3.4/32",))
    edited = replace(claims, nats=replace(claims.nats, limits=replace(claims.nats.limits, subs=8)))
    assert codec.encode_checked(edited, ACCOUNT, NOW).claims.nats.limits.subs == 8


def test_null_is_the_zero_value() -> None:
    nats = ',"resp":null,"src":null,"subs":null,"tags":[null],"times":[null],"times_location":null'
    body = codec.decode(signed(user_payload(nats, ',"exp":null'), ACCOUNT)).claims.nats
    assert body == UserBody(limits=UserPermissionLimits(times=(TimeRange(),)), tags=("",))


def test_null_in_the_lists_of_an_account_is_kept_as_nothing() -> None:
    payload = (
        f'{{"iss":"{OPERATOR.public}","sub":"{ACCOUNT.public}","nats":{{"exports":[null],"imports":[null],'
        '"signing_keys":[null,5,"A"],"mappings":{"a":null},"limits":null,"type":"account","version":2}}'
    )
    body = codec.decode(signed(payload, OPERATOR)).claims.nats
    assert body.exports == (None,)
    assert body.imports == (None,)
    assert body.signing_keys == (SigningKey(key="A"),)
    assert body.mappings == {"a": ()}
    assert body.limits == OperatorLimits()


def test_a_missing_limit_of_a_role_is_unlimited_but_of_a_user_is_none() -> None:
    payload = (
        f'{{"iss":"{OPERATOR.public}","sub":"{ACCOUNT.public}","nats":{{"signing_keys":'
        '[{"kind":"user_scope","key":"A","template":{"data":0}}],"type":"account","version":2}}'
    )
    (key,) = codec.decode(signed(payload, OPERATOR)).claims.nats.signing_keys
    assert (key.template.subs, key.template.data, key.template.payload) == (-1, 0, -1)
    limits = codec.decode(signed(user_payload(), ACCOUNT)).claims.nats.limits
    assert (limits.subs, limits.data, limits.payload) == (0, 0, 0)


def test_flat_jetstream_limits_beside_tiers_are_dropped_for_good() -> None:
    payload = (
        f'{{"iss":"{OPERATOR.public}","sub":"{ACCOUNT.public}","nats":{{"limits":{{"mem_storage":5,"max_bytes_required"'
        ':true,"tiered_limits":{"R1":{"streams":1}}},"type":"account","version":2}}'
    )
    claims = codec.decode(signed(payload, OPERATOR)).claims
    assert claims.nats.limits == OperatorLimits(tiered_limits={"R1": JetStreamLimits(streams=1)})
    without = replace(claims, nats=replace(claims.nats, limits=replace(claims.nats.limits, tiered_limits={})))
    assert codec.encode_checked(without, OPERATOR, NOW).claims.nats.limits == OperatorLimits()


@pytest.mark.parametrize(
    "header", [segments.HEADER_SEGMENT, segments.encode(b'{"typ":"jwt","alg":"ed25519"}')]
)
def test_which_bytes_were_signed_is_decided_by_the_body_not_by_the_header(header: str) -> None:
    payload = f'{{"iss":"{OPERATOR.public}","sub":"{OPERATOR.public}","type":"operator","nats":{{}}}}'
    part = segments.encode(payload.encode())
    over_payload = segments.encode(OPERATOR.sign(part.encode()))
    assert codec.decode(f"{header}.{part}.{over_payload}").version == 1
    over_both = segments.encode(OPERATOR.sign(f"{header}.{part}".encode()))
    with pytest.raises(ClaimsError, match="V1 signature"):
        codec.decode(f"{header}.{part}.{over_both}")


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


def test_peeking_shows_what_can_be_seen_of_a_bad_token() -> None:
    token = codec.encode(PLAIN_USER, ACCOUNT, NOW)
    good = codec.peek(token.text)
    assert good.errors == ()
    assert good.claims == token.claims
    header, payload, _ = token.text.split(".")
    forged = codec.peek(f"{header}.{payload}.AAAA")
    assert forged.claims == token.claims
    assert forged.errors == ("claim failed V2 signature verification",)
    nonsense = codec.peek(f"{header}.{segments.encode(b'nonsense')}.AAAA")
    assert (nonsense.payload, nonsense.claims, len(nonsense.errors)) == ("nonsense", None, 1)
    assert codec.peek("a.b").errors == ("expected 3 chunks",)


@given(st.text(max_size=60) | st.text("eyJ0.=-_A\n", max_size=60))
def test_any_text_at_all_raises_nothing_but_claims_errors(text: str) -> None:
    assert codec.peek(text).errors
    for read in (codec.decode, codec.decode_generic, codec.from_payload):
        with pytest.raises(ClaimsError):
            read(text)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
KEYS = sorted(
    {key for kind in KINDS.values() for key in KINDS[kind.type].cls.__slots__}
    | {"pub", "sub", "src", "times"}
)
NATS = st.dictionaries(st.sampled_from(KEYS), JSON, max_size=8)


@given(
    st.sampled_from(sorted(BODIES)), NATS, st.dictionaries(st.sampled_from(["exp", "name", "x", "nbf"]), JSON)
)
def test_any_json_is_refused_calmly_or_survives_being_signed_again(
    name: str, nats: dict[str, Any], common: dict[str, Any]
) -> None:
    _, signer, subject = BODIES[name]
    if name == "generic":
        return
    tree = {
        **common,
        "iss": signer.public.text,
        "sub": subject.public.text,
        "nats": {**nats, "type": name, "version": 2},
    }
    try:
        token = codec.decode(signed(json.dumps(tree), signer))
    except ClaimsError:
        return
    url = nats.get("account_server_url") if name == "operator" else None
    if isinstance(url, str) and url and "://" not in url:
        with suppress(ClaimsError):  # the Go library reads such an address, and refuses to write it
            codec.encode_checked(token.claims, signer, NOW)
        return
    again = codec.encode_checked(token.claims, signer, NOW)
    was, now = json.loads(token.payload), json.loads(again.payload)
    assert {**was, "iat": NOW, "jti": again.claims.jti} == now
    assert codec.payload_text(codec.from_payload(again.payload)) == again.payload


SUBJECTS = st.lists(st.text("abc.*>é<& ", max_size=8), max_size=4).map(tuple)
LIMITS = st.integers(-1, 2**63 - 1)
PERMISSION = st.builds(Permission, allow=SUBJECTS, deny=SUBJECTS)
USER_LIMITS = st.builds(
    UserPermissionLimits,
    pub=PERMISSION,
    sub=PERMISSION,
    src=SUBJECTS,
    times=st.lists(st.builds(TimeRange, start=st.text(max_size=8), end=st.text(max_size=8)), max_size=3).map(
        tuple
    ),
    subs=LIMITS,
    data=LIMITS,
    payload=LIMITS,
    bearer_token=st.booleans(),
)


@given(st.text(max_size=20), USER_LIMITS, SUBJECTS, st.integers(0, 2**40))
def test_any_user_comes_back_as_it_was_meant(
    name: str, limits: UserPermissionLimits, tags: tuple[str, ...], exp: int
) -> None:
    claims = Claims(name=name, exp=exp, sub=USER.public.text, nats=UserBody(limits=limits, tags=tags))
    token = codec.encode_checked(claims, ACCOUNT, NOW)
    assert codec.decode(token.text).claims == replace(
        claims, iss=ACCOUNT.public.text, iat=NOW, jti=token.claims.jti
    )


def test_the_text_of_a_token_is_base64url_without_padding() -> None:
    text = codec.encode(PLAIN_USER, ACCOUNT, NOW).text
    header, payload, signature = text.split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))) == {
        "typ": "JWT",
        "alg": "ed25519-nkey",
    }
    assert len(signature) == 86
    assert gojson.loads(segments.decode(payload)) == json.loads(segments.decode(payload))
