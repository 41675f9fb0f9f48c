"""Whose a public key is or was, for what servers tell by key alone: live, deleted, and former keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from identities.models import LIVE_LAST, Key, Operator


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who has or had a key: name and keys as they are now. `deleted`: nobody has it any more; `former`: its holder
    goes on with another one.
    """

    name: str
    operator_key: str
    account: str
    account_key: str
    user_key: str
    deleted: bool
    former: bool


def of_keys(operator: Operator, keys: Iterable[str]) -> dict[str, Holder]:
    """The holders of account and user keys under one operator; one query. Strangers are missing."""
    rows = (
        Key.objects.filter(operator=operator, public_key__in={key for key in keys if key})
        .order_by(LIVE_LAST)
        .values_list(
            "public_key",
            "deleted_at",
            "account__name",
            "account__public_key",
            "account__deleted_at",
            "user__name",
            "user__public_key",
            "user__deleted_at",
        )
    )
    found = {}
    for key, key_gone, account, account_key, account_gone, user, user_key, user_gone in rows:
        deleted = bool(account_gone or user_gone)
        found[key] = Holder(
            name=user or account or operator.name,
            operator_key=operator.public_key,
            account=account or "",
            account_key=account_key or "",
            user_key=user_key or "",
            deleted=deleted,
            former=bool(key_gone) and not deleted,
        )
    return found
