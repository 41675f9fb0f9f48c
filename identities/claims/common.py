"""The claims that every NATS JWT has, around the body that differs by type (jwt/v2 `claims.go`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Body = TypeVar("Body", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims(Generic[Body]):
    """A NATS JWT's payload. Times are unix seconds, 0 = not set. `iat`, `iss` and `jti` are set by `codec.encode`.

    `source` is the parsed payload this was decoded from (None for claims made here): encoding patches it, so
    that whatever this version does not know, and whatever was not edited, stays exactly as it was.
    """

    nats: Body
    aud: str = ""
    exp: int = 0
    jti: str = ""
    iat: int = 0
    iss: str = ""
    name: str = ""
    nbf: int = 0
    sub: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)
    source: Mapping[str, object] | None = field(default=None, compare=False, repr=False)
