"""What expires soon and was not warned of yet: operators, accounts, users, activations and API tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from identities.models import Account, ApiToken, IssuedToken, Key, Operator, User, Warned

DAY = 86_400
BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiring:
    """One object: when it was made and when it expires (unix seconds), and where it belongs (row ids, None above)."""

    kind: str
    id: int
    name: str
    key: str
    made: int
    expires: int
    operator: int | None = None
    account: int | None = None
    operator_name: str = ""
    account_name: str = ""

    def was_there(self, days: int) -> bool:
        """Whether it was made before the day on which a warning of so many days falls."""
        return self.made < self.expires - days * DAY


def unwarned(kind: str, days: int, now: int) -> list[Expiring]:
    """Up to `BATCH` objects of a kind that expire within so many days, soonest first."""
    return _KINDS[kind](days, now)


def _soon(rows: QuerySet[Any], kind: str, days: int, now: int, column: str = "expires") -> QuerySet[Any]:
    near = rows.filter(**{f"{column}__gt": now, f"{column}__lte": now + days * DAY})
    warned = Warned.objects.filter(kind=kind, object_id=OuterRef("pk"), expires=OuterRef(column), days=days)
    return near.filter(~Exists(warned)).order_by(column, "pk")


def _operators(days: int, now: int) -> list[Expiring]:
    return [
        Expiring(
            kind="operator",
            id=row.pk,
            name=row.name,
            key=row.public_key,
            made=_unix(row.created_at),
            expires=row.expires,
            operator=row.pk,
            operator_name=row.name,
        )
        for row in _soon(Operator.objects.live(), "operator", days, now)[:BATCH]
    ]


def _accounts(days: int, now: int) -> list[Expiring]:
    live = Account.objects.live().filter(operator__deleted_at=None)
    rows = _soon(live, "account", days, now).values_list(
        "pk", "name", "public_key", "created_at", "expires", "operator_id", "operator__name"
    )
    return [
        Expiring(
            kind="account",
            id=pk,
            name=name,
            key=key,
            made=_unix(made),
            expires=expires,
            operator=operator,
            account=pk,
            operator_name=operator_name,
            account_name=name,
        )
        for pk, name, key, made, expires, operator, operator_name in rows[:BATCH]
    ]


def _users(days: int, now: int) -> list[Expiring]:
    live = User.objects.live().filter(operator__deleted_at=None, account__deleted_at=None)
    own = ("pk", "name", "public_key", "created_at", "expires")
    above = ("operator_id", "operator__name", "account_id", "account__name")
    return [
        Expiring(
            kind="user",
            id=pk,
            name=name,
            key=key,
            made=_unix(made),
            expires=expires,
            operator=operator,
            account=account,
            operator_name=operator_name,
            account_name=account_name,
        )
        for pk, name, key, made, expires, operator, operator_name, account, account_name in _soon(
            live, "user", days, now
        ).values_list(*own, *above)[:BATCH]
    ]


def _activations(days: int, now: int) -> list[Expiring]:
    """Those in whose place no newer one was issued, of accounts that are still there."""
    current = IssuedToken.objects.activations().filter(replaced_by=None, operator__deleted_at=None)
    rows = list(_soon(current, "activation", days, now, "exp").select_related("operator")[:BATCH])
    issuers = Key.objects.filter(public_key__in={row.issuer for row in rows}, account__isnull=False)
    accounts = {key.public_key: key.account for key in issuers.select_related("account")}
    return [
        Expiring(
            kind="activation",
            id=row.pk,
            name=row.name,
            key=row.subject,
            made=row.iat,
            expires=row.exp,
            operator=row.operator_id,
            account=account.pk if (account := accounts.get(row.issuer)) else None,
            operator_name=row.operator.name if row.operator else "",
            account_name=account.name if account else "",
        )
        for row in rows
    ]


def _tokens(days: int, now: int) -> list[Expiring]:
    """Their expiry is a moment: what was warned of is kept in whole seconds."""
    near = ApiToken.objects.filter(
        revoked_at=None, expires_at__gt=_at(now), expires_at__lte=_at(now + days * DAY)
    )
    rows = list(near.select_related("service_account", "person").order_by("expires_at", "pk")[:BATCH])
    warned = set(
        Warned.objects.filter(kind="token", days=days, object_id__in=[row.pk for row in rows]).values_list(
            "object_id", "expires"
        )
    )
    return [
        Expiring(
            kind="token",
            id=row.pk,
            name=f"{row.name} of {row.service_account or row.person}",
            key=row.prefix,
            made=_unix(row.created_at),
            expires=_unix(row.expires_at),
            operator=row.operator_id,
        )
        for row in rows
        if row.expires_at is not None and (row.pk, _unix(row.expires_at)) not in warned
    ]


def _unix(moment: datetime) -> int:
    return int(moment.timestamp())


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


_KINDS: Mapping[str, Callable[[int, int], list[Expiring]]] = {
    "operator": _operators,
    "account": _accounts,
    "user": _users,
    "activation": _activations,
    "token": _tokens,
}
KINDS = tuple(_KINDS)
