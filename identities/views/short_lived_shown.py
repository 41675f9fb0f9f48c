"""How long short-lived creds of a role live, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse

from identities.models import Key
from identities.services import issuing_terms
from identities.views import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRow:
    """A role whose creds somebody may issue, and where."""

    name: str
    account: str
    url: str


def roles(keys: Iterable[Key]) -> tuple[RoleRow, ...]:
    """Roles with their accounts and operators."""
    rows = ((key, key.account, key.operator) for key in keys)
    return tuple(
        RoleRow(
            name=key.role or shown.short(key.public_key),
            account=f"{operator.name} / {account.name}",
            url=reverse("role-creds", args=[operator.public_key, account.public_key, key.public_key]),
        )
        for key, account, operator in rows
        if account is not None
    )


def terms(key: Key) -> dict[str, str]:
    """The terms of a role."""
    held = issuing_terms.of(key)
    return {
        "shortest": lasting(held.shortest),
        "usual": lasting(held.usual),
        "longest": lasting(held.longest),
    }


def lasting(seconds: int) -> str:
    """A span in the largest unit that it is a whole number of."""
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds and seconds % size == 0:
            return shown.plural(seconds // size, unit)
    return shown.plural(seconds, "second")
