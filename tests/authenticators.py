"""What a person has beside a password: an app that shows codes, and a key or phone that holds passkeys.

`Passkeys` is WebAuthn written once more from the standard (§6.1, §6.5): it shares no code with what checks it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import struct
import time
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from identities.models import Person
from identities.policy.principal import Principal
from identities.services import clock, second_factors

AHEAD = 3
"""Seconds that setting up an app may take on a loaded machine."""
ORIGIN = "http://localhost:8000"
_PRESENT, _VERIFIED, _HOLDS_KEY = 0x01, 0x04, 0x40


def encoded(plain: bytes) -> str:
    return base64.urlsafe_b64encode(plain).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class App:
    """An authenticator app that was set up: it shows the code of `steps` half minutes from now."""

    key: str

    def code(self, steps: int = 0) -> str:
        return second_factors.code_at(self.key, clock.unix() // second_factors.PERIOD + steps)


def app_of(principal: Principal) -> tuple[App, list[str]]:
    """An app, set up with a code that is a step old already, and the recovery codes that came with it."""
    while time.time() % second_factors.PERIOD > second_factors.PERIOD - AHEAD:
        time.sleep(0.2)  # by the next half minute that code would be too old
    pending = second_factors.new_secret(principal)
    app = App(second_factors.key_of(principal, pending))
    return app, second_factors.add_app(principal=principal, pending=pending, code=app.code(-1))


@dataclass
class Passkeys:
    """A key or phone with passkeys of several people; `verifies`: it checks a PIN or a finger."""

    origin: str = ORIGIN
    verifies: bool = True
    counts: bool = True
    count: int = 0
    held: dict[bytes, tuple[ec.EllipticCurvePrivateKey, bytes]] = field(default_factory=dict)

    def make(self, options: dict[str, Any]) -> str:
        """The answer to `navigator.credentials.create`."""
        asked = options["publicKey"]
        identifier, key = secrets.token_bytes(16), ec.generate_private_key(ec.SECP256R1())
        self.held[identifier] = key, decoded(asked["user"]["id"])
        point = key.public_key().public_numbers()
        cose = _map({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")})
        told = self._told(asked["rp"]["id"], _HOLDS_KEY)
        told += bytes(16) + struct.pack(">H", len(identifier)) + identifier + cose
        seen = self._seen("webauthn.create", asked["challenge"])
        attested = _map({"fmt": "none", "attStmt": {}, "authData": told})
        return _answer(identifier, clientDataJSON=seen, attestationObject=attested)

    def use(self, options: dict[str, Any], identifier: bytes | None = None) -> str:
        """The answer to `navigator.credentials.get`, with the newest passkey unless told otherwise."""
        asked = options["publicKey"]
        chosen = identifier or list(self.held)[-1]
        key, handle = self.held[chosen]
        told, seen = self._told(asked["rpId"]), self._seen("webauthn.get", asked["challenge"])
        signed = key.sign(told + hashlib.sha256(seen).digest(), ec.ECDSA(SHA256()))
        return _answer(
            chosen, clientDataJSON=seen, authenticatorData=told, signature=signed, userHandle=handle
        )

    def _told(self, host: str, more: int = 0) -> bytes:
        self.count += self.counts
        flags = _PRESENT | more | (_VERIFIED if self.verifies else 0)
        return hashlib.sha256(host.encode()).digest() + struct.pack(">BI", flags, self.count)

    def _seen(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()


def _answer(identifier: bytes, **parts: bytes) -> str:
    response = {name: encoded(part) for name, part in parts.items()}
    named = encoded(identifier)
    return json.dumps({"id": named, "rawId": named, "type": "public-key", "response": response})


def _map(values: dict[Any, Any]) -> bytes:
    """CBOR of what WebAuthn needs of it. Source: RFC 8949 §3."""
    head = bytes([0xA0 | len(values)])
    return head + b"".join(_item(key) + _item(value) for key, value in values.items())


def _item(value: Any) -> bytes:
    match value:
        case dict():
            return _map(value)
        case int():
            return _head(0, value) if value >= 0 else _head(1, -1 - value)
        case str():
            return _head(3, len(value)) + value.encode()
        case _:
            return _head(2, len(value)) + value


def _head(kind: int, number: int) -> bytes:
    if number < 24:
        return bytes([kind << 5 | number])
    return (
        bytes([kind << 5 | 24, number])
        if number < 256
        else bytes([kind << 5 | 25]) + struct.pack(">H", number)
    )


def passkey_of(principal: Principal, held: Passkeys, name: str = "") -> list[str]:
    """One more passkey of a person in `held`; the recovery codes that came with it."""
    from identities.services import passkeys

    options, state = passkeys.begin_adding(principal=principal)
    return passkeys.add(principal=principal, name=name, state=state, credential=held.make(options))


def used_by(person: Person | None, held: Passkeys, identifier: bytes | None = None) -> Person:
    """Whom a passkey of `held` proves, at the second step of `person`, or of whomever."""
    from identities.services import passkeys

    options, state = passkeys.begin_using(person)
    answer = held.use(options, identifier)
    return passkeys.check(person=person, state=state, credential=answer, address="192.0.2.7")
