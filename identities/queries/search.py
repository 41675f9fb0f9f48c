"""Finds operators, accounts and users by name, keys by any part that people write, and subjects by their beginning."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, QuerySet, Value
from django.db.models.sql.compiler import SQLCompiler

from identities.models import Account, Cluster, Key, Operator, Permission, Server, SubjectPattern, User
from identities.policy.principal import Principal
from identities.queries import prefixes, reach

PAGE = 50
FEW = 10
_KEY_PART = re.compile(r"([OAUX][A-Z2-7]{3,55})(?:(?:…|\.\.\.)([A-Z2-7]{1,52}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One account or user with where it stands: names and keys. `place` is the cursor behind it."""

    name: str
    key: str
    operator: str
    operator_key: str
    account: str
    account_key: str
    place: tuple[int, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundKey:
    """A public key and its holder: kind and purpose of the key, and names and keys from the operator down.

    `deleted`: nobody has it any more; `replaced`: because whoever had it goes on with other keys.
    """

    key: str
    kind: str
    purpose: str
    role: str
    operator: str
    operator_key: str
    account: str
    account_key: str
    user: str
    user_key: str
    deleted: bool
    replaced: bool


class RowAfter(Func):
    """`(a, b, c) > (x, y, z)`, which both databases answer by an index over the three columns."""

    output_field = BooleanField()
    arity = 6

    def as_sql(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,
        function: str | None = None,
        template: str | None = None,
        arg_joiner: str | None = None,
        **extra_context: Any,
    ) -> tuple[str, tuple[str | int, ...]]:
        """The comparison of the first three expressions with the last three."""
        parts = [compiler.compile(expression) for expression in self.source_expressions]
        texts = [sql for sql, _ in parts]
        params = tuple(param for _, given in parts for param in given)
        return f"({', '.join(texts[:3])}) > ({', '.join(texts[3:])})", params


def key_part(text: str) -> tuple[str, str] | None:
    """Beginning and end of a key as people copy it (`UABC`, `UABC…WXYZ`, or all of it); None for any other text."""
    found = _KEY_PART.fullmatch(text.strip())
    return (found[1], found[2] or "") if found else None


def operators(rows: tuple[Operator, ...], text: str) -> tuple[Operator, ...]:
    """Those of the (loaded, few) operators whose name holds `text`, ignoring case."""
    wanted = text.casefold()
    return tuple(row for row in rows if wanted in row.name.casefold())


def accounts(
    principal: Principal, text: str, operator: Operator | None, *, size: int = FEW
) -> tuple[Named, ...]:
    """Accounts whose name holds `text`, ignoring case, the shortest names first: the best fits."""
    rows = Account.objects.visible_to(principal).live().filter(name_fold__contains=text.casefold())
    rows = rows if operator is None else rows.filter(operator=operator)
    found = rows.order_by("name_fold", "pk").values_list(
        "pk", "name", "public_key", "operator_id", "operator__name", "operator__public_key"
    )[:size]
    return tuple(
        Named(
            name=name,
            key=key,
            operator=operator_name,
            operator_key=operator_key,
            account=name,
            account_key=key,
            place=(operator_id, name, pk),
        )
        for pk, name, key, operator_id, operator_name, operator_key in found
    )


def users(
    principal: Principal,
    text: str,
    operators: tuple[Operator, ...],
    *,
    inside: bool = False,
    after: tuple[int, str, int] | None = None,
    size: int = PAGE + 1,
) -> tuple[Named, ...]:
    """Users of `operators` whose name begins with `text` (`inside`: holds it, ignoring case), by operator and name.

    A beginning is found by an index range; looking inside reads every name.
    """
    rows = in_order(User.objects.visible_to(principal).live(), operators, after)
    rows = rows.filter(Q(name__icontains=text) if inside else prefixes.begins("name", text))
    found = rows.values_list(*NAMED_USER)[:size]
    return tuple(named_user(*row) for row in found)


NAMED_USER = (
    "pk",
    "name",
    "public_key",
    "operator_id",
    "operator__name",
    "operator__public_key",
    "account__name",
    "account__public_key",
)


def named_user(
    pk: int,
    name: str,
    key: str,
    operator_id: int,
    operator: str,
    operator_key: str,
    account: str,
    account_key: str,
) -> Named:
    """A row of `NAMED_USER` as a value."""
    return Named(
        name=name,
        key=key,
        operator=operator,
        operator_key=operator_key,
        account=account,
        account_key=account_key,
        place=(operator_id, name, pk),
    )


def in_order(
    rows: QuerySet[User], operators: tuple[Operator, ...], after: tuple[int, str, int] | None
) -> QuerySet[User]:
    """Users by operator, name and id, as the index has them, behind `after`."""
    ids = [operator.pk for operator in operators]
    rows = rows.filter(operator_id=ids[0]) if len(ids) == 1 else rows.filter(operator_id__in=ids)
    if after is not None:
        operator, name, pk = after
        columns = F("operator_id"), F("name"), F("pk")
        rows = rows.filter(RowAfter(*columns, Value(operator), Value(name), Value(pk)))
    return rows.order_by("operator_id", "name", "pk")


def keys(principal: Principal, part: tuple[str, str], *, size: int = PAGE + 1) -> tuple[FoundKey, ...]:
    """Keys, also former ones, that begin and end so, with whoever holds them."""
    start, end = part
    rows = Key.objects.filter(reach.below_operator(principal), prefixes.begins("public_key", start))
    if end:
        rows = rows.filter(public_key__endswith=end)
    return _holders(rows, size)


def whose(principal: Principal, wanted: Iterable[str]) -> tuple[FoundKey, ...]:
    """Those of these keys that somebody has or had, with their holders."""
    return _holders(Key.objects.filter(reach.below_operator(principal), public_key__in=set(wanted)), PAGE)


def servers(principal: Principal, wanted: Iterable[str]) -> dict[str, Server]:
    """The servers that run, or last ran, under these ids (N…), with their clusters."""
    rows = Server.objects.filter(server_id__in=set(wanted), cluster__deleted_at=None)
    rows = rows.filter(cluster__in=Cluster.objects.visible_to(principal)).select_related("cluster__operator")
    return {row.server_id: row for row in rows}


def _holders(rows: QuerySet[Key], size: int) -> tuple[FoundKey, ...]:
    found = rows.order_by("public_key", "pk").values_list(
        "public_key",
        "kind",
        "purpose",
        "role",
        "operator__name",
        "operator__public_key",
        "account__name",
        "account__public_key",
        "user__name",
        "user__public_key",
        "deleted_at",
        "operator__deleted_at",
        "account__deleted_at",
        "user__deleted_at",
    )[:size]
    return tuple(
        FoundKey(
            key=key,
            kind=kind,
            purpose=purpose,
            role=role,
            operator=operator,
            operator_key=operator_key,
            account=account or "",
            account_key=account_key or "",
            user=user or "",
            user_key=user_key or "",
            deleted=deleted is not None,
            replaced=deleted is not None and not any(holders_deleted),
        )
        for (
            key,
            kind,
            purpose,
            role,
            operator,
            operator_key,
            account,
            account_key,
            user,
            user_key,
            deleted,
            *holders_deleted,
        ) in found
    )


def subjects(principal: Principal, text: str, *, size: int = FEW) -> tuple[str, ...]:
    """Subjects in permissions that begin with `text`; only for those who may see every permission there is."""
    if not reach.everything(principal):
        return ()
    used = Exists(Permission.objects.filter(pattern=OuterRef("pk")))
    rows = SubjectPattern.objects.filter(prefixes.begins("text", text)).filter(used)
    return tuple(rows.order_by("text").values_list("text", flat=True)[:size])
