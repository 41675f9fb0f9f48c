"""What is asked of a JWT before it is sent: full resolvers store what strangers signed and what has expired, too."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from identities.claims import codec, trust, validate
from identities.claims.bodies import CLAIMS
from identities.claims.common import Claims
from identities.claims.errors import ClaimsError
from identities.claims.report import Grade
from identities.models import HoldingState

UNTRUSTED = (
    "It has it and does not go by it: it runs with an operator JWT that does not name the key that signed it. "
    "Restart it with the operator's present configuration, or sign the account by a key that it knows."
)
"""Of a server that stores what it was sent, or would fetch it, signed by a key that it does not trust (spec §9.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """The JWT that an account's servers are to hold."""

    account: str
    name: str
    text: str
    jti: str
    iat: int
    exp: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """A JWT that a server holds: `iat` is -1 when it can't be read."""

    text: str
    digest: str
    jti: str = ""
    iat: int = -1
    exp: int = 0

    def against(self, ours: Ours) -> HoldingState:
        """How it stands to ours; the texts decide, since `jti` ignores the body (spec §9.1)."""
        if self.text == ours.text:
            return HoldingState.SAME
        if self.iat > ours.iat:
            return HoldingState.NEWER
        return HoldingState.OLDER if self.iat < ours.iat else HoldingState.DIFFERENT


def digest(text: str) -> str:
    """The SHA-256 (hex) of a JWT's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def theirs(text: str) -> Theirs:
    """Read a JWT that a server holds, as far as it can be read."""
    try:
        claims = codec.from_payload(codec.payload_of(text))
    except ClaimsError:
        return Theirs(text=text, digest=digest(text))
    return Theirs(text=text, digest=digest(text), jti=claims.jti, iat=claims.iat, exp=claims.exp)


def is_plainly_older(text: str, ours: Ours) -> bool:
    """Whether a JWT that a server holds was issued before ours, where that is told without reading all of it."""
    try:
        found = json.loads(codec.payload_of(text))
    except (ClaimsError, ValueError, RecursionError):
        return False
    if type(found) is not dict or not found.keys() <= CLAIMS.fields.keys():  # Go reads keys in any case
        return False
    return type(found.get("iat")) is int and 0 < found["iat"] < ours.iat


def why_not(operator: Claims[Any], claims: Claims[Any], *, now: int) -> str:
    """Why servers would not go by these account claims, in words for people; "" when they would."""
    if not trust.did_sign(operator, claims):
        if claims.iss == operator.sub:
            return "It is signed by the operator's identity key, but the operator requires signing keys. Sign it anew."
        return f"It is signed by {claims.iss}, which is no key of the operator (any more). Sign it anew."
    if claims.exp and claims.exp <= now:
        return (
            "It has expired: servers would drop the account's clients and delete it. Give it a later expiry."
        )
    wrong = [issue.message for issue in validate.validate(claims, now=now) if issue.grade is Grade.ERROR]
    return f"Servers would refuse it: {'; '.join(dict.fromkeys(wrong))}." if wrong else ""
