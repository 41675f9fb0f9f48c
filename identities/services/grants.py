"""Roles that people, teams and machines hold, given and taken. Nobody gives what they do not hold themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from identities.claims import diff
from identities.errors import IdentityError
from identities.models import Account, Grant, Key, Operator, Person, Purpose, ServiceAccount, Team
from identities.policy import decisions, powers
from identities.policy.actions import Action
from identities.policy.principal import Principal, Role, Scope, ScopeKind
from identities.services import audit, clock, four_eyes, ownership

Holder = Person | Team | ServiceAccount
Place = Operator | Account | Key | None
"""Where a role is held: an operator, an account, a role of an account (its signing key), None for the installation."""

LONGEST_NAMES = 255
MOST_TAGS = 50
_NAMES = re.compile(r"[^\s\x00-\x1f\x7f/\\]{1,255}")


def kind_of(place: Place) -> ScopeKind:
    """How wide a grant on `place` reaches."""
    if isinstance(place, Operator):
        return ScopeKind.OPERATOR
    if isinstance(place, Account):
        return ScopeKind.ACCOUNT
    return ScopeKind.ROLE if isinstance(place, Key) else ScopeKind.INSTALLATION


def scope_of(place: Place) -> Scope:
    """Where `place` is, for decisions."""
    if isinstance(place, Operator):
        return Scope(operator=place.pk)
    if isinstance(place, Account):
        return Scope(operator=place.operator_id, account=place.pk)
    if isinstance(place, Key):
        return Scope(operator=place.operator_id, account=place.account_id, signing_key=place.pk)
    return Scope()


def scope_of_grant(grant: Grant) -> Scope:
    """Where a grant reaches."""
    return Scope(operator=grant.operator_id, account=grant.account_id, signing_key=grant.signing_key_id)


def roles_for(principal: Principal, place: Place) -> tuple[Role, ...]:
    """The roles that `principal` may give on `place`, the widest first."""
    kind = kind_of(place)
    return tuple(
        role
        for each, role in powers.POWERS
        if each is kind and isinstance(may_give(principal, role, place), decisions.Allowed)
    )


def may_give(principal: Principal, role: Role, place: Place) -> decisions.Decision:
    """Whether `principal` may give and take `role` on `place`: it takes the right to, and all that the role may.

    Where their own edits need a second person, nobody but an owner says who that may be.
    """
    given = powers.POWERS.get((kind_of(place), role))
    if given is None:
        return decisions.Denied(f"There is no role “{role}” of {_where(place)}.")
    decision = _covers(principal, given, scope_of(place))
    operator = place.operator if isinstance(place, Account) else place
    if (
        isinstance(decision, decisions.Allowed)
        and Action.PROPOSAL_DECIDE in given
        and isinstance(operator, Operator)
        and four_eyes.asked_of(principal, operator)
        and isinstance(decisions.decide(principal, Action.INSTALLATION_EDIT), decisions.Denied)
    ):
        return decisions.Denied(
            f"“{operator.name}” asks for four eyes on what you edit, so you don't choose who may approve it: an owner "
            f"makes somebody {title(role, place)}."
        )
    return decision


def may_take(principal: Principal, grant: Grant) -> decisions.Decision:
    """Whether `principal` may take a grant away: it takes what giving it would."""
    given = powers.POWERS.get((ScopeKind(grant.scope_kind), Role(grant.role)), frozenset())
    return _covers(principal, given, scope_of_grant(grant))


def give(
    *,
    principal: Principal,
    holder: Holder,
    role: Role,
    place: Place = None,
    names: str = "*",
    tags: Sequence[str] = (),
) -> Grant:
    """Give a role; `names` and `tags` bound what an issuer may call the users that it makes.

    Raises:
        Forbidden: `principal` may not, or does not hold all that the role may.
        IdentityError: held already, no such role, or bounds that won't do.
    """
    _require(may_give(principal, role, place))
    names, tags = _bounds(role, names, tags)
    scope = scope_of(place)
    with ownership.guarded(principal, Action.GRANT_EDIT, scope) as now:
        _require(may_give(now, role, place))
        _refuse_gone(holder, place)
        where: dict[str, Any] = {
            **_holder(holder),
            "role": role,
            "scope_kind": kind_of(place),
            "operator_id": scope.operator,
            "account_id": scope.account,
            "signing_key_id": scope.signing_key,
        }
        held = Grant.objects.filter(**where).first()
        if held is not None and (held.names, held.tags) == (names, "\n".join(tags)):
            raise IdentityError(f"“{holder}” is {title(role, place)} already.", field="holder")
        before = None if held is None else {"names": held.names, "tags": held.tags.splitlines()}
        grant = held or Grant(**where)
        grant.names, grant.tags = names, "\n".join(tags)
        grant.by_name, grant.created_at = principal.name, clock.now()
        grant.save()
        bounds = f", names {names}" if names != "*" else ""
        bounds += f", tags {', '.join(tags)}" if tags else ""
        audit.record(
            principal,
            Action.GRANT_EDIT,
            [_target(holder), *_targets(place)],
            f"Made “{holder}” {title(role, place)}{bounds}",
            changes=diff.diff(before, {"names": names, "tags": [*tags]}) if before is not None else (),
        )
    return grant


def take(*, principal: Principal, grant: Grant) -> None:
    """Take a role away.

    Raises:
        Forbidden: `principal` may not, or does not hold all that the role may.
        LockedOut: of its own author, or of the last owner.
    """
    _require(may_take(principal, grant))
    with ownership.guarded(principal, Action.GRANT_EDIT, scope_of_grant(grant)) as now:
        _require(may_take(now, grant))
        held = Grant.objects.select_for_update().filter(pk=grant.pk).first()
        if held is None:  # somebody was faster
            return
        holder, place = holder_of(held), place_of(held)
        held.delete()
        audit.record(
            principal,
            Action.GRANT_EDIT,
            [_target(holder), *_targets(place)],
            f"Took from “{holder}” the role {title(Role(grant.role), place)}",
        )


def holder_of(grant: Grant) -> Holder:
    """Who holds a grant."""
    found = grant.person or grant.team or grant.service_account
    if found is None:
        raise RuntimeError("a grant without a holder, which the database refuses")
    return found


def place_of(grant: Grant) -> Place:
    """Where a grant reaches, as a row."""
    place: Place = grant.signing_key or grant.account or grant.operator
    return place


def title(role: Role, place: Place) -> str:
    """`account admin of “Orders”`, as sentences have it."""
    return f"{powers.TITLES[kind_of(place), role].lower()}{'' if place is None else f' of {_where(place)}'}"


def _where(place: Place) -> str:
    if place is None:
        return "the installation"
    if isinstance(place, Key):
        name = place.account.name if place.account is not None else ""
        return f"“{place.role or place.public_key}” in “{name}”"
    return f"“{place.name}”"


def _covers(principal: Principal, given: frozenset[Action], scope: Scope) -> decisions.Decision:
    """Whether `principal` may give roles on `scope` and holds all of `given` there."""
    decision = decisions.decide(principal, Action.GRANT_EDIT, scope)
    for action in sorted(given):
        if isinstance(decision, decisions.Allowed):
            decision = decisions.decide(principal, action, scope)
    return decision


def _require(decision: decisions.Decision) -> None:
    if isinstance(decision, decisions.Denied):
        raise decisions.Forbidden(decision.reason)


def _bounds(role: Role, names: str, tags: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """What an issuer may give, tidied; other roles have no bounds."""
    if role is not Role.ISSUER:
        return "*", ()
    if not _NAMES.fullmatch(names):
        raise IdentityError(
            f"“{names[:60]}” is no pattern of names: up to {LONGEST_NAMES} characters without blanks and slashes, `*` "
            "for any.",
            field="names",
        )
    tidy = tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))
    if len(tidy) > MOST_TAGS or any(len(tag) > LONGEST_NAMES or not tag.isprintable() for tag in tidy):
        raise IdentityError(
            f"At most {MOST_TAGS} tags of {LONGEST_NAMES} characters, one a line.", field="tags"
        )
    return names, tidy


def _refuse_gone(holder: Holder, place: Place) -> None:
    """Refuse what was switched off or deleted meanwhile; the installation's lock is held."""
    if isinstance(holder, Person):
        there = Person.objects.filter(pk=holder.pk, is_active=True).exists()
    elif isinstance(holder, Team):
        there = Team.objects.filter(pk=holder.pk).exists()
    else:
        there = ServiceAccount.objects.filter(pk=holder.pk, is_active=True).exists()
    if not there:
        raise IdentityError(f"“{holder}” is switched off or gone: it can't hold a role.", field="holder")
    if isinstance(place, Key):
        if place.purpose != Purpose.ROLE:
            raise IdentityError("Only a role has issuers; a plain signing key gives any permission.")
        stands = Key.objects.filter(pk=place.pk, deleted_at=None, account__deleted_at=None).exists()
    elif isinstance(place, Account):
        stands = Account.objects.live().filter(pk=place.pk, operator__deleted_at=None).exists()
    else:
        stands = place is None or Operator.objects.live().filter(pk=place.pk).exists()
    if not stands:
        raise IdentityError(f"{_where(place)} was deleted meanwhile.")


def _holder(holder: Holder) -> dict[str, Holder]:
    if isinstance(holder, Person):
        return {"person": holder}
    return {"team": holder} if isinstance(holder, Team) else {"service_account": holder}


def _target(holder: Holder) -> audit.Target:
    kind = holder.audit_key.partition(":")[0]
    return audit.Target(kind=kind, key=holder.audit_key, name=str(holder))


def _targets(place: Place) -> list[audit.Target]:
    if place is None:
        return []
    if isinstance(place, Operator):
        return [
            audit.Target(
                kind="operator", key=place.public_key, name=place.name, operator_key=place.public_key
            )
        ]
    account = place.account if isinstance(place, Key) else place
    if account is None:
        return []
    above = account.operator.public_key
    return [audit.Target(kind="account", key=account.public_key, name=account.name, operator_key=above)]
