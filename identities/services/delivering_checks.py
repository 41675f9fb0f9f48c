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
from identities.queries.known_tokens import NOTHING, Known
from identities.services import columns, signing

UNTRUSTED = (
    "It has it and does not go by it: it runs with an operator JWT that does not name the key that signed it. "
    "Restart it with the operator's present configuration, or sign the account by a key that it knows."
)
"""Of a server that stores what it was sent, or would fetch it, signed by a key that it does not trust (spec §9.5)."""

NOT_OURS = (
    "It has it and does not go by it: it is signed by {issuer}, which is no key of the operator (any more). "
    "Sign it anew."
)
"""Of a server that stores what it was sent, signed by a stranger or by a key that was removed."""
_TOLD_BY, _ROOM = 16, 64
"""How many hexadecimal digits of a digest tell what was overruled, and how many there is room for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """The JWT that an account's servers are to hold; `known` are those that were made here or taken over."""

    account: str
    name: str
    text: str
    jti: str
    iat: int
    exp: int
    digest: str
    known: Known = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """A JWT that a server holds: `iat` is -1 when it can't be read."""

    text: str
    digest: str
    jti: str = ""
    iat: int = -1
    exp: int = 0

    def against(self, ours: Ours) -> HoldingState:
        """How it stands to ours; the texts decide, since `jti` ignores the body (spec §9.1).

        An earlier one that was made elsewhere is different, not older: what it says is not known here.
        """
        if self.text == ours.text:
            return HoldingState.SAME
        if self.iat > ours.iat:
            return HoldingState.NEWER
        if self.iat == ours.iat or is_stranger(ours.known, self.iat, self.jti):
            return HoldingState.DIFFERENT
        return HoldingState.OLDER


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


def is_stranger(known: Known, iat: int, jti: str) -> bool:
    """Whether a JWT was made elsewhere since the account is known here; the ledger cuts what is no `jti`."""
    return known.is_stranger(iat, columns.cut(jti, signing.LONGEST_JTI))


def is_overruled(overrule: str, digest: str) -> bool:
    """Whether a person chose to replace the JWT of this digest: see `Delivery.overrule`."""
    return digest[:_TOLD_BY] in (overrule[at : at + _TOLD_BY] for at in range(0, len(overrule), _TOLD_BY))


def overruling(overrule: str, digest: str) -> str:
    """The same with one more, the last of those that there is room for."""
    return f"{digest[:_TOLD_BY]}{overrule}"[:_ROOM]


def is_plainly_older(text: str, ours: Ours) -> bool:
    """Whether a JWT that a server holds was issued before ours, where that is told without reading all of it.

    One that is not of our ledger is not: see `Theirs.against`.
    """
    try:
        found = json.loads(codec.payload_of(text))
    except (ClaimsError, ValueError, RecursionError):
        return False
    if type(found) is not dict or not found.keys() <= CLAIMS.fields.keys():  # Go reads keys in any case
        return False
    iat, jti = found.get("iat"), found.get("jti", "")
    if type(iat) is not int or type(jti) is not str or not 0 < iat < ours.iat:
        return False
    return not is_stranger(ours.known, iat, jti)


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
