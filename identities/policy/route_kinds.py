"""What a row of the permission table says, and how rows are written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from identities.policy.actions import Action


class Access(StrEnum):
    """Who may knock at all."""

    PUBLIC = "public"
    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a class of access, not a secret


@dataclass(frozen=True, slots=True)
class Route:
    """One row: the class, and the action that its visitor must be granted somewhere (None: just being signed in).

    A `fresh` one asks again who is there when the last proof, by password or second factor, is too old.
    """

    access: Access
    action: Action | None = None
    fresh: bool = False


def public() -> Route:
    """For everybody."""
    return Route(Access.PUBLIC)


def session(action: Action) -> Route:
    """For who is signed in and may `action` somewhere."""
    return Route(Access.SESSION, action)


def fresh(action: Action) -> Route:
    """The same, asked anew who is there."""
    return Route(Access.SESSION, action, fresh=True)


def token() -> Route:
    """For who comes with a token of the API."""
    return Route(Access.TOKEN)
