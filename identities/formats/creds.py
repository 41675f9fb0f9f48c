"""Creds files: a user's JWT and seed in nsc's 13 lines, and whatever a person may paste as one."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass

from identities.formats.errors import FormatError
from identities.nkeys import KeyPair, NkeyError, SecretBytes, looks_like_seed

LARGEST_TEXT = 1024 * 1024

_TEMPLATE = """-----BEGIN NATS USER JWT-----
{jwt}
------END NATS USER JWT------

************************* IMPORTANT *************************
NKEY Seed printed below can be used to sign and prove identity.
NKEYs are sensitive and should be treated as secrets.

-----BEGIN USER NKEY SEED-----
{seed}
------END USER NKEY SEED------

*************************************************************
"""
_JWT = re.compile(r"ey[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_CONTENT = re.compile(r"[\w\-.=]+", re.ASCII)
_SEED_STARTS = ("SO", "SA", "SU")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedCreds:
    """What a creds text holds: `jwt` is "" when it holds only a seed, `seed` None when it holds only a JWT."""

    jwt: str
    seed: SecretBytes | None


def format_creds(jwt: str, seed: SecretBytes | KeyPair) -> str:
    """Write a creds file, byte for byte as nsc does, after checking that the two belong together.

    `jwt` is a user JWT whose signature was checked when it was made or taken in; `seed` the 58-character text, or the
    user's key pair where it is at hand (which spares deriving the public key again). Raises: FormatError.
    Source: jwt/v2 `creds_utils.go FormatUserConfig`; nats-jwt.md §5.1.
    """
    subject = _user_subject(jwt)
    if isinstance(seed, KeyPair):
        return _checked(jwt, subject, seed)
    if seed.reveal()[:2] != b"SU":
        raise FormatError(
            "Creds need a user's seed (it starts with SU); this is another kind of key.", field="seed"
        )
    try:
        pair = KeyPair.from_seed(seed)
    except NkeyError as wrong:
        raise FormatError("The user's seed is damaged; its checksum is wrong.", field="seed") from wrong
    try:
        return _checked(jwt, subject, pair)
    finally:
        pair.wipe()


def _checked(jwt: str, subject: str, pair: KeyPair) -> str:
    if pair.public.text != subject:
        raise FormatError(
            f"The seed's public key {pair.public.text} is not the JWT's subject {subject}: "
            "nkey seed does not match the jwt subject.",
            field="seed",
        )
    with pair.seed() as seed:
        return _TEMPLATE.format(jwt=jwt, seed=seed.reveal().decode("ascii"))


def _user_subject(jwt: str) -> str:
    if _JWT.fullmatch(jwt) is None:
        raise FormatError("This is no JWT: three base64url parts joined by dots are expected.", field="jwt")
    body = jwt.split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        kind = claims["nats"].get("type", claims.get("type"))  # v1 tokens have it beside `nats`
        subject = claims["sub"]
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        raise FormatError("This JWT's payload holds no NATS claims.", field="jwt") from None
    if kind != "user":
        raise FormatError("Creds hold a user's JWT; this one is of another type.", field="jwt")
    return str(subject)


def parse_creds(text: str) -> ParsedCreds:
    """Read a creds file, a bare JWT, a decorated JWT or a seed, as tolerantly as the Go libraries do.

    Accepts CRLF, text around and between the blocks, three or more dashes, blanks around lines and a missing last
    line end. Nothing is verified beyond the form of the seed. Raises: FormatError.
    Source: jwt/v2 `creds_utils.go ParseDecoratedJWT, ParseDecoratedNKey`; nats-jwt.md §5.1.
    """
    if len(text) > LARGEST_TEXT:
        raise FormatError("This text is larger than 1 MiB; a creds file has a few kilobytes.", field="creds")
    lines = [line.strip() for line in text.removeprefix("\N{BYTE ORDER MARK}").split("\n")]
    blocks = _blocks(lines)
    jwt = next((block for block in blocks if _JWT.fullmatch(block)), "")
    if not jwt and not blocks:
        jwt = next((line for line in lines if _JWT.fullmatch(line)), "")
    seed = next((block for block in blocks if block[:2] in _SEED_STARTS and looks_like_seed(block)), "")
    if not seed:
        seed = next((line for line in lines if line[:2] in _SEED_STARTS and looks_like_seed(line)), "")
    if not jwt and not seed:
        raise FormatError(
            "No JWT and no seed found here. Paste a whole creds file, or a JWT alone.", field="creds"
        )
    return ParsedCreds(jwt=jwt, seed=SecretBytes(seed.encode("ascii")) if seed else None)


def _blocks(lines: list[str]) -> list[str]:
    """The single lines between two fences; a fence closes one block only, so a following block needs its own."""
    found = []
    position = 1
    while position < len(lines) - 1:
        if (
            _fence(lines[position - 1])
            and _fence(lines[position + 1])
            and _CONTENT.fullmatch(lines[position])
        ):
            found.append(lines[position])
            position += 2
        position += 1
    return found


def _fence(line: str) -> bool:
    return len(line) >= 6 and line.endswith("---") and line.startswith("---")
