"""What a grant lets its holder call the users that it makes: templates of roles put names and tags into subjects."""

from __future__ import annotations

from collections.abc import Sequence

from identities.policy import decisions, powers
from identities.policy.actions import Action
from identities.policy.decisions import Denied
from identities.policy.principal import HeldRole, Principal, Role, Scope


def require(principal: Principal, scope: Scope, name: str, tags: Sequence[str]) -> None:
    """Refuse short-lived creds on `scope` unless one grant allows them with this name and all of these tags.

    Raises:
        Forbidden: no grant allows it, or those that do are bounded to other names or tags.
    """
    decisions.require(principal, Action.CREDS_ISSUE, scope)
    held = [role for role in principal.roles if role.covers(scope) and _issues(role)]
    reasons = [_beyond(role, name, tags) for role in held]
    if reasons and all(reasons):
        raise decisions.Forbidden(reasons[0])


def decide(principal: Principal, scope: Scope, name: str, tags: Sequence[str]) -> decisions.Decision:
    """The same as an answer."""
    try:
        require(principal, scope, name, tags)
    except decisions.Forbidden as refused:
        return Denied(refused.user_message)
    return decisions.decide(principal, Action.CREDS_ISSUE, scope)


def fits(pattern: str, text: str) -> bool:
    """Whether `text` is what `pattern` says, in which `*` stands for any characters, none included.

    Each part is looked for once, behind the one before: no pattern of many stars takes long.
    """
    first, *parts = pattern.split("*")
    if not parts:
        return text == first
    if not text.startswith(first):
        return False
    at, last = len(first), parts.pop()
    for part in parts:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return text.endswith(last) and len(text) - len(last) >= at


def _issues(held: HeldRole) -> bool:
    return Action.CREDS_ISSUE in powers.POWERS.get((held.kind, held.role), frozenset())


def _beyond(held: HeldRole, name: str, tags: Sequence[str]) -> str:
    """Why this grant does not reach so far, "" when it does. Only that of an issuer is bounded."""
    if held.role is not Role.ISSUER:
        return ""
    if not fits(held.names, name):
        return f"The grant allows names as “{held.names}”, not “{name[:60]}”: choose another, or ask for a wider grant."
    for tag in tags:
        if not any(fits(allowed, tag) for allowed in held.tags):
            allowed = ", ".join(held.tags) if held.tags else "none"
            return f"The grant does not allow the tag “{tag[:60]}” (it allows: {allowed})."
    return ""
