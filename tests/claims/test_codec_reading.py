"""Only tokens that can be read in one way are read: what is refused, and what is taken as Go takes it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities.claims import codec, segments
from identities.claims.errors import ClaimsError
from identities.claims.limits import JetStreamLimits, OperatorLimits
from identities.claims.permissions import TimeRange, UserPermissionLimits
from identities.claims.scopes import SigningKey
from identities.claims.user import UserBody
from identities.nkeys import KeyPair
from tests.claims.tokens import ACCOUNT, NOW, OPERATOR, PLAIN_USER, signed, user_payload


def refused(payload: str | bytes, words: str = "", signer: KeyPair = ACCOUNT) -> None:
    with pytest.raises(ClaimsError) as caught:
        codec.decode(signed(payload, signer))
    assert words in caught.value.user_message


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
