"""What a server's JWT of an account is, measured against the one that it is to hold. Pure: texts and times alone."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, replace
from enum import StrEnum


class State(StrEnum):
    """How what is there compares."""

    SAME = "same"
    MISSING = "missing"
    DELETED = "deleted"
    OLDER = "older"
    NEWER = "newer"
    DIFFERENT = "different"
    EXTRA = "extra"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of one account on one server.

    `listed` is None when the server does not list accounts, or not all that it may use; `text` is None when its JWT is
    not proven to be there. `sought`: it was made to look for the account where it has accounts from, and has none.
    `before`: it was seen to hold one the last time. `ended`: the JWT that it was last seen to hold, where that has
    expired by now.
    """

    listed: bool | None
    text: str | None = None
    sought: bool = False
    before: bool = False
    ended: Judged | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The state, and which JWT is there: its digest, `jti`, `iat` and `exp` (0: none), empty when nobody knows.

    Of an account that is expired there it is the JWT that was there.
    """

    state: State
    digest: str = ""
    jti: str = ""
    iat: int = 0
    exp: int = 0


def digest(text: str) -> str:
    """SHA-256 (hex) of a JWT's text: `jti` ignores the body, so texts are compared."""
    return hashlib.sha256(text.encode()).hexdigest()


def has_expired(text: str, now: int) -> bool:
    """Whether a JWT's time is over; one that can't be read has none."""
    return 0 < _claims(text)[2] <= now


def judge(wanted: str | None, seen: Seen, *, now: int) -> Judged:
    """Compare what is there with `wanted`, the JWT that it is to be (None: there is to be none).

    Of two JWTs the one issued later is newer; texts that differ with the same `iat` are different, neither is newer.
    An expired JWT that is not listed (any more) was removed by the server itself, or is about to be: what counts is the
    one that was there, whosever it was and whatever has been signed since. One that has not expired, and was there
    before, was deleted there.
    """
    if seen.listed is False:
        if seen.text:
            if has_expired(seen.text, now):
                return replace(_judge_text(wanted, seen.text), state=State.EXPIRED)
        elif seen.ended is not None:
            return replace(seen.ended, state=State.EXPIRED)
        elif wanted is not None and has_expired(wanted, now):
            return Judged(state=State.EXPIRED)
        elif wanted is not None:
            return Judged(state=State.DELETED if seen.before else State.MISSING)
    if seen.text is not None and seen.text != "":
        return _judge_text(wanted, seen.text)
    if seen.listed is None:
        return Judged(state=_sought(wanted, now) if seen.sought else State.UNKNOWN)
    if wanted is None:
        return Judged(state=State.EXTRA if seen.listed else State.SAME)
    return Judged(state=State.UNKNOWN)


def _sought(wanted: str | None, now: int) -> State:
    """Where a server that stores no accounts of its own looked for one in vain: servers load none that has expired."""
    if wanted is None:
        return State.SAME
    return State.EXPIRED if has_expired(wanted, now) else State.MISSING


def _judge_text(wanted: str | None, text: str) -> Judged:
    jti, iat, exp = _claims(text)
    if wanted is None:
        state = State.EXTRA
    elif text == wanted:
        state = State.SAME
    else:
        ours = _claims(wanted)[1]
        state = State.NEWER if iat > ours else State.OLDER if iat < ours else State.DIFFERENT
    return Judged(state=state, digest=digest(text), jti=jti, iat=iat, exp=exp)


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
