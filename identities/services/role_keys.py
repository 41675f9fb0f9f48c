"""Another key for a role: the same name and rights, and whatever the former key signed is worthless.

What hangs on the role (who may issue it, how long its creds live, the preset that filled it) goes over to the new key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from identities.claims.scopes import SigningKey
from identities.models import Account, Filling, Grant, IssuingTerms, Key, Purpose
from identities.nkeys import KeyKind
from identities.services import signing
from identities.services.signing_keys import NOT_MADE

__all__ = ["NOT_MADE", "REASON", "carry_over", "make", "renamed"]
REASON = "The role has another key"


def renamed(entries: Sequence[SigningKey], keys: Mapping[str, str]) -> tuple[SigningKey, ...]:
    """The account's signing keys with other keys in the place of some, from the old ones to the new."""
    return tuple(replace(entry, key=keys.get(entry.key, entry.key)) for entry in entries)


def make(account: Account, old: str) -> Key:
    """A new key in the place of the role's `old` one, stored; the caller signs the account with it."""
    former = Key.objects.get(account=account, user=None, public_key=old, deleted_at=None)
    key, pair = signing.new_key(KeyKind.ACCOUNT, purpose=Purpose.ROLE)
    pair.wipe()
    key.operator_id, key.account, key.role = account.operator_id, account, former.role
    key.save()
    return key


def carry_over(account: Account, old: str, new: Key) -> None:
    """Have what hung on the role hang on its new key."""
    former = Key.objects.filter(account=account, user=None, public_key=old).order_by("-pk").first()
    IssuingTerms.objects.filter(key=former).update(key=new)
    Grant.objects.filter(signing_key=former).update(signing_key=new)
    Filling.objects.filter(account=account, user=None, role=old).update(role=new.public_key)
