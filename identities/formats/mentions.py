"""Which public keys a text names: a key alone, a line of a server's log, or JWTs, whose claims are read for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from identities.claims import codec
from identities.nkeys import kind_of

LONGEST: Final = 64 * 1024
MOST: Final = 50
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")
_KEY = re.compile(r"(?<![A-Za-z0-9])[A-Z][A-Z2-7]{55}(?![A-Za-z0-9])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """One key, and as what a JWT names it ("" where it stands in the text itself)."""

    key: str
    role: str = ""


def find(text: str) -> tuple[Mention, ...]:
    """Every public key in `text`, each once, at most fifty; what JWTs say is not verified here."""
    text = text[:LONGEST]
    found: dict[str, Mention] = {}
    for mention in (*_in_jwts(text), *_plain(without_jwts(text))):
        if kind_of(mention.key) is not None:
            found.setdefault(mention.key, mention)
        if len(found) >= MOST:
            break
    return tuple(found.values())


def without_jwts(text: str) -> str:
    """The text, with a blank in the place of each JWT."""
    return _JWT.sub(" ", text)


def holds_jwt(text: str) -> bool:
    """Whether there is a JWT in `text`, which may be a bearer's and log in alone."""
    return _JWT.search(text) is not None


def _in_jwts(text: str) -> Iterator[Mention]:
    for match in _JWT.finditer(text):
        claims = codec.peek(match[0]).claims
        if claims is None:
            continue
        yield Mention(key=claims.sub, role="whom a JWT is for")
        account = getattr(claims.nats, "issuer_account", "")
        if account:
            yield Mention(key=account, role="the account of a JWT")
        yield Mention(key=claims.iss, role="who issued a JWT")


def _plain(text: str) -> Iterator[Mention]:
    return (Mention(key=match[0]) for match in _KEY.finditer(text))
