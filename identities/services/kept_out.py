"""Who was put out stays out: suspended users in every edit of their account; whoever was deleted, revoked or signed by
a removed key where a JWT is taken over that was made elsewhere and does not know of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from identities.claims.account import AccountBody
from identities.claims.revocations import EVERYONE, kept, loosened
from identities.errors import IdentityError
from identities.models import Account, Key, Purpose, User
from identities.services import clock

_FEW = 500
MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Returning:
    """Who would come back: `names` of revoked users (a key where nobody here bears it), and removed signing `keys`.

    `everyone` is the time up to which all users are revoked here alone; 0 where that is not so.
    """

    names: tuple[str, ...] = ()
    everyone: int = 0
    keys: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.names or self.everyone or self.keys)

    def __str__(self) -> str:
        said = []
        if self.everyone:
            said.append(f"everybody whose JWT was issued up to {clock.in_words(self.everyone)}")
        if self.names:
            said.append(_listed(self.names))
        if self.keys:
            said.append(f"whoever was signed by the removed signing key {_listed(self.keys)}")
        return "; ".join(said)


class Suspended(IdentityError):
    """The user is suspended: nothing is signed or handed out for it until the suspension is lifted."""

    code = "suspended"


class Returns(IdentityError):
    """A JWT that was made elsewhere would let somebody in again who was put out here."""

    code = "returns"


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


def returning(account: Account, before: AccountBody, after: AccountBody) -> Returning:
    """Who is kept out by the account as it is, and would not be by a JWT of it that was made elsewhere.

    Two queries, where somebody would come back.
    """
    loose = loosened(before.revocations, after.revocations)
    named = dict(
        User.objects.filter(account=account, public_key__in=loose[:_FEW]).values_list("public_key", "name")
    )
    return Returning(
        names=tuple(f"“{named[key]}”" if key in named else key for key in loose if key != EVERYONE),
        everyone=before.revocations[EVERYONE] if EVERYONE in loose else 0,
        keys=_removed(account, before, after),
    )


def refuse_returning(account: Account, before: AccountBody, after: AccountBody) -> None:
    """Raise `Returns` when an account's JWT that was made elsewhere would let somebody in again."""
    back = returning(account, before, after)
    if back:
        raise Returns(
            f"it would let in again who is kept out here: {back}. Pull the JWT that is here and make the change on it, "
            "or clear here first what is to be cleared"
        )


def keeping_out(account: Account, before: AccountBody, after: AccountBody) -> AccountBody:
    """`after`, made elsewhere, with who is kept out by `before` still kept out: later revocations, and without keys
    that were removed here.
    """
    gone = _removed(account, before, after)
    return replace(
        after,
        revocations=kept(before.revocations, after.revocations),
        signing_keys=tuple(entry for entry in after.signing_keys if entry.key not in gone),
    )


def _removed(account: Account, before: AccountBody, after: AccountBody) -> tuple[str, ...]:
    """The signing keys of `after` that the account had before, and has no more."""
    held = {entry.key for entry in before.signing_keys}
    fresh = [entry.key for entry in after.signing_keys if entry.key not in held]
    if not fresh:
        return ()
    gone = Key.objects.filter(
        account=account, public_key__in=fresh, purpose__in=[Purpose.SIGNING, Purpose.ROLE]
    ).exclude(deleted_at=None)
    removed = set(gone.values_list("public_key", flat=True))
    return tuple(key for key in fresh if key in removed)


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def remember(account: Account, entries: Mapping[str, int]) -> None:
    """Note what was revoked of users who are suspended, so that it stays revoked when the suspension is lifted."""
    suspended = User.objects.live().filter(account=account).exclude(suspended_at=None)
    if len(entries) <= _FEW:
        suspended = suspended.filter(public_key__in=list(entries))
    for user in suspended:
        user.revoked_before = max(user.revoked_before, entries.get(user.public_key, 0))
        user.save(update_fields=["revoked_before"])
