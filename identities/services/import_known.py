"""What of an import is here already: rows by key, names that are taken, keys and whether their seeds are here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import BooleanField, Case, Count, Q, Sum, Value, When

from identities.claims import codec
from identities.claims.common import Claims
from identities.models import Account, IssuedToken, Key, Operator, Purpose, User
from identities.policy.principal import Principal
from identities.services import changes, columns

AT_ONCE = 500
_ROW = ("pk", "public_key", "name", "version", "last_iat", "token_id", "deleted_at", "claims")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A row that is here under the key of something that comes in. `deleted`: a tombstone of it."""

    pk: int
    key: str
    name: str
    version: int
    last_iat: int
    token: int | None
    deleted: bool
    suspended: bool = False
    payload: str = field(repr=False)

    @property
    def iat(self) -> int:
        """When its present JWT was issued."""
        return self.claims.iat

    @property
    def claims(self) -> Claims[Any]:
        """Its present claims."""
        return codec.from_payload(self.payload)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A live key row."""

    pk: int
    key: str
    account: int | None
    user: int | None
    purpose: str
    role: str
    has_seed: bool

    @property
    def is_spare(self) -> bool:
        """Whether it was generated ahead, and gives way to whoever turns out to have it."""
        return self.purpose == Purpose.SPARE


def operators(principal: Principal) -> list[Operator]:
    """Every live operator that the principal sees: to who sees it not, it is not here."""
    return list(Operator.objects.visible_to(principal).live().order_by("pk"))


def of_operator(row: Operator) -> Known:
    """A loaded operator as a known row."""
    return Known(
        pk=row.pk,
        key=row.public_key,
        name=row.name,
        version=row.version,
        last_iat=row.last_iat,
        token=row.token_id,
        deleted=False,
        payload=row.claims,
    )


def accounts(operator: int, keys: Sequence[str]) -> dict[str, Known]:
    """The accounts of an operator with these keys; of one that was deleted and is live again, the live one."""
    return _by_key(Account.objects.filter(operator_id=operator), keys)


def users(account: int, keys: Sequence[str]) -> dict[str, Known]:
    """The users of an account with these keys, likewise."""
    rows = User.objects.filter(account_id=account)
    found = _by_key(rows, keys)
    for part in _parts([key for key, known in found.items() if not known.deleted]):
        suspended = rows.live().filter(public_key__in=part).exclude(suspended_at=None)
        for key in suspended.values_list("public_key", flat=True):
            found[key] = replace(found[key], suspended=True)
    return found


def accounts_by_key(principal: Principal, keys: Sequence[str]) -> Iterator[Account]:
    """Live accounts with these identity or signing keys that the principal sees, whichever operator they are under."""
    for part in _parts(keys):
        named = Q(public_key__in=part) | Q(keys__public_key__in=part, keys__user=None, keys__deleted_at=None)
        seen = Account.objects.visible_to(principal).live()
        found = seen.filter(named, operator__deleted_at=None).distinct()
        yield from found.select_related("operator").order_by("pk")


def taken_names(rows: Any, column: str, names: Sequence[str]) -> dict[str, str]:
    """Which of these names live rows bear, and the key of each."""
    found: dict[str, str] = {}
    for part in _parts(names):
        live = rows.filter(**{f"{column}__in": part}, deleted_at=None)
        found.update(live.values_list(column, "public_key"))
    return found


def keys(operator: int, wanted: Sequence[str]) -> dict[str, KnownKey]:
    """The live keys under an operator, of those that are asked for."""
    found: dict[str, KnownKey] = {}
    has_seed = Case(
        When(sealed__isnull=True, then=Value(False)), default=Value(True), output_field=BooleanField()
    )
    for part in _parts(wanted):
        live = Key.objects.filter(operator_id=operator, public_key__in=part, deleted_at=None)
        rows = live.annotate(here=has_seed).values_list(
            "pk", "public_key", "account_id", "user_id", "purpose", "role", "here"
        )
        found.update((row[1], KnownKey(*row)) for row in rows)
    return found


def seedless(wanted: Sequence[str]) -> list[Key]:
    """Live keys of these whose seeds are not here, under any live operator."""
    found: list[Key] = []
    for part in _parts(wanted):
        rows = Key.objects.filter(
            public_key__in=part, deleted_at=None, sealed=None, operator__deleted_at=None
        )
        found += rows.select_related("operator", "account", "user").order_by("pk")
    return found


def any_seed(principal: Principal, wanted: Sequence[str]) -> set[str]:
    """Those of these keys whose seeds are here, under operators that the principal sees."""
    found: set[str] = set()
    seen = Operator.objects.visible_to(principal)
    for part in _parts(wanted):
        rows = Key.objects.filter(operator__in=seen, public_key__in=part, deleted_at=None)
        rows = rows.exclude(sealed=None)
        found.update(rows.values_list("public_key", flat=True))
    return found


def ledger_is_empty() -> bool:
    """Whether no JWT was ever signed or imported here."""
    return not IssuedToken.objects.exists()


def fingerprint(operator: int) -> tuple[object, ...]:
    """What changes with any change under an operator."""
    row = Operator.objects.filter(pk=operator, deleted_at=None).values_list("version", flat=True).first()
    accounts, users = Account.objects.filter(operator_id=operator), User.objects.filter(operator_id=operator)
    held = Key.objects.filter(operator_id=operator)
    return (
        row,
        *(rows.aggregate(Count("pk"), Sum("version"), Count("deleted_at")) for rows in (accounts, users)),
        held.aggregate(Count("pk"), Count("sealed"), Count("deleted_at")),
    )


def local_name(known: Known, fresh: str) -> str:
    """The name that something goes on with: that of its new JWT, or the one it was given here, while the JWTs agree."""
    said = columns.name_of(known.claims)
    return known.name if known.name != said and said == fresh else fresh


def diff_of(known: Known, payload: str) -> list[tuple[str, str, str]]:
    """Field by field, what a newer JWT changes."""
    fresh = codec.from_payload(payload)
    found = changes.difference(known.claims, fresh)
    return [(change.path, change.before, change.after) for change in found]


def _by_key(rows: Any, keys: Sequence[str]) -> dict[str, Known]:
    found: dict[str, Known] = {}
    for part in _parts(keys):
        for pk, key, name, version, iat, token, gone, payload in (
            rows.filter(public_key__in=part).order_by("-deleted_at", "pk").values_list(*_ROW)
        ):
            if key not in found or gone is None:
                found[key] = Known(
                    pk=pk,
                    key=key,
                    name=name,
                    version=version,
                    last_iat=iat,
                    token=token,
                    deleted=gone is not None,
                    payload=payload,
                )
    return found


def _parts(values: Iterable[str]) -> Iterator[list[str]]:
    listed = list(values)
    for start in range(0, len(listed), AT_ONCE):
        yield listed[start : start + AT_ONCE]
