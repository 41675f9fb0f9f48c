"""Writes the ledger of hand-overs: who received which credential by which way, in the transaction that gives it out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import OuterRef, Subquery

from identities.claims.revocations import EVERYONE
from identities.models import Handover, Key, Purpose, User
from identities.policy.principal import Principal
from identities.services import bulk, clock

AT_ONCE = 500
_COLUMNS = (
    "operator_id",
    "account_id",
    "user_id",
    "token_id",
    "kind",
    "subject",
    "name",
    "role",
    "issuer",
    "iat",
    "exp",
    "way",
    "door",
    "recipient",
    "recipient_name",
    "by",
    "by_name",
    "revoked",
    "at",
)


class Way(StrEnum):
    """How a credential left."""

    CREDS = "creds"
    BEARER = "bearer-jwt"
    NEW = "new-users"
    ACCOUNT = "account-creds"
    STORE = "store"
    SEED = "seed"
    LINK = "link"
    SHORT_LIVED = "short-lived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One credential as it leaves; see `models.Handover`."""

    operator: int
    kind: str
    subject: str
    name: str
    account: int | None = None
    user: int | None = None
    token: int | None = None
    role: str = ""
    issuer: str = ""
    iat: int = 0
    exp: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who receives it: an audit key ("" when nobody signed in) and a name for people."""

    key: str
    name: str


def record(
    principal: Principal, way: Way, given: Sequence[Given], *, recipient: Recipient | None = None
) -> list[int]:
    """Note that `principal` gave these out, to themselves unless `recipient` says otherwise; the rows' ids.

    Runs in its caller's transaction, before the audit event that speaks of it.
    """
    to = recipient or Recipient(key=principal.key, name=principal.name)
    whom = (way.value, principal.way.value, to.key, to.name[:255], principal.key, principal.name, False)
    at = bulk.moment(clock.now())
    rows = [
        (one.operator, one.account, one.user, one.token, one.kind, one.subject, one.name, one.role)
        + (one.issuer, one.iat, one.exp, *whom, at)
        for one in given
    ]
    return bulk.Table(Handover, *_COLUMNS).insert(rows)


def of_users(users: Iterable[User]) -> list[Given]:
    """What leaves with the current creds of these users, whose columns are loaded."""
    held = list(users)
    roles = roles_of({user.account_id for user in held})
    return [_of_user(user, roles.get((user.account_id, user.issuer), "")) for user in held]


def _of_user(user: User, role: str) -> Given:
    return Given(
        operator=user.operator_id,
        account=user.account_id,
        user=user.pk,
        token=user.token_id,
        kind="user",
        subject=user.public_key,
        name=user.name,
        role=role,
        issuer=user.issuer,
        iat=user.last_iat,
        exp=user.expires,
    )


def of_user_ids(ids: Sequence[int]) -> list[Given]:
    """The same of users that are known by their ids, part by part."""
    role = Key.objects.filter(
        public_key=OuterRef("issuer"), account=OuterRef("account"), user=None, purpose=Purpose.ROLE
    )
    found: list[Given] = []
    for part in _parts(ids):
        rows: Any = User.objects.filter(pk__in=part).defer("claims").order_by("pk")
        named = rows.annotate(role=Subquery(role.order_by("-pk").values("role")[:1]))
        found += [_of_user(user, user.role or "") for user in named]
    return found


def of_keys(named: Mapping[int, str]) -> list[Given]:
    """What leaves with the seeds of keys that no user has, by their ids, with what each is called."""
    keys = [key for part in _parts(list(named)) for key in Key.objects.filter(pk__in=part).defer("sealed")]
    return [
        Given(
            operator=key.operator_id,
            account=key.account_id,
            kind=key.kind,
            subject=key.public_key,
            name=named[key.pk][:255],
            role=key.role,
        )
        for key in keys
    ]


def roles_of(accounts: Iterable[int]) -> Mapping[tuple[int, str], str]:
    """The names of roles by account id and key; those that were removed count too."""
    rows = Key.objects.filter(account__in=set(accounts), user=None, purpose=Purpose.ROLE).exclude(role="")
    return {
        (account or 0, key): role
        for account, key, role in rows.values_list("account_id", "public_key", "role")
    }


def follow(account: int, before: Mapping[str, int], after: Mapping[str, int]) -> None:
    """Keep `revoked` of what was handed out of an account in step with its revocations, in its transaction."""
    if before == after:
        return
    rows = Handover.objects.filter(account=account, kind="user")
    everyone = after.get(EVERYONE, 0)
    if everyone != before.get(EVERYONE, 0):
        rows.filter(iat__gt=everyone).update(revoked=False)
        rows.filter(iat__lte=everyone).update(revoked=True)
        changed = sorted(key for key in {*before, *after} if key != EVERYONE)
    else:
        changed = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
    for part in _parts(changed):
        refused: dict[bool, list[int]] = {True: [], False: []}
        for pk, subject, iat, revoked in rows.filter(subject__in=part).values_list(
            "pk", "subject", "iat", "revoked"
        ):
            stands = iat <= max(after.get(subject, -1), everyone or -1)
            if stands is not revoked:
                refused[stands].append(pk)
        for stands, ids in refused.items():
            for some in _parts(ids):
                rows.filter(pk__in=some).update(revoked=stands)


def _parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), AT_ONCE):
        yield items[start : start + AT_ONCE]
