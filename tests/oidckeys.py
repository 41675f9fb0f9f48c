"""Keys and tokens of OpenID Connect providers, made with PyJWT as providers make them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ISSUER = "https://login.example.com"
CLIENT = "nscweb"


@cache
def rsa_key(bits: int = 2048, number: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def jwk(key: Any, kid: str | None, **more: Any) -> dict[str, Any]:
    """The public half as a JSON Web Key."""
    kinds: list[tuple[type, Any]] = [
        (rsa.RSAPrivateKey, jwt.algorithms.RSAAlgorithm),
        (ec.EllipticCurvePrivateKey, jwt.algorithms.ECAlgorithm),
        (ed25519.Ed25519PrivateKey, jwt.algorithms.OKPAlgorithm),
    ]
    algorithm = next(found for kind, found in kinds if isinstance(key, kind))
    found = {**json.loads(algorithm.to_jwk(key.public_key())), "use": "sig", **more}
    found.pop("key_ops", None)
    return found if kid is None else {**found, "kid": kid}


def jwks(*keys: dict[str, Any]) -> str:
    return json.dumps({"keys": list(keys)})


def token(
    claims: dict[str, Any], *, key: Any = None, algorithm: str = "RS256", kid: str | None = "k1"
) -> str:
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode(claims, key or rsa_key(), algorithm=algorithm, headers=headers)
