"""Suspended users stay out: nobody re-issues them, and no edit of their account takes back what keeps them out."""

from __future__ import annotations

from collections.abc import Mapping

from identities.errors import IdentityError
from identities.models import Account, User

_FEW = 500


class Suspended(IdentityError):
    """The user is suspended: nothing is signed or handed out for it until the suspension is lifted."""

    code = "suspended"


def refuse(user: User) -> None:
    """Raise `Suspended` while the user is."""
    if user.suspended_at is not None:
        raise Suspended(
            f"“{user.name}” is suspended: nothing is signed or handed out for it. Lift the suspension first."
        )


def refuse_freed(account: Account, before: Mapping[str, int], after: Mapping[str, int]) -> None:
    """Raise `Suspended` when an account's new revocations would let a suspended user in again."""
    if all(after.get(key, 0) >= at for key, at in before.items()):
        return
    for user in User.objects.live().filter(account=account).exclude(suspended_at=None):
        if max(after.get(user.public_key, 0), after.get("*", 0)) < user.last_iat:
            raise Suspended(
                f"“{user.name}” is suspended, and its entry in the revocations keeps it out. "
                "Lift the suspension instead.",
                field="revocations",
            )


def remember(account: Account, entries: Mapping[str, int]) -> None:
    """Note what was revoked of users who are suspended, so that it stays revoked when the suspension is lifted."""
    suspended = User.objects.live().filter(account=account).exclude(suspended_at=None)
    if len(entries) <= _FEW:
        suspended = suspended.filter(public_key__in=list(entries))
    for user in suspended:
        user.revoked_before = max(user.revoked_before, entries.get(user.public_key, 0))
        user.save(update_fields=["revoked_before"])
