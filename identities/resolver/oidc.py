"""OpenID Connect providers over the wire: what they say of themselves, their keys, and a code made into tokens.

OpenID Connect Discovery 1.0, OpenID Connect Core 1.0 and RFC 6749, 7636, 8414; every address is checked before it is
connected to (`fetching`), and nothing that a provider sends is repeated to people.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from identities.nkeys import SecretBytes
from identities.resolver import fetching
from identities.resolver.addresses import AddressRefused, Lookup, system_lookup
from identities.resolver.errors import ResolverError
from identities.resolver.fetching import FetchFailed, WebURL

WELL_KNOWN = "/.well-known/openid-configuration"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures that are taken: by a private key alone. What anybody with a shared secret can make is never taken."""
LARGEST = 256 * 1024
_LOCAL = ("localhost", "127.0.0.1", "::1")
_JSON: Mapping[str, str] = {"Accept": "application/json"}


class ProviderFailed(ResolverError):
    """A provider that can't be used, or did not keep to OpenID Connect; says what is wrong and what to do."""

    code = "provider-failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """How providers are reached: whether on this machine, and how names are looked up."""

    allow_loopback: bool
    lookup: Lookup = system_lookup


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a provider says of itself. `userinfo` is "" where it has none; `names_itself` in its answers (RFC 9207)."""

    issuer: str
    authorization: str
    token: str
    keys: str
    userinfo: str = ""
    basic: bool = True
    pkce: bool = True
    names_itself: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a code was exchanged for; both log in somewhere, so neither is shown."""

    id_token: SecretBytes
    access_token: SecretBytes


def checked_issuer(text: str, *, wire: Wire, field: str = "issuer") -> str:
    """The address of a provider in its plain form, without a slash at the end taken away or added.

    Raises: AddressRefused: malformed, with a query, or plain http to another machine.
    """
    issuer = text.strip()
    url = _address(issuer, wire, field)
    if "?" in url.target or issuer.endswith(WELL_KNOWN):
        raise AddressRefused(
            f"Give the issuer alone, such as https://login.example.com/realms/main: “{WELL_KNOWN}” is added here.",
            field=field,
        )
    return issuer


def discover(issuer: str, *, wire: Wire, field: str = "issuer") -> Metadata:
    """What the provider at `issuer` says of itself.

    Raises: AddressRefused, FetchFailed, ProviderFailed: with the reason in plain words.
    """
    text = _get(issuer.rstrip("/") + WELL_KNOWN, wire, field)
    return metadata(_object(text, "Its configuration", field), issuer=issuer, wire=wire, field=field)


def discover_signer(issuer: str, *, wire: Wire, field: str = "issuer") -> Metadata:
    """The same of who signs tokens for machines (a CI, a Kubernetes cluster): nobody signs in there, so only its keys
    have to be found.

    Raises: as `discover`.
    """
    text = _get(issuer.rstrip("/") + WELL_KNOWN, wire, field)
    return metadata(
        _object(text, "Its configuration", field), issuer=issuer, wire=wire, field=field, signs_in=False
    )


def metadata(
    document: Mapping[str, Any], *, issuer: str, wire: Wire, field: str = "issuer", signs_in: bool = True
) -> Metadata:
    """The metadata in a configuration document; of who `signs_in` nobody its keys alone.

    Raises: ProviderFailed, AddressRefused.
    """
    said = document.get("issuer")
    if said != issuer:
        named = f"“{said[:200]}”" if isinstance(said, str) else "nothing"
        raise ProviderFailed(
            f"The provider there calls itself {named}, not “{issuer}”. The two must be the same to the letter, "
            "a slash at the end too: give it as the provider does.",
            field=field,
        )
    found = {}
    needed = {"authorization_endpoint", "token_endpoint", "jwks_uri"} if signs_in else {"jwks_uri"}
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"):
        value = document.get(name, "")
        if not isinstance(value, str) or (not value and name in needed):
            raise ProviderFailed(
                f"The provider does not say where its {name} is: it can't sign anybody in.", field=field
            )
        if value:
            _address(value, wire, field)
        found[name] = value
    if signs_in and "code" not in _listed(document, "response_types_supported", ["code"]):
        raise ProviderFailed(
            "The provider does not support the authorization code flow, the only one used here.", field=field
        )
    algorithms = _listed(document, "id_token_signing_alg_values_supported", ["RS256"])
    if not set(algorithms) & set(ALGORITHMS):
        raise ProviderFailed(
            "The provider signs with no algorithm that is taken here: switch it to RS256, ES256 or EdDSA.",
            field=field,
        )
    methods = _listed(document, "token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Metadata(
        issuer=issuer,
        authorization=found["authorization_endpoint"],
        token=found["token_endpoint"],
        keys=found["jwks_uri"],
        userinfo=found["userinfo_endpoint"],
        basic="client_secret_basic" in methods,
        pkce="S256" in _listed(document, "code_challenge_methods_supported", ["S256"]),
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
    )


def key_set(found: Metadata, *, wire: Wire, field: str = "issuer") -> str:
    """The provider's public keys, as the JSON text that it gives. Raises: as `discover`."""
    text = _get(found.keys, wire, field)
    keys = _object(text, "Its list of keys", field).get("keys")
    if not isinstance(keys, list) or not keys:
        raise ProviderFailed(
            "The provider's list of keys is empty: nothing that it signs can be checked.", field=field
        )
    return text


