"""The one place that says yes or no."""

from __future__ import annotations

from dataclasses import dataclass

from identities.errors import IdentityError
from identities.policy import powers, words
from identities.policy.actions import Action
from identities.policy.principal import HeldRole, Principal, Role, Scope


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
    found = _allowing(principal.roles, action, where)
    return Allowed(found.role) if found is not None else Denied(_why_not(principal, action, where))


def decide_somewhere(principal: Principal, action: Action) -> Decision:
    """Say whether anything that `principal` holds, however narrow, allows `action`."""
    for held in principal.roles:
        if _allows(held, action):
            return Allowed(held.role)
    return Denied(_why_not(principal, action, None))


def require(principal: Principal, action: Action, scope: Scope | None = None) -> None:
    """Raise `Forbidden` with the reason unless `decide` allows it."""
    decision = decide(principal, action, scope)
    if isinstance(decision, Denied):
        raise Forbidden(decision.reason, action=action, scope=scope)


def require_somewhere(principal: Principal, action: Action) -> None:
    """Raise `Forbidden` when nothing that `principal` holds allows `action` anywhere.

    Who asks this first asks `require` about the object later.
    """
    decision = decide_somewhere(principal, action)
    if isinstance(decision, Denied):
        raise Forbidden(decision.reason, action=action)


def token_forbids(principal: Principal, action: Action, scope: Scope | None) -> str:
    """Why the token that somebody came with forbids what its holder may on `scope` (None: somewhere); "" where it is
    not the token.
    """
    narrowing = principal.narrowing
    if narrowing is None:
        return ""
    if _allowing(principal.roles, action, scope) or not _allowing(narrowing.held, action, scope):
        return ""
    here = scope is None or narrowing.operator in (None, scope.operator)
    if narrowing.read_only and here:
        return "this token may only read"
    if narrowing.operator is not None:
        seen = f" “{narrowing.operator_name}”" if principal.roles else ""
        return f"this token is bound to the operator{seen}"
    return ""


def _allowing(roles: tuple[HeldRole, ...], action: Action, scope: Scope | None) -> HeldRole | None:
    """The first of `roles` that allows `action` on `scope` (None: somewhere)."""
    return next(
        (held for held in roles if (scope is None or held.covers(scope)) and _allows(held, action)), None
    )


def _allows(held: HeldRole, action: Action) -> bool:
    return action in powers.POWERS.get((held.kind, held.role), frozenset())


def _why_not(principal: Principal, action: Action, scope: Scope | None) -> str:
    """The reason for the person who asked; roles are named only where they would do on `scope` (None: somewhere)."""
    sentence = words.SENTENCES[action]
    if token := token_forbids(principal, action, scope):
        return f"“{sentence}”: {token}, though “{principal.name}” may do it."
    if not principal.roles:
        return f"“{principal.name}” holds no role here; an administrator can grant one."
    *rest, last = [title.lower() for title in powers.holders(action, scope)]
    either = f"{', '.join(rest)} or {last}" if rest else last
    return f"“{sentence}” needs the role {either} here, which “{principal.name}” does not hold."
