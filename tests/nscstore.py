"""JWTs that nsc made, put into the database as they are: what no service would take over, validation must judge."""

from __future__ import annotations

from typing import TypeVar

from identities.claims import codec, trust
from identities.models import Account, Operator, User
from identities.services import clock, columns, signing
from tests import goldens, make

Row = TypeVar("Row", Operator, Account, User)


def insert(store: goldens.Store) -> Operator:
    """The operator of a store with all that is below it."""
    make.installation()
    operator = _add(Operator(), store.text)
    for held in store.accounts.values():
        if not held.text:
            continue
        account = _add(Account(operator=operator), held.text)
        for text in held.users.values():
            _add(User(operator=operator, account=account), text)
    return operator


def _add(row: Row, text: str) -> Row:
    token = codec.decode(text.strip())
    scope = None
    if isinstance(row, User):
        scope = trust.signing_key(codec.from_payload(row.account.claims).nats, token.claims.iss)
    credential = columns.is_credential(token.claims, None if scope is None else scope.template)
    columns.fill(row, token, scoped=scope is not None and scope.is_scoped, credential=credential)
    row.public_key = token.claims.sub
    row.created_at = row.updated_at = clock.now()
    row.updated_by = "nsc"
    row.token = signing.ledger_row(
        token,
        principal=make.COMMAND,
        operator=None if isinstance(row, Operator) else row.operator,
        reason="Made by nsc",
        credential=credential,
    )
    row.token.save()
    row.save()
    columns.write_permissions(row, token.claims)
    return row
