"""JWTs that nsc made, put into the database as they are: for tests of what is said about them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from identities.claims import codec, trust
from identities.models import Account, Operator, User
from identities.services import clock, columns, signing
from tests import make

Row = TypeVar("Row", Operator, Account, User)


def load_store(folder: Path) -> Operator:
    """One operator of nsc's store: `<folder>/<name>.jwt`, its accounts and users below."""
    operator = add(Operator(), (folder / f"{folder.name}.jwt").read_text())
    for path in sorted(folder.glob("accounts/*/*.jwt")):
        account = add(Account(operator=operator), path.read_text())
        _users(account, sorted(path.parent.glob("users/*.jwt")))
    return operator


def load_described(folder: Path) -> Operator:
    """The operator whose JWTs `nsc describe --raw` wrote to this folder."""
    (own,) = folder.glob("operator-*.jwt")
    operator = add(Operator(), own.read_text())
    for path in sorted(folder.glob(f"account-{operator.name}-*.jwt")):
        account = add(Account(operator=operator), path.read_text())
        _users(account, sorted(folder.glob(f"user-{account.name}-*.jwt")))
    return operator


def add(row: Row, text: str) -> Row:
    """Insert `row` with what the JWT says; whatever is above it is set already."""
    make.installation()
    token = codec.decode(text.strip())
    scope = None
    if isinstance(row, User):
        scope = trust.signing_key(codec.from_payload(row.account.claims).nats, token.claims.iss)
    template = None if scope is None else scope.template
    credential = columns.is_credential(token.claims, template)
    columns.fill(row, token, scoped=scope is not None and scope.is_scoped, credential=credential)
    row.public_key = token.claims.sub
    row.created_at = row.updated_at = clock.now()
    row.updated_by = "nsc"
    operator = None if isinstance(row, Operator) else row.operator
    row.token = signing.ledger_row(
        token, principal=make.COMMAND, operator=operator, reason="Made by nsc", credential=credential
    )
    row.token.save()
    row.save()
    columns.write_permissions(row, token.claims)
    return row


def _users(account: Account, paths: Iterable[Path]) -> None:
    for path in paths:
        add(User(operator=account.operator, account=account), path.read_text())
