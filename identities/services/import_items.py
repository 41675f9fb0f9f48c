"""What a plan of an import is made of: each JWT that comes in, what would become of it, and under whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from identities.claims import names
from identities.claims.common import Claims
from identities.errors import IdentityError
from identities.models import Key
from identities.services.import_known import Known, KnownKey
from identities.services.import_notes import Notes
from identities.services.import_reading import Incoming

OLDER = "is older than the one here, which stays"
SAME_SECOND = "was issued in the same second as the one here, which stays"
STAYS = (OLDER, SAME_SECOND)
"""Why a JWT is not taken over the one that is here."""


class State(StrEnum):
    """What would become of a JWT."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    OLDER = "older"
    ASK = "ask"
    """Its name is another's: it comes in under the name that somebody gives, or not at all."""
    LEFT = "left"

    @property
    def writes(self) -> bool:
        """Whether rows are written for it."""
        return self in (State.NEW, State.CHANGED)

    @property
    def stays_out(self) -> bool:
        """Whether nothing of it will be here."""
        return self in (State.ASK, State.LEFT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What somebody decided. `only`: of all operators that were brought this one alone (name or key). `under`: the
    operator here that accounts without a known operator belong to. `leave`: operators that are left out. `renames`
    gives names by key where they collide; `resign` names accounts that the operator signs anew, "*" for all.
    """

    only: str = ""
    under: str = ""
    leave: frozenset[str] = frozenset()
    renames: Mapping[str, str] = field(default_factory=dict)
    resign: frozenset[str] = frozenset()


@dataclass(slots=True, kw_only=True)
class Item:
    """One JWT. `why` says why it stays out or as it is; `issuer_says` why servers refuse it for its issuer's sake."""

    incoming: Incoming
    state: State = State.NEW
    name: str
    why: str = ""
    issuer_says: tuple[str, ...] = ()
    known: Known | None = None

    def stop(self, why: str, state: State = State.LEFT) -> None:
        """Keep it out."""
        self.state, self.why = state, why


@dataclass(slots=True, kw_only=True)
class Holder:
    """An operator or account as it will be after the import: brought (`item`), here already (`known`), or both."""

    key: str
    name: str
    claims: Claims[Any]
    known: Known | None = None
    item: Item | None = None
    parent: Holder | None = None
    accounts: list[Holder] = field(default_factory=list)
    users: list[Item] = field(default_factory=list)
    foreign: bool = False
    """An account that its operator did not sign."""

    @property
    def pk(self) -> int | None:
        """Its row's id, when it is here already."""
        return None if self.known is None else self.known.pk

    @property
    def operator(self) -> Holder:
        """The operator of an account, or an operator itself."""
        return self if self.parent is None else self.parent

    @property
    def writes(self) -> bool:
        """Whether its own row is written."""
        return self.item is not None and self.item.state.writes

    @property
    def brought(self) -> Item:
        """What came in of it. Raises: LookupError: nothing did."""
        if self.item is None:
            raise LookupError(self.key)
        return self.item

    @property
    def stays_out(self) -> bool:
        """Whether it will not be here."""
        return self.known is None and (self.item is None or self.item.state.stays_out)


@dataclass(slots=True, kw_only=True)
class Plan:
    """What an import would do. `fills` are keys here whose seeds came along; `has_seed` the keys whose seeds are here
    or come; `missing` pairs the others with what they are for."""

    operators: list[Holder] = field(default_factory=list)
    stray: list[Item] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)
    keys: dict[int, dict[str, KnownKey]] = field(default_factory=dict)
    fills: list[Key] = field(default_factory=list)
    brought: set[str] = field(default_factory=set)
    here: set[str] = field(default_factory=set)
    missing: list[tuple[str, str]] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    fingerprints: dict[int, tuple[object, ...]] = field(default_factory=dict)

    def accounts(self) -> Iterator[Holder]:
        """Every account, under whichever operator."""
        for operator in self.operators:
            yield from operator.accounts

    def items(self) -> Iterator[Item]:
        """Every JWT."""
        for operator in self.operators:
            if operator.item is not None:
                yield operator.item
            for account in operator.accounts:
                if account.item is not None:
                    yield account.item
                yield from account.users
        yield from self.stray

    @property
    def changes_nothing(self) -> bool:
        """Whether there is nothing to write."""
        return not self.fills and not any(item.state.writes for item in self.items())


def judge(item: Item, known: Known | None) -> None:
    """Compare what comes in with what is here: new, changed, unchanged or older."""
    item.known = known
    if known is None:
        return
    if known.deleted:
        was = {"account": "creds that were handed out or revoked then would work again"}.get(
            item.incoming.kind, "it may be revoked"
        )
        item.stop(f"its key belonged to the deleted {item.incoming.kind} “{known.name}”: {was}")
    elif known.payload == item.incoming.payload:
        item.state = State.UNCHANGED
    elif known.suspended:
        item.state, item.why = (
            State.OLDER,
            "is suspended here, so nothing newer is taken: lift the suspension first",
        )
    elif known.iat < item.incoming.iat:
        item.state = State.CHANGED
    elif known.iat > item.incoming.iat:
        item.state, item.why = State.OLDER, OLDER
    else:
        item.state, item.why = State.OLDER, SAME_SECOND


def settle_name(item: Item, wanted: str, taken: dict[str, str], *, fold: str, said: str) -> None:
    """Give an item its name, or keep it out until another one is chosen; `taken` knows who bears which."""
    if taken.setdefault(fold, item.incoming.key) != item.incoming.key:
        item.stop(said, State.ASK)
    else:
        item.name = wanted


def chosen_name(item: Item, choices: Choices) -> str | None:
    """The name that an item is to have, asked for or its own; None, and out it stays, for one that can't be."""
    asked = choices.renames.get(item.incoming.key, "")
    if not asked:
        return item.name
    try:
        return names.check_name(asked)
    except IdentityError as odd:
        item.stop(odd.user_message, State.ASK)
        return None
