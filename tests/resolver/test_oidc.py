"""What a provider says of itself is checked before anybody is sent there, and what is wrong is said in plain words."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from identities.errors import IdentityError
from identities.nkeys import SecretBytes
from identities.resolver import oidc
from identities.resolver.addresses import AddressRefused
from identities.resolver.fetching import FetchFailed
from identities.resolver.oidc import ProviderFailed, Wire
from tests import oidcprovider
from tests.oidcprovider import CLIENT, SECRET, Provider

HERE = Wire(allow_loopback=True)
BACK = "http://localhost/back"
VERIFIER = "v" * 43


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with oidcprovider.running() as provider:
        yield provider


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.__init__(running.issuer)  # type: ignore[misc]  # as good as new for each test
    return running


def failed(provider: Provider, issuer: str = "") -> str:
    with pytest.raises(IdentityError) as no:
        oidc.discover(issuer or provider.issuer, wire=HERE)
    assert no.value.field == "issuer"
    return no.value.user_message


def authorized(provider: Provider, **asked: str) -> SecretBytes:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
    request = {
        "redirect_uri": BACK,
        "state": "s",
        "nonce": "n",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **asked,
    }
    return SecretBytes(provider.authorize(request).partition("code=")[2].partition("&")[0].encode())


def exchanged(provider: Provider, code: SecretBytes, **options: Any) -> oidc.Tokens:
    found = oidc.discover(provider.issuer, wire=HERE)
    given = {
        "verifier": SecretBytes(VERIFIER.encode()),
        "back": BACK,
        "client_id": CLIENT,
        "client_secret": SecretBytes(SECRET.encode()),
        **options,
    }
    return oidc.exchange(found, code=code, wire=HERE, **given)


def test_a_provider_says_where_everything_is(provider: Provider) -> None:
    found = oidc.discover(provider.issuer, wire=HERE)
    assert (found.issuer, found.token) == (provider.issuer, f"{provider.issuer}/token")
    assert found.names_itself
    assert found.pkce
    assert '"kid": "k1"' in oidc.key_set(found, wire=HERE)


@pytest.mark.parametrize(
    ("says", "said"),
    [
        ({"issuer": "https://evil.example.com"}, "calls itself “https://evil.example.com”"),
        ({"issuer": 3}, "calls itself nothing"),
        ({"token_endpoint": None}, "where its token_endpoint is"),
        ({"jwks_uri": ""}, "where its jwks_uri is"),
        ({"token_endpoint": "http://login.example.com/token"}, "without TLS"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "Only http and https"),
        ({"token_endpoint": "https://user:pw@login.example.com/"}, "Leave out the user"),
        ({"response_types_supported": ["id_token"]}, "code flow"),
        ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, "no algorithm that is taken"),
    ],
    ids=lambda value: str(value)[:50] if isinstance(value, dict) else None,
)
def test_a_configuration_that_can_not_be_trusted_is_refused(
    provider: Provider, says: dict[str, Any], said: str
) -> None:
    provider.says = says
    assert said in failed(provider)


def test_an_issuer_is_the_same_to_the_letter(provider: Provider) -> None:
    assert "a slash at the end too" in failed(provider, provider.issuer + "/")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, {}, ""), "is the issuer right"),
        ((500, {}, "s3cret"), "answered 500"),
        ((302, {"Location": "http://169.254.169.254/"}, ""), "not followed"),
        ((200, {}, "<html>s3cret"), "no JSON object"),
        ((200, {}, "[" * 100_000), "no JSON object"),
        ((200, {}, "[]"), "no JSON object"),
        ((200, {}, "x" * 400_000), "more than 256 KiB"),
    ],
    ids=["404", "500", "redirect", "html", "deep", "list", "large"],
)
def test_any_other_answer_is_told_without_what_came(
    provider: Provider, answer: oidcprovider.Answer, said: str
) -> None:
    provider.answers[oidc.WELL_KNOWN] = answer
    message = failed(provider)
    assert said in message
    assert "s3cret" not in message


@pytest.mark.parametrize(
    "issuer",
    [
        "http://login.example.com",
        "ftp://login.example.com",
        "https://login.example.com?x=1",
        "login.example.com",
    ],
)
def test_an_issuer_is_an_address_with_tls(issuer: str) -> None:
    with pytest.raises(AddressRefused):
        oidc.checked_issuer(issuer, wire=HERE)
    assert oidc.checked_issuer(" https://login.example.com/realms/x ", wire=HERE).endswith("/realms/x")


def test_this_machine_is_reached_only_where_that_is_allowed(provider: Provider) -> None:
    with pytest.raises(AddressRefused, match="without TLS"):
        oidc.discover(provider.issuer, wire=Wire(allow_loopback=False))
    inward = Wire(allow_loopback=False, lookup=lambda host, port: ["127.0.0.1"])
    with pytest.raises(AddressRefused, match="loopback"):
        oidc.discover("https://login.example.com", wire=inward)
    clouds = Wire(allow_loopback=True, lookup=lambda host, port: ["169.254.169.254"])
    with pytest.raises(AddressRefused, match="metadata"):
        oidc.discover("https://login.example.com", wire=clouds)


def test_a_code_is_made_into_tokens_once(provider: Provider) -> None:
    code = authorized(provider)
    assert exchanged(provider, code).id_token.reveal()
    with pytest.raises(ProviderFailed, match="used already"):
        exchanged(provider, code)


def test_a_code_is_nothing_without_its_verifier_and_its_address(provider: Provider) -> None:
    with pytest.raises(ProviderFailed, match="invalid_grant"):
        exchanged(provider, authorized(provider), verifier=SecretBytes(b"w" * 43))
    with pytest.raises(ProviderFailed, match="invalid_grant"):
        exchanged(provider, authorized(provider), back="http://localhost/elsewhere")


@pytest.mark.parametrize("methods", [["client_secret_basic"], ["client_secret_post"]])
def test_the_client_proves_itself_as_the_provider_asks(provider: Provider, methods: list[str]) -> None:
    provider.says = {"token_endpoint_auth_methods_supported": methods}
    assert exchanged(provider, authorized(provider)).id_token.reveal()
    with pytest.raises(ProviderFailed, match="client ID and secret") as no:
        exchanged(provider, authorized(provider), client_secret=SecretBytes(b"a wr0ng one"))
    assert "wr0ng" not in no.value.user_message


def test_what_else_is_told_of_a_person_is_of_the_same_one(provider: Provider) -> None:
    found = oidc.discover(provider.issuer, wire=HERE)
    access = SecretBytes(b"at")
    provider.told_elsewhere = {"groups": ["ops"]}
    told = oidc.userinfo(found, access_token=access, subject=provider.person["sub"], wire=HERE)
    assert told["groups"] == ["ops"]
    with pytest.raises(ProviderFailed, match="somebody else"):
        oidc.userinfo(found, access_token=access, subject="another", wire=HERE)


def test_a_provider_without_keys_is_refused(provider: Provider) -> None:
    found = oidc.discover(provider.issuer, wire=HERE)
    provider.answers["/keys"] = (200, {}, '{"keys": []}')
    with pytest.raises(ProviderFailed, match="empty"):
        oidc.key_set(found, wire=HERE)
    provider.answers["/keys"] = (404, {}, "")
    with pytest.raises(FetchFailed):
        oidc.key_set(found, wire=HERE)
