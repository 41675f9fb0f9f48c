"""What nats-servers ask for: the operator that an address serves, and its account JWTs. One or two queries each."""

from __future__ import annotations

from typing import NamedTuple

from django.db import connection
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


def served_account(operator_key: str, account_key: str) -> AccountJwt | None:
    """What `served_operator` and `account_jwt` find, in one query that is written out: nats-servers ask by thousands.

    None also where the operator goes by a former key: those two know.
    """
    with connection.cursor() as cursor:
        if operator_key:
            cursor.execute(_UNDER_KEY, [account_key, operator_key])
        else:
            cursor.execute(_UNDER_DEFAULT, [account_key])
        found = cursor.fetchone()
    return AccountJwt(*found) if found else None


_UNDER_KEY = """
    SELECT t.text, t.jti, t.exp FROM identities_account a
    JOIN identities_issuedtoken t ON t.id = a.token_id
    JOIN identities_operator o ON o.id = a.operator_id
    WHERE a.public_key = %s AND a.deleted_at IS NULL
      AND o.public_key = %s AND o.deleted_at IS NULL AND o.token_id IS NOT NULL
"""
_UNDER_DEFAULT = """
    SELECT t.text, t.jti, t.exp FROM identities_account a
    JOIN identities_issuedtoken t ON t.id = a.token_id
    WHERE a.public_key = %s AND a.deleted_at IS NULL AND a.operator_id = (
      SELECT o.id FROM identities_operator o
      LEFT JOIN identities_installation i ON i.default_operator_id = o.id
      WHERE o.deleted_at IS NULL AND o.token_id IS NOT NULL
        AND (i.id IS NOT NULL OR 1 = (
          SELECT count(*) FROM identities_operator p WHERE p.deleted_at IS NULL AND p.token_id IS NOT NULL))
      ORDER BY i.id IS NULL, o.id LIMIT 1)
"""


def account_jwt(operator_id: int, account_key: str) -> AccountJwt | None:
    """The current JWT of a live account of this operator."""
    found = (
        Account.objects.live()
        .filter(operator_id=operator_id, public_key=account_key, token__isnull=False)
        .values_list("token__text", "token__jti", "token__exp")
        .first()
    )
    return AccountJwt(*found) if found else None