def exchange(
    found: Metadata,
    *,
    code: SecretBytes,
    verifier: SecretBytes,
    back: str,
    client_id: str,
    client_secret: SecretBytes | None,
    wire: Wire,
) -> Tokens:
    """Make the code that a browser brought into tokens; it works once, and only with the verifier of its request.

    Raises: FetchFailed, ProviderFailed.
    """
    fields = {
        "grant_type": "authorization_code",
        "code": code.reveal().decode(),
        "redirect_uri": back,
        "code_verifier": verifier.reveal().decode(),
    }
    headers = {**_JSON, "Content-Type": "application/x-www-form-urlencoded"}
    if client_secret is not None and found.basic:
        pair = f"{quote(client_id, safe='')}:{quote(client_secret.reveal().decode(), safe='')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    else:
        fields["client_id"] = client_id
        if client_secret is not None:
            fields["client_secret"] = client_secret.reveal().decode()
    answer = _ask(found.token, wire, "", headers, urlencode(fields).encode())
    if answer.status != 200:
        raise ProviderFailed(_refusal(answer))
    tokens = _object(answer.text, "Its answer", "")
    id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
    if not isinstance(id_token, str) or not id_token:
        raise ProviderFailed("The provider gave no ID token: is the scope “openid” allowed for this client?")
    return Tokens(
        id_token=SecretBytes(id_token.encode()),
        access_token=SecretBytes(access_token.encode() if isinstance(access_token, str) else b""),
    )


def userinfo(found: Metadata, *, access_token: SecretBytes, subject: str, wire: Wire) -> Mapping[str, Any]:
    """What the provider tells of the person beyond the ID token, of the same subject as that.

    Raises: FetchFailed, ProviderFailed: also when it speaks of somebody else (OpenID Connect Core 5.3.2).
    """
    headers = {**_JSON, "Authorization": f"Bearer {access_token.reveal().decode()}"}
    answer = _ask(found.userinfo, wire, "", headers, None)
    if answer.status != 200:
        raise ProviderFailed(f"The provider tells nothing of its people: it answered {answer.status}.")
    claims = _object(answer.text, "What it tells of a person", "")
    if claims.get("sub") != subject:
        raise ProviderFailed("The provider tells of somebody else than it signed in.")
    return claims


def _refusal(answer: fetching.Answer) -> str:
    """Why a code was not exchanged, by the error names of RFC 6749 5.2; nothing else of the answer is told."""
    try:
        said = json.loads(answer.text).get("error", "")
    except (ValueError, AttributeError, RecursionError):
        said = ""
    words = {
        "invalid_client": "it does not take the client ID and secret that are kept here",
        "invalid_grant": "the sign-in took too long, or was used already",
        "unauthorized_client": "this client may not use the authorization code flow there",
        "invalid_scope": "a scope is not allowed for this client",
        "invalid_request": "it calls the request malformed",
    }
    if isinstance(said, str) and said in words:
        return f"The provider refused: {words[said]} ({said})."
    return f"The provider refused to finish the sign-in: it answered {answer.status}."


def _address(text: str, wire: Wire, field: str) -> WebURL:
    url = fetching.parse_web_url(text, field=field)
    if url.scheme == "http" and not (wire.allow_loopback and url.host in _LOCAL):
        raise AddressRefused(
            f"{url.authority} is reached without TLS, where anybody on the way could sign in as anybody: "
            "a provider's addresses begin with https://.",
            field=field,
        )
    return url


def _get(text: str, wire: Wire, field: str) -> str:
    answer = _ask(text, wire, field, _JSON, None)
    if answer.status == 404:
        raise FetchFailed(f"There is nothing at {text}: is the issuer right?", field=field)
    if answer.status != 200:
        raise FetchFailed(f"{text} answered {answer.status}, not 200.", field=field)
    return answer.text


def _ask(
    text: str, wire: Wire, field: str, headers: Mapping[str, str], body: bytes | None
) -> fetching.Answer:
    return fetching.ask(
        _address(text, wire, field),
        allow_loopback=wire.allow_loopback,
        field=field,
        headers=headers,
        body=body,
        version="1.1",
        lookup=wire.lookup,
        largest=LARGEST,
    )


def _object(text: str, what: str, field: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProviderFailed(
            f"{what} is no JSON object: is there an OpenID Connect provider at all?", field=field
        )
    return found


def _listed(document: Mapping[str, Any], name: str, default: list[str]) -> list[str]:
    found = document.get(name, default)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else default
