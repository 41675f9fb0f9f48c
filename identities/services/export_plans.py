"""What goes out of an operator: each JWT with the file that it becomes, each key whose seed is here; no secret yet.

Names and ids only, in four queries however many there are. Texts and seeds follow part by part (`export_reading`), by
the ids that stand here: what is changed meanwhile goes out as it was, and no key goes out that the audit does not name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from identities.errors import IdentityError
from identities.formats.nsc_writing import FlatLayout, Layout, Names, StoreLayout
from identities.models import Account, Key, Operator, Purpose, User
from identities.nkeys import KeyKind

BEARER = "logs in by its JWT alone, so that it goes along with the keys only, and now not at all"
SUSPENDED = "is suspended: no creds are written for it, only its JWT and its seed"
PUBLIC_ONLY = "is known by its public half only, so that its seed can't go along"
RENAMED = "has another name in its JWT, which nsc goes by as soon as it edits it"
NO_JWT = "has no JWT yet"
TWICE = "has the key of another user, whose file it would be"
ANY_CASE = (
    "has the name of another in the same folder but for its case: macOS and Windows take the two for one"
)
Remarks = dict[str, list[str]]
"""What is to be said, and of what."""


@dataclass(slots=True, kw_only=True)
class Going:
    """An account or a user. `file` is its name in the store, `token` the id of its JWT, `seed` that of the key whose
    seed is here; `secret`: its JWT logs in by itself."""

    pk: int
    key: str
    name: str
    file: str
    token: int
    secret: bool = False
    suspended: bool = False
    seed: int | None = None


@dataclass(slots=True, kw_only=True)
class GoingAccount(Going):
    """An account with its users."""

    users: list[Going] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoingKey:
    """A key whose seed goes along. `kind` and `name` are its holder's where it is the holder's own key, else "key"."""

    pk: int
    key: str
    kind: str
    name: str


@dataclass(slots=True, kw_only=True)
class Plan:
    """Everything that goes out. `keys` are those that no user has: the operator's, accounts', spare ones."""

    operator: Operator
    layout: Layout
    with_keys: bool
    managed: bool
    accounts: list[GoingAccount] = field(default_factory=list)
    keys: list[GoingKey] = field(default_factory=list)
    remarks: Remarks = field(default_factory=dict)

    def users(self) -> Iterator[tuple[GoingAccount, Going]]:
        """Every user with its account, in the order of their files."""
        for account in self.accounts:
            for user in account.users:
                yield account, user

    def all_keys(self) -> Iterator[GoingKey]:
        """Every key whose seed goes along."""
        yield from self.keys
        for _, user in self.users():
            if user.seed is not None:
                yield GoingKey(pk=user.seed, key=user.key, kind="user", name=user.name)

    def remark(self, message: str, what: str) -> None:
        """Say something of a thing."""
        self.remarks.setdefault(message, []).append(what)

    @property
    def total(self) -> int:
        """How many files there are, as far as is known before."""
        store = isinstance(self.layout, StoreLayout)
        files = (3 if store and self.with_keys else 2 if store else 1) + len(self.accounts) + len(self.keys)
        for _, user in self.users():
            files += 1 + (user.seed is not None) + (store and user.seed is not None and not user.suspended)
        return files


def plan(operator: Operator, *, with_keys: bool, flat: bool = False) -> Plan:
    """What of `operator` goes out: as nsc's store, with its keystore when asked, or `flat` as `nsc export keys` does.

    Raises: IdentityError: there is no JWT of it yet.
    """
    if operator.token_id is None:
        raise IdentityError(f"“{operator.name}” has no JWT yet.")
    folder = Names().fit(operator.name, operator.public_key)
    found = Plan(
        operator=operator,
        layout=FlatLayout() if flat else StoreLayout(folder),
        with_keys=with_keys,
        managed=not _signs_here(operator),
    )
    if folder != operator.name:
        found.remark(
            f"is called {folder} in the store, as its name can't be a folder's", f"“{operator.name}”"
        )
    accounts = _accounts(found)
    users = _users(found, accounts)
    if with_keys:
        _keys(found, users, {account.pk: account for account in accounts.values()})
    return found


def _signs_here(operator: Operator) -> bool:
    """Whether any key of the operator has its seed here: else whoever signs its accounts is somewhere else."""
    own = Key.objects.filter(operator=operator, account=None, user=None, deleted_at=None)
    signing = own.filter(kind=KeyKind.OPERATOR.value).exclude(purpose=Purpose.SPARE)
    return signing.filter(sealed__isnull=False).exists()


def _accounts(found: Plan) -> dict[int, GoingAccount]:
    rows = Account.objects.live().filter(operator=found.operator).order_by("name", "pk")
    names = Names()
    for pk, key, name, token, said in rows.values_list("pk", "public_key", "name", "token_id", "token__name"):
        if token is None:
            found.remark(NO_JWT, f"account “{name}”")
            continue
        file = _file(found, names, name, key, said, f"account “{name}”")
        found.accounts.append(GoingAccount(pk=pk, key=key, name=name, file=file, token=token))
    return {account.pk: account for account in found.accounts}


def _users(found: Plan, accounts: dict[int, GoingAccount]) -> dict[int, Going]:
    rows = (
        User.objects.live()
        .filter(operator=found.operator)
        .order_by("account__name", "account_id", "name", "pk")
    )
    marked: QuerySet[Any] = rows.annotate(secret=_filled(Q(token__sealed__isnull=False) | Q(bearer=True)))
    by_pk: dict[int, Going] = {}
    names: dict[int, Names] = {}
    seen: set[str] = set()
    for pk, in_account, key, name, token, said, suspended, secret in marked.values_list(
        "pk", "account_id", "public_key", "name", "token_id", "token__name", "suspended_at", "secret"
    ).iterator(chunk_size=2000):
        account = accounts.get(in_account)
        if account is None:  # made after the accounts were read
            continue
        what = f"user “{account.name}/{name}”"
        if token is None:
            found.remark(NO_JWT, what)
        elif secret and not found.with_keys:
            found.remark(BEARER, what)
        elif isinstance(found.layout, FlatLayout) and key in seen:
            found.remark(TWICE, what)
        else:
            file = _file(found, names.setdefault(account.pk, Names()), name, key, said, what)
            going = Going(
                pk=pk,
                key=key,
                name=name,
                file=file,
                token=token,
                secret=secret,
                suspended=suspended is not None,
            )
            account.users.append(going)
            by_pk[pk] = going
            seen.add(key)
            if going.suspended and found.with_keys:
                found.remark(SUSPENDED, what)
    return by_pk


def _file(found: Plan, names: Names, name: str, key: str, said: str, what: str) -> str:
    """The name of something's file; what is odd about it is said, except where files are named by keys."""
    file = names.fit(name, key)
    if isinstance(found.layout, StoreLayout):
        if file != name:
            found.remark("has a name that can't be a file's, and another one in the store", f"{what}: {file}")
        if said != name:
            found.remark(RENAMED, f"{what}: “{said}”")
        if names.is_second(file):
            found.remark(ANY_CASE, what)
    return file


