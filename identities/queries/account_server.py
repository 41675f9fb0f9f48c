"""What nats-servers ask for: the operator that an address serves, and its account JWTs. One or two queries each."""

from __future__ import annotations

from typing import NamedTuple

from django.db.models import Exists, OuterRef

from identities.models import Account, Installation, Key, Operator


class Served(NamedTuple):
    """The operator behind an address, with its JWT."""

    id: int
    jwt: str


class AccountJwt(NamedTuple):
    """An account's current JWT, with what caching needs: `expires` is unix seconds, 0 = never."""

    text: str
    jti: str
    expires: int


def served_operator(operator_key: str) -> Served | None:
    """The live operator that has or had this key; for "" the chosen default operator, or the only one there is.

    None when there is no such operator, and when several could be meant. Servers have the key in their configuration:
    they must find their accounts by it also after a reissue.
    """
    live = Operator.objects.live().filter(token__isnull=False)
    if operator_key:
        found = live.filter(public_key=operator_key).values_list("pk", "token__text").first()
        return Served(*found) if found else _by_former_key(operator_key)
    chosen = Installation.objects.filter(default_operator=OuterRef("pk"))
    rows = list(
        live.annotate(chosen=Exists(chosen))
        .order_by("-chosen", "pk")
        .values_list("pk", "token__text", "chosen")[:2]
    )
    if rows and (rows[0][2] or len(rows) == 1):
        return Served(rows[0][0], rows[0][1])
    return None


def _by_former_key(key: str) -> Served | None:
    held = Key.objects.filter(public_key=key, kind="operator", operator__deleted_at=None)
    found = (
        held.filter(operator__token__isnull=False).values_list("operator", "operator__token__text").first()
    )
    return Served(*found) if found else None


def account_jwt(operator_id: int, account_key: str) -> AccountJwt | None:
    """The current JWT of a live account of this operator."""
    found = (
        Account.objects.live()
        .filter(operator_id=operator_id, public_key=account_key, token__isnull=False)
        .values_list("token__text", "token__jti", "token__exp")
        .first()
    )
    return AccountJwt(*found) if found else None
