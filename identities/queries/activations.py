"""Activation tokens in the ledger: by whom, for whom, and which imports hold them."""

from __future__ import annotations

from collections.abc import Iterable

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.models import Account, IssuedToken, Key
from identities.models.tokens import IssuedTokenQuerySet
from identities.policy.principal import Principal


def issued_by(account: Account) -> IssuedTokenQuerySet:
    """Every activation that a key of this account has signed here, keys that it has no longer included."""
    keys = Key.objects.filter(account=account, user=None).values("public_key")
    tokens: IssuedTokenQuerySet = IssuedToken.objects.activations()
    return tokens.filter(operator=account.operator_id, issuer__in=keys)


def holders(principal: Principal, account: Account, targets: Iterable[str]) -> dict[str, Account]:
    """The live accounts with these keys that the principal may see, those of the same operator first; one query."""
    rows = Account.objects.visible_to(principal).live().filter(public_key__in=set(targets))
    found = sorted(rows.select_related("operator"), key=lambda row: row.operator_id == account.operator_id)
    return {row.public_key: row for row in found}


def tokens_held(accounts: Iterable[Account]) -> set[str]:
    """The tokens that stand in the imports of these accounts."""
    held: set[str] = set()
    for account in accounts:
        body: AccountBody = codec.from_payload(account.claims).nats
        held.update(one.token for one in body.imports if one is not None and one.token)
    return held