def _keys(found: Plan, users: dict[int, Going], accounts: dict[int, GoingAccount]) -> None:
    rows = Key.objects.filter(operator=found.operator, deleted_at=None).order_by("pk")
    rows = rows.annotate(here=_filled(Q(sealed__isnull=False)))
    for pk, key, kind, purpose, in_account, of_user, here in rows.values_list(
        "pk", "public_key", "kind", "purpose", "account_id", "user_id", "here"
    ).iterator(chunk_size=2000):
        user = users.get(of_user)
        account = accounts.get(in_account)
        if of_user is not None and (user is None or user.key != key):
            continue
        if not here:
            found.remark(PUBLIC_ONLY, _named(found, key, kind, purpose, account, user))
        elif user is not None:
            user.seed = pk
        elif account is not None and account.key == key:
            found.keys.append(GoingKey(pk=pk, key=key, kind="account", name=account.name))
        elif found.operator.public_key == key:
            found.keys.append(GoingKey(pk=pk, key=key, kind="operator", name=found.operator.name))
        else:
            found.keys.append(GoingKey(pk=pk, key=key, kind="key", name=key))


def _named(found: Plan, key: str, kind: str, purpose: str, account: Going | None, user: Going | None) -> str:
    if user is not None:
        return f"the key of user “{account.name if account else ''}/{user.name}”: {key}"
    if account is not None:
        return f"the {purpose} key of account “{account.name}”: {key}"
    return f"the {purpose} key of operator “{found.operator.name}” ({kind}): {key}"


def _filled(condition: Q) -> Any:
    return ExpressionWrapper(condition, output_field=BooleanField())
