"""Whether an edit needs a second person, and what is noted while one is only tried.

An operator may ask for four eyes. Then `proposing.guarded` turns the call of a writing service into a proposal, and
what no guard has met is refused at the very place where things are signed (`refuse`). Nothing passes but the worker,
the command line, a proposal that was approved, and what must not wait (`exempted`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from functools import wraps
from typing import ParamSpec, TypeVar

from identities.claims.diff import FieldChange, digest
from identities.errors import IdentityError
from identities.models import Operator
from identities.policy.principal import Principal, Role, ScopeKind, Way

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Mode(StrEnum):
    """Whose edits of an operator, its accounts and users need a second person."""

    NOBODY = ""
    MEMBERS = "members"
    EVERYBODY = "everybody"


class SecondPersonNeeded(IdentityError):
    """The operator asks for four eyes, and this can't be proposed."""

    code = "second-person-needed"


class Naming(str):
    """A line that names another account: whoever may not see that one must not read it. `account` is its id."""

    account: int

    def __new__(cls, text: str, account: int) -> Naming:
        """The line and the id of the account in it."""
        line = super().__new__(cls, text)
        line.account = account
        return line


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenChange:
    """One JWT that would be signed, or what else decides over creds: whose, and what differs in it."""

    kind: str
    key: str
    name: str
    fields: tuple[FieldChange, ...]


@dataclass(slots=True)
class Seen:
    """What a call did: JWTs signed, audit events (action, summary), what follows beyond them, and what was `made` for
    them and is made anew at approval, with the words that stand for it.
    """

    changes: list[SeenChange] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)
    consequences: list[str] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)


NEW_KEY = "(a new key, made when this is approved)"
NEW_TOKEN = "issued when this is approved"  # noqa: S105 - words, not a secret
EXEMPT: dict[str, str] = {}
"""Services that sign without a second person, each with the reason."""
_seen: ContextVar[Seen | None] = ContextVar("seen", default=None)
_passes: ContextVar[bool] = ContextVar("passes", default=False)


def required(principal: Principal, operator: Operator) -> bool:
    """True when what this principal is about to sign under this operator needs a second person."""
    return not _passes.get() and asked_of(principal, operator)


def asked_of(principal: Principal, operator: Operator) -> bool:
    """True when this principal's edits under this operator need a second person, whatever the block at hand is."""
    mode = operator.four_eyes
    if mode == Mode.NOBODY or principal.way in (Way.WORKER, Way.COMMAND):
        return False
    return mode == Mode.EVERYBODY or not _is_admin(principal, operator)


def refuse(principal: Principal, operator: Operator) -> None:
    """Refuse what would be signed or handed out by one person alone.

    Raises: SecondPersonNeeded.
    """
    if required(principal, operator):
        raise SecondPersonNeeded(
            f"“{operator.name}” asks for four eyes, and this can't be proposed to a second person. Do it by edits that "
            "can, or have somebody switch four eyes off for as long as it takes."
        )


def exempted(
    reason: str,
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """A service that never waits for a second person, and why."""

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        EXEMPT[name_of(function)] = reason

        @wraps(function)
        def passing(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            with passed():
                return function(*args, **kwargs)

        return passing

    return decorate


@contextmanager
def passed() -> Iterator[None]:
    """Nothing in the block needs a second person (any more)."""
    token = _passes.set(True)
    try:
        yield
    finally:
        _passes.reset(token)


@contextmanager
def watched() -> Iterator[Seen]:
    """Note what the block does; none of it needs a second person. Whoever only tries it undoes it."""
    seen = Seen()
    token = _seen.set(seen)
    try:
        with passed():
            yield seen
    finally:
        _seen.reset(token)


def is_watched() -> bool:
    """True when what is done is noted."""
    return _seen.get() is not None


def note_change(change: SeenChange, consequences: Iterable[str] = ()) -> None:
    """A JWT was signed, or what else decides over creds was written."""
    if (seen := _seen.get()) is not None:
        seen.changes.append(change)
        seen.consequences += consequences


def note_event(action: str, summary: str) -> None:
    """An audit event was written."""
    if (seen := _seen.get()) is not None:
        seen.events.append((action, summary))


def note_key(public_key: str) -> None:
    """A key was made, which goes away again where the call is only tried."""
    if (seen := _seen.get()) is not None:
        seen.made[public_key] = NEW_KEY


def note_token(text: str) -> None:
    """An activation token was issued along with the change, likewise."""
    if (seen := _seen.get()) is not None:
        seen.made[digest(text)] = NEW_TOKEN


def name_of(function: Callable[..., object]) -> str:
    """`module.function`, by which proposals and lists name a service."""
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}"


def _is_admin(principal: Principal, operator: Operator) -> bool:
    return any(
        held.role is Role.ADMINISTRATOR
        and (
            held.kind is ScopeKind.INSTALLATION
            or (held.kind is ScopeKind.OPERATOR and held.operator == operator.pk)
        )
        for held in principal.roles
    )
