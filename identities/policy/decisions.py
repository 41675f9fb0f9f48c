"""The one place that says yes or no."""

from __future__ import annotations

from dataclasses import dataclass

from identities.errors import IdentityError
from identities.policy.actions import READING, Action
from identities.policy.principal import Principal, Role, Scope


class Forbidden(IdentityError):
    """The thing is visible, but the action on it is not granted."""

    code = "forbidden"


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
        if held.covers(where) and (held.role is Role.ADMINISTRATOR or action in READING):
            return Allowed(held.role)
    if not principal.roles:
        return Denied(f"“{principal.name}” holds no role here; an administrator can grant one.")
    return Denied(
        f"“{action.value}” needs the role administrator here, which “{principal.name}” does not hold."
    )


def require(principal: Principal, action: Action, scope: Scope | None = None) -> None:
    """Raise `Forbidden` with the reason unless `decide` allows it."""
    decision = decide(principal, action, scope)
    if isinstance(decision, Denied):
        raise Forbidden(decision.reason)
