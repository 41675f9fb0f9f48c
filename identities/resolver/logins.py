"""Who logs in with a user JWT that a server tells of. The JWT itself is dropped here: a bearer's alone logs in."""

from __future__ import annotations

from dataclasses import dataclass

from identities.claims import codec
from identities.claims.errors import ClaimsError
from identities.claims.user import UserBody

_LONGEST_JWT = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a user JWT says of its holder: keys, name, and Unix seconds (0 = none). All "" and 0 when it is none."""

    user: str = ""
    account: str = ""
    issuer: str = ""
    name: str = ""
    issued: int = 0
    expires: int = 0
    not_before: int = 0


NOBODY = Login()


def presented(value: object) -> Login:
    """What the JWT says that a client logged in with, or tried to; a signature that is not its issuer's tells nothing.

    Whether the issuer is one of the account's keys is not asked.
    """
    if not isinstance(value, str) or not value or len(value) > _LONGEST_JWT:
        return NOBODY
    try:
        claims = codec.decode(value).claims
    except ClaimsError:
        return NOBODY
    if not isinstance(claims.nats, UserBody):
        return NOBODY
    return Login(
        user=claims.sub,
        account=claims.nats.issuer_account or claims.iss,
        issuer=claims.iss,
        name=claims.name,
        issued=claims.iat,
        expires=claims.exp,
        not_before=claims.nbf,
    )
