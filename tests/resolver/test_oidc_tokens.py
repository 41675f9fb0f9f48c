"""A token proves something only when its signature, its issuer, its audience, its times and its nonce all fit."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.resolver import oidc_tokens
from identities.resolver.oidc_tokens import TokenRefused, UnknownKey, Wanted
from tests.oidckeys import CLIENT, ISSUER, ec_key, ed_key, jwk, jwks, rsa_key, token

NOW = 1_800_000_000
WANTED = Wanted(issuer=ISSUER, audience=CLIENT, nonce="n-1")
KEYS = jwks(jwk(rsa_key(), "k1", alg="RS256"))
GOOD: dict[str, Any] = {
    "iss": ISSUER,
    "aud": CLIENT,
    "sub": "248289761001",
    "nonce": "n-1",
    "iat": NOW - 5,
    "exp": NOW + 300,
}


def verified(text: str, keys: str = KEYS, wanted: Wanted = WANTED) -> Any:
    return oidc_tokens.verify(text, keys, wanted=wanted, now=NOW)


def refused(text: str, keys: str = KEYS, wanted: Wanted = WANTED) -> str:
    with pytest.raises(TokenRefused) as no:
        verified(text, keys, wanted)
    return no.value.user_message


def test_a_good_token_gives_its_claims() -> None:
    assert verified(token(GOOD)) == GOOD


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(rsa_key(), "RS512"), (rsa_key(), "PS256"), (ec_key(), "ES256"), (ed_key(), "EdDSA")],
    ids=["RS512", "PS256", "ES256", "EdDSA"],
)
def test_every_signature_by_a_private_key_is_taken(key: Any, algorithm: str) -> None:
    assert verified(token(GOOD, key=key, algorithm=algorithm), jwks(jwk(key, "k1"))) == GOOD


def test_a_token_without_the_name_of_its_key_is_taken_when_one_key_fits() -> None:
    assert verified(token(GOOD, kid=None), jwks(jwk(rsa_key(), None), jwk(ec_key(), None))) == GOOD
    two = jwks(jwk(rsa_key(), "a"), jwk(rsa_key(number=1), "b"))
    assert "which of the provider's keys" in refused(token(GOOD, kid=None), two)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"iss": "https://other.example.com"}, "another provider"),
        ({"iss": ISSUER + "/"}, "another provider"),
        ({"iss": None}, "another provider"),
        ({"aud": "another-client"}, "made for somebody else"),
        ({"aud": []}, "made for somebody else"),
        ({"aud": None}, "made for somebody else"),
        ({"aud": [CLIENT, "other"]}, "given to somebody else"),
        ({"azp": "another-client"}, "given to somebody else"),
        ({"nonce": "n-2"}, "another sign-in"),
        ({"nonce": None}, "another sign-in"),
        ({"nonce": ["n-1"]}, "another sign-in"),
        ({"sub": None}, "who it is about"),
        ({"sub": ""}, "who it is about"),
        ({"sub": "x" * 256}, "who it is about"),
        ({"exp": NOW - 60}, "expired"),
        ({"exp": None}, "when it was made"),
        ({"iat": None}, "when it was made"),
        ({"iat": NOW + 61}, "not good yet"),
        ({"nbf": NOW + 61}, "not good yet"),
        ({"iat": NOW - 24 * 3600}, "too long ago"),
        ({"exp": True}, "in seconds"),
        ({"exp": "soon"}, "in seconds"),
    ],
    ids=lambda value: json.dumps(value)[:50] if isinstance(value, dict) else None,
)
def test_a_token_that_says_something_else_is_refused(change: dict[str, Any], said: str) -> None:
    claims = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    assert said in refused(token(claims))


def test_a_token_for_others_too_names_whom_it_was_given_to() -> None:
    shared = {**GOOD, "aud": [CLIENT, "other"], "azp": CLIENT}
    assert verified(token(shared)) == shared
    alone = Wanted(issuer=ISSUER, audience=CLIENT, single_audience=True)
    assert "for others too" in refused(token(shared), wanted=alone)


def test_nothing_unsigned_or_signed_by_a_shared_secret_is_taken() -> None:
    public = json.loads(KEYS)["keys"][0]["n"]
    assert "private key" in refused(jwt.encode(GOOD, None, algorithm="none"))
    assert "private key" in refused(token(GOOD, key=public, algorithm="HS256"))
    shared = {"kty": "oct", "kid": "k1", "k": base64.urlsafe_b64encode(b"x" * 32).decode()}
    assert "private key" in refused(token(GOOD, key="x" * 32, algorithm="HS256"), jwks(shared))
    with pytest.raises(UnknownKey):
        verified(token(GOOD), jwks(shared))


def test_a_signature_by_another_key_is_refused_and_an_unlisted_key_is_told_apart() -> None:
    assert "signature" in refused(token(GOOD, key=rsa_key(number=1)))
    with pytest.raises(UnknownKey):
        verified(token(GOOD, kid="k2"))
    with pytest.raises(UnknownKey):  # a key for encrypting signs nothing
        verified(token(GOOD), jwks(jwk(rsa_key(), "k1", use="enc")))
    with pytest.raises(UnknownKey):  # a key is used with the algorithm that it is listed with
        verified(token(GOOD, algorithm="RS384"))
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        weak = token(GOOD, key=rsa_key(1024))
    assert "weaker" in refused(weak, jwks(jwk(rsa_key(1024), "k1")))


def test_what_a_token_holds_is_never_repeated() -> None:
    text = token({**GOOD, "aud": "s3cret-audience"})
    assert "s3cret" not in refused(text)
    assert text not in refused(text)


def test_a_header_that_must_be_understood_is_refused() -> None:
    text = jwt.encode(GOOD, rsa_key(), algorithm="RS256", headers={"kid": "k1", "crit": ["exp"]})
    assert refused(text)


@given(st.integers(0, 2000), st.integers(0, 255))
def test_a_changed_byte_is_never_taken(place: int, value: int) -> None:
    good = token(GOOD, key=ed_key(), algorithm="EdDSA")
    place %= len(good)
    changed = good[:place] + chr(value) + good[place + 1 :]
    keys = jwks(jwk(ed_key(), "k1"))
    try:
        claims = verified(changed, keys)
    except TokenRefused:
        return
    assert claims == GOOD  # unused bits of the last letter of a part


@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_a_token_or_refused(text: str) -> None:
    with pytest.raises(TokenRefused):
        verified(text)
    assert oidc_tokens.issuer_of(text) == "" or text


@given(
    st.recursive(st.none() | st.booleans() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3))
)
def test_any_list_of_keys_is_survived(listed: object) -> None:
    with pytest.raises(TokenRefused):
        verified(token(GOOD), json.dumps({"keys": listed}))
    with pytest.raises(TokenRefused):
        verified(token(GOOD), json.dumps(listed))


@pytest.mark.parametrize(
    ("claims", "name", "words"),
    [
        ({"groups": ["a", "b", 3]}, "groups", ("a", "b")),
        ({"groups": "a"}, "groups", ("a",)),
        ({"realm_access": {"roles": ["x"]}}, "realm_access.roles", ("x",)),
        ({"https://example.com/groups": ["y"]}, "https://example.com/groups", ("y",)),
        ({"groups": {"a": 1}}, "groups", ()),
        ({}, "groups.deep", ()),
    ],
)
def test_groups_are_found_flat_or_deep(claims: dict[str, Any], name: str, words: tuple[str, ...]) -> None:
    assert oidc_tokens.words_of(claims, name) == words


def test_the_issuer_is_read_unchecked_only_to_find_the_keys() -> None:
    assert oidc_tokens.issuer_of(token(GOOD, key=rsa_key(number=1))) == ISSUER
    assert oidc_tokens.issuer_of("x" * 100_000) == ""
