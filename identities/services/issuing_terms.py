"""How long the short-lived creds of a role live: shortest, usual, longest; set by who may edit the role, with a second
person where the operator asks for four eyes.
"""

from __future__ import annotations

from dataclasses import asdict

from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction

from identities.claims import diff
from identities.errors import IdentityError
from identities.models import IssuingTerms, Key, Purpose
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.policy.terms import LEAST, MOST, USUAL, Terms
from identities.services import accounts, audit, clock, four_eyes
from identities.services.proposing import guarded


def of(key: Key) -> Terms:
    """The terms of a role."""
    try:
        held = key.terms
    except ObjectDoesNotExist:
        return USUAL
    return Terms(shortest=held.shortest, usual=held.usual, longest=held.longest)


@guarded
def edit(*, principal: Principal, key: Key, terms: Terms) -> Terms:
    """Set the terms of a role; creds that were issued before keep theirs.

    Raises:
        IdentityError: they don't fit each other, or it is no role.
    """
    scope = Scope(operator=key.operator_id, account=key.account_id)
    decisions.require(principal, Action.SIGNING_KEY_EDIT, scope)
    _refuse(terms)
    with transaction.atomic():
        row = Key.objects.select_for_update(of=("self",)).select_related("account__operator").get(pk=key.pk)
        if row.purpose != Purpose.ROLE or row.account is None or row.deleted_at is not None:
            raise IdentityError("Only a role issues short-lived creds, and this is none (any more).")
        before = of(row)
        if before == terms:
            return terms
        IssuingTerms.objects.update_or_create(
            key=row,
            defaults={
                "shortest": terms.shortest,
                "usual": terms.usual,
                "longest": terms.longest,
                "updated_at": clock.now(),
                "updated_by": principal.name,
            },
        )
        differing = diff.diff(asdict(before), asdict(terms))
        four_eyes.note_change(
            four_eyes.SeenChange(kind="role", key=row.public_key, name=row.role, fields=differing)
        )
        audit.record(
            principal,
            Action.SIGNING_KEY_EDIT,
            [accounts.target(row.account), target(row)],
            f"Set how long short-lived creds of {called(row)} of “{row.account.name}” live: {terms.shortest:,} to "
            f"{terms.longest:,} s, usually {terms.usual:,} s",
            changes=differing,
        )
    return terms


def called(role: Key) -> str:
    """A role, in words."""
    return f"the role “{role.role}”" if role.role else f"the role {role.public_key}"


def target(role: Key) -> audit.Target:
    """How the audit names a role."""
    return audit.Target(
        kind="key",
        key=role.public_key,
        name=role.role or role.public_key,
        operator_key=role.operator.public_key,
    )


def _refuse(terms: Terms) -> None:
    if terms.shortest < LEAST:
        raise IdentityError(f"Creds live {LEAST} seconds at the least.", field="shortest")
    if terms.longest > MOST:
        raise IdentityError("Creds that live longer than a year are not short-lived.", field="longest")
    if not terms.shortest <= terms.usual <= terms.longest:
        raise IdentityError("The usual lifetime lies between the shortest and the longest.", field="usual")
