"""What a server's JWT of an account is, measured against the one that it is to hold. Pure: texts and times alone."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How what is there compares."""

    SAME = "same"
    MISSING = "missing"
    OLDER = "older"
    NEWER = "newer"
    DIFFERENT = "different"
    EXTRA = "extra"
    EXPIRED = "expired"
    LAZY = "lazy"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of one account on one server.

    `listed` is None when the server does not list accounts; `text` is None when its JWT is not proven to be there, and
    `unloaded` says that the server has not loaded the account.
    """

    listed: bool | None
    text: str | None = None
    unloaded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The state, and which JWT is there: its digest, `jti` and `iat`, empty when nobody knows."""

    state: State
    digest: str = ""
    jti: str = ""
    iat: int = 0


def digest(text: str) -> str:
    """SHA-256 (hex) of a JWT's text: `jti` ignores the body, so texts are compared."""
    return hashlib.sha256(text.encode()).hexdigest()


def judge(wanted: str | None, seen: Seen, *, now: int) -> Judged:
    """Compare what is there with `wanted`, the JWT that it is to be (None: there is to be none).

    Of two JWTs the one issued later is newer; texts that differ with the same `iat` are different, neither is newer.
    An expired JWT that is not listed (any more) was removed by the server itself, or is about to be.
    """
    if wanted is not None and seen.listed is False and seen.text in (None, "", wanted):
        if 0 < _claims(wanted)[2] <= now:
            return Judged(state=State.EXPIRED)
        if not seen.text:
            return Judged(state=State.MISSING)
    if seen.text is not None and seen.text != "":
        return _judge_text(wanted, seen.text)
    if seen.listed is None:
        return Judged(state=State.LAZY if seen.unloaded else State.UNKNOWN)
    if wanted is None:
        return Judged(state=State.EXTRA if seen.listed else State.SAME)
    return Judged(state=State.UNKNOWN)


def _judge_text(wanted: str | None, text: str) -> Judged:
    jti, iat, _ = _claims(text)
    if wanted is None:
        state = State.EXTRA
    elif text == wanted:
        state = State.SAME
    else:
        ours = _claims(wanted)[1]
        state = State.NEWER if iat > ours else State.OLDER if iat < ours else State.DIFFERENT
    return Judged(state=state, digest=digest(text), jti=jti, iat=iat)


def _claims(text: str) -> tuple[str, int, int]:
    """`jti`, `iat` and `exp` of a JWT; nothing is verified, and what can't be read is empty."""
    try:
        part = text.split(".")[1]
        payload = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError, RecursionError):
        return "", 0, 0
    if not isinstance(payload, dict):
        return "", 0, 0
    jti, iat, exp = payload.get("jti"), payload.get("iat"), payload.get("exp")
    return jti[:64] if isinstance(jti, str) else "", _whole(iat), _whole(exp)


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**62 else 0
