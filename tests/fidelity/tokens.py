"""Every valid operator, account and user JWT of the golden data; also with unknown fields in all their objects."""

from __future__ import annotations

import json
import re
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any

from identities.claims import codec, gojson, validate
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.operator import OperatorBody
from identities.claims.user import UserBody
from identities.nkeys import KeyPair, kind_of
from tests.goldens import GOLDEN, seeds

BODIES: dict[str, type] = {"operator": OperatorBody, "account": AccountBody, "user": UserBody}
NOW = 1_795_500_000
"""A moment after the golden tokens were made."""
UNKNOWN = {"x_number": 1.5, "x_list": [{"b": 1, "a": None}, 1e3], "x_object": {"<&>": "é\u2028"}}
_MAPS = frozenset({"revocations", "mappings", "tiered_limits"})
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


@dataclass(frozen=True)
class Token:
    """A golden token. `name` says where it stands; `sprinkled` holds unknown fields everywhere besides."""

    name: str
    text: str
    sprinkled: bool = False

    @property
    def decoded(self) -> codec.Token:
        return _decoded(self.text)

    @property
    def kind(self) -> str:
        return self.decoded.type

    @property
    def claims(self) -> Claims[Any]:
        return self.decoded.claims

    def __str__(self) -> str:
        return f"{self.kind}-{self.name}{'-sprinkled' if self.sprinkled else ''}"


@cache
def _decoded(text: str) -> codec.Token:
    return codec.decode(text)


@cache
def tokens() -> tuple[Token, ...]:
    """Every operator, account and user JWT anywhere in the golden data that the Go library finds no error in, and would
    write: there is one whose subject is of the wrong kind, which comes in by no door.
    """
    found: dict[str, Token] = {}
    for path in sorted(GOLDEN.rglob("*")):
        if path.is_file():
            for number, text in enumerate(_JWT.findall(path.read_text(errors="replace"))):
                where = f"{path.relative_to(GOLDEN)}-{number}" if number else str(path.relative_to(GOLDEN))
                if text not in found and _is_valid(text):
                    found[text] = Token(where, text)
    return tuple(found.values())


def _is_valid(text: str) -> bool:
    try:
        token = _decoded(text)
    except codec.ClaimsError:
        return False
    if token.type not in BODIES or kind_of(token.claims.sub) != token.type:
        return False
    return not validate.validate(token.claims, now=NOW).blocking


@cache
def sprinkled() -> tuple[Token, ...]:
    """The same with unknown fields at both ends of every object, where the issuer's seed is at hand."""
    return tuple(
        Token(token.name, _sprinkled(token), sprinkled=True)
        for token in tokens()
        if token.claims.iss in seeds() and token.decoded.version == 2
    )


def _sprinkled(token: Token) -> str:
    payload = gojson.dumps(_foreign(gojson.loads(token.decoded.payload.encode())))
    signed = f"{codec.segments.HEADER_SEGMENT}.{codec.segments.encode(payload.encode())}"
    signer = KeyPair.from_seed(seeds()[token.claims.iss])
    return f"{signed}.{codec.segments.encode(signer.sign(signed.encode()))}"


def _foreign(tree: Any, key: str = "") -> Any:
    if isinstance(tree, dict):
        inside = {name: _foreign(value, name) for name, value in tree.items()}
        if key in _MAPS:
            return inside
        return {"x_first": [True], **inside, **typing.cast(Any, gojson.loads(json.dumps(UNKNOWN).encode()))}
    return [_foreign(item) for item in tree] if isinstance(tree, list) else tree
