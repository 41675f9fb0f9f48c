"""The one place that says yes or no."""

from __future__ import annotations

from dataclasses import dataclass

from identities.errors import IdentityError
from identities.policy import powers
from identities.policy.actions import Action
from identities.policy.principal import Principal, Role, Scope


class Forbidden(IdentityError):
    """The thing is visible, but the action on it is not granted. `action` and `scope` say what was asked for."""

    code = "forbidden"

    def __init__(self, reason: str, *, action: Action | None = None, scope: Scope | None = None) -> None:
        super().__init__(reason)
        self.action = action
        self.scope = scope


@dataclass(frozen=True, slots=True)
class Allowed:
    """Yes, by this role."""

    role: Role


@dataclass(frozen=True, slots=True)
class Denied:
    """No, and why, in words for the person who asked."""

    reason: str


Decision = Allowed | Denied


def decide(principal: Principal, action: Action, scope: Scope | None = None) -> Decision:
    """Say whether `principal` may take `action` on `scope` (None: the whole installation)."""
    where = scope or Scope()
    for held in principal.roles:
        if held.covers(where) and action in powers.POWERS.get((held.kind, held.role), frozenset()):
            return Allowed(held.role)
    if not principal.roles:
        return Denied(f"“{principal.name}” holds no role here; an administrator can grant one.")
    return Denied(_missing(principal, action))


def _missing(principal: Principal, action: Action) -> str:
    needed = [title.lower() for title in powers.holders(action)]
    *rest, last = needed
    either = f"{', '.join(rest)} or {last}" if rest else last
    return f"“{action.value}” needs the role {either} here, which “{principal.name}” does not hold."


def require(principal: Principal, action: Action, scope: Scope | None = None) -> None:
    """Raise `Forbidden` with the reason unless `decide` allows it."""
    decision = decide(principal, action, scope)
    if isinstance(decision, Denied):
        raise Forbidden(decision.reason, action=action, scope=scope)


def require_somewhere(principal: Principal, action: Action) -> None:
    """Raise `Forbidden` when nothing that `principal` holds allows `action` anywhere.

    Who asks this first asks `require` about the object later.
    """
    if not any(isinstance(decide(principal, action, held.scope), Allowed) for held in principal.roles):
        require(principal, action)
