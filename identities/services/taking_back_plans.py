"""What taking back would do, in one account and in all: the shapes that `taking_back` fills and pages show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from identities.models import Account, Handover, Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One key that somebody received creds of: revoked up to `at`. `short_lived`: no user of it is kept here."""

    key: str
    at: int
    issuer: str
    short_lived: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleShare:
    """A role that issued many of them: what another key of it would spare. `users` are kept here and signed anew."""

    key: str
    name: str
    entries: int
    users: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPlan:
    """What happens in one account. Sizes are bytes of its JWT; `refusal` says why nothing can ("" when it can).

    `others` names who received the same creds, `connected` counts the keys that servers last told of as connected.
    """

    account: Account
    held: tuple[Held, ...]
    replaced: tuple[RoleShare, ...] = ()
    offered: tuple[RoleShare, ...] = ()
    entries: Mapping[str, int]
    size_before: int
    size_after: int
    users: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    connected: int = 0
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All of it. `seeds` are keys that are no users', which only another key takes back; `left` are names of accounts
    that the one who asks may not revoke in.
    """

    recipient: str
    name: str
    accounts: tuple[AccountPlan, ...]
    seeds: tuple[Handover, ...] = ()
    left: tuple[str, ...] = ()
    known: bool = True
    """Whether anything was ever handed out to them, as far as the one who asks sees."""

    @property
    def workable(self) -> tuple[AccountPlan, ...]:
        """The accounts in which it can be done."""
        return tuple(one for one in self.accounts if not one.refusal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done: how many credentials in how many accounts, and the jobs that sign users anew."""

    revoked: int
    accounts: int
    jobs: tuple[Job, ...]
