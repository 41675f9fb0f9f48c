"""The texts and seeds of what goes out, part by part: no more than one part of them is in memory at once.

Each seed is opened by `secrets` alone, for as long as it takes to write it down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from identities.errors import IdentityError
from identities.formats import creds as creds_format
from identities.formats import nsc_writing
from identities.formats.nsc_writing import FlatLayout
from identities.models import IssuedToken, Key
from identities.nkeys import KeyPair, SecretBytes
from identities.services import secrets, signing
from identities.services.export_plans import Going, GoingAccount, Plan

AT_ONCE = 500
UNREADABLE = "can't be opened, or is another key's: its sealed text was damaged or moved"
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Written:
    """One file on its way out; `data` may be a secret."""

    path: str
    data: bytes = field(repr=False)


def files(plan: Plan) -> Iterator[Written]:
    """Every file of the plan. What can't be opened is left out, and said in the plan's remarks."""
    yield from _head(plan)
    yield from _accounts(plan)
    yield from _users(plan)
    yield from _keys(plan)


def parts(items: Iterable[Item]) -> Iterator[Sequence[Item]]:
    """So many at once."""
    left = iter(items)
    while part := list(islice(left, AT_ONCE)):
        yield part


def tokens(ids: Iterable[int]) -> Mapping[int, IssuedToken]:
    """The ledger's rows, which never change, with nothing but their texts."""
    rows = IssuedToken.objects.filter(pk__in=list(ids)).only("text", "sealed", "subject")
    return {row.pk: row for row in rows}


def envelopes(ids: Iterable[int | None]) -> Mapping[int, tuple[str, bytes]]:
    """The sealed seeds of keys that still have them, with the public key; by id."""
    rows = Key.objects.filter(pk__in=[pk for pk in ids if pk is not None])
    found = rows.values_list("pk", "public_key", "sealed")
    return {pk: (key, bytes(sealed)) for pk, key, sealed in found if sealed is not None}


def _head(plan: Plan) -> Iterator[Written]:
    """The operator's JWT first: by it an export that was broken off is known again."""
    layout, operator = plan.layout, plan.operator
    if operator.token is not None:
        yield Written(layout.operator_jwt(operator.public_key), operator.token.text.encode())
    if not isinstance(layout, FlatLayout):
        text = nsc_writing.about(layout.operator, managed=plan.managed)
        yield Written(layout.about, text.encode())
        if plan.with_keys:
            yield Written(layout.git_ignore, nsc_writing.GIT_IGNORE.encode())


def _accounts(plan: Plan) -> Iterator[Written]:
    for part in parts(plan.accounts):
        texts = tokens(account.token for account in part)
        for account in part:
            text = texts[account.token].text
            yield Written(plan.layout.account_jwt(account.file, account.key), text.encode())


def _users(plan: Plan) -> Iterator[Written]:
    for part in parts(plan.users()):
        texts = tokens(user.token for _, user in part)
        seeds = envelopes(user.seed for _, user in part)
        for account, user in part:
            try:
                with signing.token_text(texts[user.token]) as jwt:
                    yield Written(plan.layout.user_jwt(account.file, user.file, user.key), jwt.encode())
                    if user.seed is not None and user.seed in seeds:
                        yield from _seed_and_creds(plan, account, user, jwt, seeds[user.seed])
            except IdentityError:
                plan.remark(UNREADABLE, f"user “{account.name}/{user.name}” ({user.key})")


def _seed_and_creds(
    plan: Plan, account: GoingAccount, user: Going, jwt: str, envelope: tuple[str, bytes]
) -> Iterator[Written]:
    key, sealed = envelope
    with secrets.opened(sealed, table="key", public_key=key, purpose="seed") as seed:
        with_creds = not isinstance(plan.layout, FlatLayout) and not user.suspended
        text = creds_format.format_creds(jwt, seed) if with_creds else _fits(seed, key)
        yield Written(plan.layout.seed(key), seed.reveal())
        if not isinstance(plan.layout, FlatLayout) and text:
            yield Written(plan.layout.creds(account.file, user.file), text.encode())


def _fits(seed: SecretBytes, key: str) -> str:
    """Nothing to write; but the seed is looked at, as creds would be. Raises: IdentityError: it is another key's."""
    pair = KeyPair.from_seed(seed)
    found = pair.public.text
    pair.wipe()
    if found != key:
        raise IdentityError(f"The seed stored for {key} belongs to another key.")
    return ""


def _keys(plan: Plan) -> Iterator[Written]:
    for part in parts(plan.keys):
        seeds = envelopes(key.pk for key in part)
        for one in part:
            if one.pk not in seeds:  # erased since
                continue
            try:
                with secrets.opened(
                    seeds[one.pk][1], table="key", public_key=one.key, purpose="seed"
                ) as seed:
                    _fits(seed, one.key)
                    yield Written(plan.layout.seed(one.key), seed.reveal())
            except IdentityError:
                plan.remark(UNREADABLE, f"the seed of {one.key}")
