"""Which revocation entries of an account can go without letting anybody in again (spec §3.10, §9.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

EVERYONE = "*"
"""The key of the entry that revokes all users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """One JWT of a key that is known here: unix seconds, `exp` 0 = never; `imported`: it was not signed here."""

    iat: int
    exp: int
    imported: bool = False

    def works(self, now: int) -> bool:
        """True while it has not expired (Go: it is good up to and including the second `exp`)."""
        return not self.exp or self.exp >= now


def loosened(before: Mapping[str, int], after: Mapping[str, int]) -> tuple[str, ...]:
    """The entries of `before` that `after` lacks or has earlier, and does not cover with that for all users either."""
    everyone = after.get(EVERYONE, 0)
    return tuple(key for key, at in before.items() if max(after.get(key, 0), everyone) < at)


def kept(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """`after` with what it would loosen of `before`."""
    return {**after, **{key: before[key] for key in loosened(before, after)}}


class Verdict(Enum):
    """Why an entry may go or has to stay."""

    COVERED = "covered"
    EXPIRED = "expired"
    ALL_USERS = "all-users"
    IMPORTED = "imported"
    UNKNOWN = "unknown"
    LASTING = "lasting"
    SUSPENDED = "suspended"

    @property
    def drops(self) -> bool:
        """True when nobody is let in again by dropping the entry."""
        return self in (Verdict.COVERED, Verdict.EXPIRED)


def verdict(key: str, at: int, *, everyone: int, issued: Sequence[Issued], now: int) -> Verdict:
    """Whether the entry that revokes `key` up to `at` may go.

    `everyone` is the time of the entry for all users (0 = none), `issued` every JWT of the key that is known here.
    Of a key first seen by import, or never seen, there may be JWTs elsewhere: its entry stays.
    """
    if key == EVERYONE:
        return Verdict.ALL_USERS
    if at <= everyone:
        return Verdict.COVERED
    if not issued:
        return Verdict.UNKNOWN
    if any(one.imported for one in issued):
        return Verdict.IMPORTED
    if any(one.iat <= at and one.works(now) for one in issued):
        return Verdict.LASTING
    return Verdict.EXPIRED
