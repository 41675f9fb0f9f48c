"""Claims of every kind with keys to sign them, and tokens signed by hand over whatever is to be read."""

from __future__ import annotations

from identities.claims import segments
from identities.claims.account import AccountBody
from identities.claims.activation import ActivationBody
from identities.claims.authorization import AuthorizationRequestBody, AuthorizationResponseBody
from identities.claims.common import Claims
from identities.claims.generic import GenericBody
from identities.claims.operator import OperatorBody
from identities.claims.user import UserBody
from identities.nkeys import KeyKind, KeyPair

NOW = 1_800_000_000
OPERATOR, ACCOUNT, USER, SERVER = (
    KeyPair(kind, bytes([number]) * 32)
    for number, kind in enumerate([KeyKind.OPERATOR, KeyKind.ACCOUNT, KeyKind.USER, KeyKind.SERVER])
)
PLAIN_USER = Claims(name="u", sub=USER.public.text, nats=UserBody())
BODIES = {
    "operator": (OperatorBody(), OPERATOR, OPERATOR),
    "account": (AccountBody(), OPERATOR, ACCOUNT),
    "user": (UserBody(), ACCOUNT, USER),
    "activation": (ActivationBody(), ACCOUNT, ACCOUNT),
    "authorization_request": (AuthorizationRequestBody(), SERVER, ACCOUNT),
    "authorization_response": (AuthorizationResponseBody(), ACCOUNT, USER),
    "generic": (GenericBody(), USER, USER),
}


def signed(payload: str | bytes, signer: KeyPair, *, header: str = segments.HEADER_SEGMENT) -> str:
    data = payload.encode() if isinstance(payload, str) else payload
    text = f"{header}.{segments.encode(data)}"
    return f"{text}.{segments.encode(signer.sign(text.encode()))}"


def user_payload(nats: str = "", common: str = "") -> str:
    """A user's payload with more members in it."""
    return (
        f'{{"iss":"{ACCOUNT.public}","sub":"{USER.public}"{common},'
        f'"nats":{{"pub":{{}},"sub":{{}}{nats},"type":"user","version":2}}}}'
    )
