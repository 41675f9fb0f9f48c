"""Tokens of OpenID Connect providers: the signature first, then who made it, for whom, and when. Pure.

OpenID Connect Core 1.0 §3.1.3.7 and RFC 8725 (best practices for JWTs).
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from identities.resolver.errors import ResolverError
from identities.resolver.oidc import ALGORITHMS

LEEWAY = 60
"""Seconds that the clocks may be apart."""
LONGEST = 64 * 1024
OLDEST = 24 * 3600
"""Seconds after which a token is too old, whatever it says of its end."""
LONGEST_SUBJECT = 255
_KINDS = {"RSA": ("RS", "PS"), "EC": ("ES",), "OKP": ("EdDSA",)}
_LEAST_RSA_BITS = 2048


class TokenRefused(ResolverError):
    """A token that proves nothing here; says why, never what is in it."""

    code = "token-refused"


class UnknownKey(TokenRefused):
    """A token signed by a key that is not among those known: the provider may have a newer list."""

    code = "unknown-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a token must say: who made it, for whom, and (of a sign-in) in answer to which request."""

    issuer: str
    audience: str
    nonce: str = ""
    single_audience: bool = False


def issuer_of(token: str) -> str:
    """Who a token says that it is from, unchecked: only for finding whose keys to check it with. "" for nobody."""
    try:
        found = jwt.decode(token, options={"verify_signature": False}) if len(token) <= LONGEST else {}
    except (jwt.PyJWTError, RecursionError):
        return ""
    said = found.get("iss")
    return said if isinstance(said, str) else ""


def verify(token: str, keys: str, *, wanted: Wanted, now: int) -> Mapping[str, Any]:
    """The claims of a token that one of `keys` (a JSON Web Key Set) signed, and that says what is `wanted`.

    Raises: UnknownKey, TokenRefused.
    """
    if len(token) > LONGEST:
        raise TokenRefused("The token is larger than any that a provider makes.")
    key, algorithm = _key(token, keys)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key=key,
            algorithms=[algorithm],
            options={
                "verify_exp": False,  # by our own clock, below
                "verify_nbf": False,
                "verify_iat": False,
                "verify_iss": False,
                "verify_aud": False,
                "verify_sub": False,
                "verify_jti": False,
            },
        )
    except (jwt.PyJWTError, RecursionError, ValueError, TypeError):
        raise TokenRefused("The token's signature is not that of the provider.") from None
    _check_parties(claims, wanted)
    _check_times(claims, now)
    return claims


def words_of(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The texts of a claim that is a text or a list of them, such as groups; a dot leads into objects."""
    found: Any = claims
    for step in [name] if name in claims else name.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return (found,)
    return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else ()


def _key(token: str, keys: str) -> tuple[Any, str]:
    """The key that the token names, and the algorithm that it says; both fit each other."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, RecursionError, ValueError):
        raise TokenRefused("That is no JSON Web Token.") from None
    algorithm, named = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise TokenRefused("The token is not signed by a private key: nobody can be told by it.")
    if "crit" in header:
        raise TokenRefused("The token asks for something that is not understood here.")
    fitting = [each for each in _listed(keys) if _fits(each, str(algorithm), named)]
    if not fitting:
        raise UnknownKey("The token is signed by a key that the provider does not list.")
    if len(fitting) > 1:
        raise TokenRefused("The token does not say which of the provider's keys signed it.")
    try:
        key = jwt.PyJWK(dict(fitting[0]), algorithm=str(algorithm)).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        raise TokenRefused("The provider's key is malformed.") from None
    if getattr(key, "key_size", _LEAST_RSA_BITS) < _LEAST_RSA_BITS and fitting[0]["kty"] == "RSA":
        raise TokenRefused(f"The provider's key is weaker than {_LEAST_RSA_BITS} bits.")
    return key, str(algorithm)


def _listed(keys: str) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(keys)
    except (ValueError, RecursionError):
        return []
    listed = found.get("keys") if isinstance(found, dict) else None
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _fits(key: Mapping[str, Any], algorithm: str, named: object) -> bool:
    if named is not None and key.get("kid") != named:
        return False
    if key.get("use", "sig") != "sig" or key.get("alg", algorithm) != algorithm:
        return False
    return algorithm.startswith(_KINDS.get(str(key.get("kty")), ("-",)))


def _check_parties(claims: Mapping[str, Any], wanted: Wanted) -> None:
    if claims.get("iss") != wanted.issuer:
        raise TokenRefused("The token was made by another provider.")
    audience = claims.get("aud")
    audiences: Collection[object] = audience if isinstance(audience, list) else [audience]
    if wanted.audience not in audiences:
        raise TokenRefused("The token was made for somebody else.")
    if wanted.single_audience and len(audiences) != 1:
        raise TokenRefused("The token was made for others too, who could use it here.")
    party = claims.get("azp")
    if wanted.nonce and ((party is None and len(audiences) > 1) or party not in (None, wanted.audience)):
        raise TokenRefused("The token was given to somebody else.")
    nonce = claims.get("nonce")
    if wanted.nonce and (
        not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), wanted.nonce.encode())
    ):
        raise TokenRefused("The token answers another sign-in than this one.")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise TokenRefused("The token does not say who it is about.")


def _check_times(claims: Mapping[str, Any], now: int) -> None:
    expires, issued, not_before = (_seconds(claims, name) for name in ("exp", "iat", "nbf"))
    if expires is None or issued is None:
        raise TokenRefused("The token does not say when it was made and until when it is good.")
    if expires + LEEWAY <= now:
        raise TokenRefused("The token has expired.")
    if max(issued, not_before or 0) - LEEWAY > now:
        raise TokenRefused("The token is not good yet: is a clock wrong?")
    if issued + OLDEST <= now:
        raise TokenRefused("The token was made too long ago.")


def _seconds(claims: Mapping[str, Any], name: str) -> float | None:
    found = claims.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not abs(found) < 2**53:
        raise TokenRefused("The token does not say its times in seconds.")
    return found
