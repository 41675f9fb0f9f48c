"""Tokens between their dashes, as nsc writes and reads them."""

from __future__ import annotations

from identities.formats import creds
from identities.formats.errors import FormatError


def decorated_jwt(token: str, kind: str) -> str:
    """A JWT of `kind` (activation, account, …) in the lines of `nsc generate activation`.

    Source: jwt/v2 `creds_utils.go DecorateJWT`; nats-jwt.md §5.1.
    """
    word = kind.upper().replace(" ", "_")
    return f"-----BEGIN NATS {word} JWT-----\n{token}\n------END NATS {word} JWT------\n\n"


def bare_jwt(text: str, *, field: str) -> str:
    """The one JWT in a text, with its dashes or without.

    Raises: FormatError, which never repeats the text.
    """
    try:
        found = creds.parse_creds(text)
    except FormatError:
        found = None
    if found is not None and found.seed is not None:
        found.seed.wipe()
    if found is None or not found.jwt:
        raise FormatError(
            "There is no JWT in this: a token is one line of three parts joined by dots, with or without the dashes "
            "around it.",
            field=field,
        )
    return found.jwt
