"""What the permission tester is told about a user: its claims, its account's, and those of accounts imported from."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.explain_types import Situation
from identities.models import Account, User
from identities.nkeys import KeyKind, is_public
from identities.policy.principal import Principal

_DEEPEST = 4
MOST_NAMESAKES = 20


def of(principal: Principal, user: User, *, now: int, cluster: str | None = None) -> Situation:
    """The situation of a user whose account and operator are loaded; one query a step of imports, four at most.

    Accounts that the principal may not see are unknown to it.
    """
    account = user.account
    claims: Claims[AccountBody] = codec.from_payload(account.claims)
    return Situation(
        user=codec.from_payload(user.claims),
        account=claims,
        others=_exporters(principal, claims),
        system_account=account.operator.system_account,
        strict=account.operator.strict,
        cluster=cluster,
        now=now,
    )


def _exporters(principal: Principal, account: Claims[AccountBody]) -> dict[str, Claims[AccountBody]]:
    known: dict[str, Claims[AccountBody]] = {}
    wanted = _imported_from([account]) - {account.sub}
    for _ in range(_DEEPEST):
        if not wanted:
            break
        rows = Account.objects.visible_to(principal).live().filter(public_key__in=wanted)
        found = {key: codec.from_payload(text) for key, text in rows.values_list("public_key", "claims")}
        known |= found
        wanted = _imported_from(found.values()) - known.keys() - {account.sub}
    return known


def _imported_from(accounts: Iterable[Claims[AccountBody]]) -> set[str]:
    return {one.account for claims in accounts for one in claims.nats.imports if one is not None}


def users(principal: Principal, text: str) -> list[User]:
    """The live users that the principal sees by this public key or exact name, at most twenty and one."""
    wanted = Q(public_key=text) if is_public(text, KeyKind.USER) else Q(name=text)
    return list(_visible(principal).filter(wanted).order_by("account__name", "pk")[: MOST_NAMESAKES + 1])


def by_key(principal: Principal, keys: Iterable[str]) -> dict[str, User]:
    """The live users with these public keys that the principal sees; one query."""
    return {user.public_key: user for user in _visible(principal).filter(public_key__in=set(keys))}


def _visible(principal: Principal) -> QuerySet[User]:
    rows = User.objects.visible_to(principal).live().select_related("account__operator")
    return rows.filter(account__deleted_at=None, operator__deleted_at=None)
