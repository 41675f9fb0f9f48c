"""The cast of the tests: people with a role, and operators, accounts and users made by the real services."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from django.test import Client

from identities import lookup
from identities.claims.drafts import AccountDraft, ImportDraft, Minting, OperatorDraft, UserDraft
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.models import Account, Cluster, Grant, Installation, Operator, Person, Server, User
from identities.policy.principal import Principal, Role, ScopeKind
from identities.resolver.drafts import ClusterDraft
from identities.services import (
    accounts,
    changes,
    clock,
    clusters,
    exports,
    imports,
    operators,
    secrets,
    users,
)

PASSWORD = "correct horse battery staple"

COMMAND = Principal.command("test")
"""May do everything, without a row in the database."""

_numbers = count(1)


def installation() -> Installation:
    """An unsealed installation with its row; a second call changes nothing."""
    if secrets.is_sealed():
        secrets.initialise()
    return Installation.objects.get()


def person(
    role: Role | None = Role.ADMINISTRATOR,
    *,
    username: str = "",
    operator: Operator | None = None,
    account: Account | None = None,
) -> Person:
    """A person who may sign in with `PASSWORD`, holding `role` on the installation, on an operator or an account."""
    made = Person(username=username or f"{role or 'guest'}-{next(_numbers)}")
    made.set_password(PASSWORD)
    made.save()
    if role is not None:
        grant(made, role, operator=operator, account=account)
    return made


def grant(
    to: Person, role: Role, *, operator: Operator | None = None, account: Account | None = None
) -> Grant:
    """One more role for a person."""
    kind = ScopeKind.INSTALLATION
    if operator is not None:
        kind = ScopeKind.OPERATOR
    if account is not None:
        kind, operator = ScopeKind.ACCOUNT, account.operator
    return Grant.objects.create(
        person=to, role=role, scope_kind=kind, operator=operator, account=account, created_at=clock.now()
    )


def principal(role: Role | None = Role.ADMINISTRATOR, **scope: Any) -> Principal:
    """A fresh person with `role`, as the services meet them."""
    return lookup.person_principal(person(role, **scope))


def client(role: Role | None = Role.ADMINISTRATOR, **scope: Any) -> Client:
    """A test client signed in as a fresh person with `role` (None: signed in, but nothing granted)."""
    installation()
    browser = Client()
    browser.force_login(person(role, **scope))
    return browser


def operator(name: str = "", *, by: Principal = COMMAND, **options: Any) -> Operator:
    """An operator as `nsc add operator` makes it: signing key, SYS account and its user; options as its draft."""
    installation()
    draft = OperatorDraft(name=name or f"Operator{next(_numbers)}", **options)
    return operators.create(principal=by, draft=draft)


def account(
    under: Operator | None = None, name: str = "", *, by: Principal = COMMAND, **options: Any
) -> Account:
    """An account of `under` (or of a fresh operator); options as its draft."""
    draft = AccountDraft(name=name or f"Account{next(_numbers)}", **options)
    return accounts.create(principal=by, operator=under or operator(), draft=draft)


def user(of: Account | None = None, name: str = "", *, by: Principal = COMMAND, **options: Any) -> User:
    """A user of `of` (or of a fresh account); options as its draft."""
    draft = UserDraft(name=name or f"User{next(_numbers)}", **options)
    return users.create(principal=by, account=of or account(), draft=draft)


def many_users(of: Account, names: Sequence[str], *, by: Principal = COMMAND, **options: Any) -> list[User]:
    """Users with these names, issued in one go."""
    drafts = [UserDraft(name=name, **options) for name in names]
    return users.create_many(principal=by, account=of, drafts=drafts)


def export(of: Account, subject: str, *, by: Principal = COMMAND, **options: Any) -> Export:
    """An export of `of` (a stream unless told otherwise), whose row is refreshed; options as its claims."""
    made = Export(subject=subject, **{"type": "stream", "name": subject, **options})
    exports.add(principal=by, account=of, export=made, version=of.version)
    of.refresh_from_db()
    return made


def imported(
    to: Account,
    subject: str,
    *,
    of: Account | str,
    by: Principal = COMMAND,
    minting: Minting = Minting.IF_ASKED,
    **options: Any,
) -> Import:
    """An import of `to` as it was signed, with a token where the export asks for one; options as its claims."""
    exporter = of if isinstance(of, str) else of.public_key
    wanted = Import(subject=subject, account=exporter, **{"type": "stream", "name": subject, **options})
    draft = ImportDraft(imported=wanted, minting=minting)
    imports.add(principal=by, account=to, draft=draft, version=to.version)
    to.refresh_from_db()
    held: Import = next(one for one in changes.claims_of(to).nats.imports if one.subject == subject)
    return held


def cluster(
    under: Operator | None = None, name: str = "", *, by: Principal = COMMAND, **options: Any
) -> Cluster:
    """A cluster of `under` (or of a fresh operator) with its system user; options as its draft."""
    values = {"urls": ("nats://nats.example.com:4222",), **options}
    draft = ClusterDraft(name=name or f"Cluster{next(_numbers)}", **values)
    return clusters.create(principal=by, operator=under or operator(), draft=draft)


def server(of: Cluster, name: str = "n1", **values: Any) -> Server:
    """A server on the roster of `of`, seen just now; columns as given."""
    moment = clock.now()
    return Server.objects.create(
        cluster=of, name=name, **{"first_seen_at": moment, "seen_at": moment, **values}
    )
