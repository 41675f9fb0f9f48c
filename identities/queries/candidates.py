"""Users who may have a right to a subject, in order of operator and name, each found through an index.

In SQL, because Django takes longer to build these queries than the database to answer them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Literal

from django.db import connections

from identities.models import Operator, User
from identities.policy.principal import Principal, ScopeKind
from identities.queries import patterns, reach, search

Direction = Literal["pub", "sub"]
Parameters = list[int | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One user who may have the right. `claims` is the document of a role's user, "" for the others."""

    user: search.Named
    user_id: int
    account_id: int
    mode: str
    default_mode: str
    issuer: str
    claims: str


# {d} is pub or sub, {where} the reach and the place behind which to begin; nothing that a person typed.
_SELECT = """
SELECT u.id, u.name, u.public_key, u.operator_id, a.name, a.public_key, u.account_id, u.{d}_mode, a.default_{d},
       u.issuer, CASE WHEN u.{d}_mode = 'role' THEN u.claims ELSE '' END
FROM identities_user u {by} JOIN identities_account a ON a.id = u.account_id
WHERE u.deleted_at IS NULL AND {where}"""
_ORDER = " ORDER BY u.operator_id, u.name, u.id LIMIT {size}"

# Users with rules of their own: few are found through their rules, many in order of name.
_RARE = """ AND u.{d}_mode = 'rules' AND u.id IN (
  SELECT p.user_id FROM identities_permission p
  WHERE p.direction = '{d}' AND p.effect = 'allow' AND p.user_id IS NOT NULL AND p.pattern_id IN ({ids}))"""
_OFTEN = """ AND u.{d}_mode = 'rules' AND EXISTS (
  SELECT 1 FROM identities_permission p {join}
  WHERE p.user_id = u.id AND p.direction = '{d}' AND p.effect = 'allow' AND {meets})"""
# Users whose right comes from their role, their account's defaults, or from there being no rule.
# The first two conditions are word for word those of the partial indexes `user_pub_other` and `user_sub_other`.
_OTHERS = """ AND NOT (u.{d}_mode = 'rules') AND (u.{d}_mode = 'open'
  OR (u.{d}_mode = 'default' AND u.account_id IN (
    SELECT id FROM identities_account WHERE default_{d} = 'open' UNION ALL
    SELECT p.account_id FROM identities_permission p {join}
    WHERE p.user_id IS NULL AND p.key_id IS NULL AND p.direction = '{d}' AND p.effect = 'allow' AND {meets}))
  OR (u.{d}_mode = 'role' AND u.issuer IN (
    SELECT k.public_key FROM identities_key k WHERE k.purpose = 'role' AND k.deleted_at IS NULL AND (
      NOT EXISTS (SELECT 1 FROM identities_permission p
        WHERE p.key_id = k.id AND p.direction = '{d}' AND p.effect = 'allow')
      OR EXISTS (SELECT 1 FROM identities_permission p JOIN identities_subjectpattern s ON s.id = p.pattern_id
        WHERE p.key_id = k.id AND p.direction = '{d}' AND p.effect = 'allow'
          AND ({meets} OR s.text LIKE '%%{{%%'))))))"""


def of(
    principal: Principal,
    subject: str,
    direction: Direction,
    operators: tuple[Operator, ...],
    *,
    after: tuple[int, str, int] | None,
    size: int,
) -> list[Candidate]:
    """The first `size` candidates behind `after`; three queries at most."""
    meeting = patterns.Meeting.of(subject, direction)
    names = {operator.pk: operator for operator in operators}
    others = _met(_OTHERS, meeting)
    own: tuple[str, Parameters]
    if meeting.is_rare and meeting.ids:
        own = _RARE.replace("{ids}", _numbers(meeting.ids)), []
    else:
        own = _met(_OFTEN, meeting)
    parts: list[tuple[tuple[str, Parameters], str, str]]
    if not _is_sqlite():
        # In one query: only the database knows by which rules it puts names in order.
        either = f" AND ((TRUE {own[0]}) OR (TRUE {others[0]}))", [*own[1], *others[1]]
        parts = [(either, "u.operator_id", "")]
    else:
        # SQLite keeps no figures by which it could see that the small index is the better one.
        parts = [(others, "u.operator_id", "INDEXED BY user_{d}_other")]
        if meeting.is_rare and meeting.ids:
            # The sum keeps the index by name out: few users are found by their ids, and sorted.
            parts.append((own, "u.operator_id + 0", ""))
        elif not meeting.is_empty:
            parts.append((own, "u.operator_id", ""))
    streams = []
    for (sql, params), key, by in parts:
        where, given = _where(principal, operators, after, key)
        text = (_SELECT + sql + _ORDER).replace("{by}", by).replace("{where}", where)
        text = text.replace("{d}", direction).replace("{size}", str(size))
        streams.append(_fetched(text, [*given, *params], names))
    return list(islice(merge(*streams, key=lambda one: one.user.place), size))


def _is_sqlite() -> bool:
    return connections[User.objects.db].vendor == "sqlite"


def _met(sql: str, meeting: patterns.Meeting) -> tuple[str, Parameters]:
    """`sql` with its condition on patterns filled in, by id or by text."""
    if meeting.ids is not None:
        # The sum keeps the index on patterns out: each user's few rules are looked at, not each rule's many users.
        meets = f"p.pattern_id + 0 IN ({_numbers(meeting.ids)})" if meeting.ids else "1 = 0"
        return sql.replace("{join}", "").replace("{meets}", meets), []
    condition, params = meeting.sql("s.text")
    join = "JOIN identities_subjectpattern s ON s.id = p.pattern_id"
    return sql.replace("{join}", join).replace("{meets}", condition), params * sql.count("{meets}")


def _where(
    principal: Principal, operators: Sequence[Operator], after: tuple[int, str, int] | None, key: str
) -> tuple[str, Parameters]:
    """Reach and place; `key` is the operator's id, written so that an index on it may be used or not."""
    ids = [operator.pk for operator in operators]
    where = f"{key} = {ids[0]}" if len(ids) == 1 else f"{key} IN ({_numbers(ids)})"
    if not reach.everything(principal):
        whole = [h.operator for h in principal.roles if h.kind is ScopeKind.OPERATOR and h.operator]
        single = [h.account for h in principal.roles if h.kind is ScopeKind.ACCOUNT and h.account]
        where += f" AND ({key} IN ({_numbers(whole)}) OR u.account_id IN ({_numbers(single)}))"
    if after is None:
        return where, []
    return f"{where} AND ({key}, u.name, u.id) > (%s, %s, %s)", list(after)


def _numbers(ids: Sequence[int]) -> str:
    """Database ids as SQL; no list is empty there."""
    return ", ".join(map(str, map(int, ids))) or "NULL"


def _fetched(sql: str, params: Parameters, names: dict[int, Operator]) -> list[Candidate]:
    with connections[User.objects.db].cursor() as cursor:
        cursor.execute(sql, params)
        rows = cursor.fetchall()
    return [
        Candidate(
            user=search.Named(
                name=name,
                key=key,
                operator=names[operator].name,
                operator_key=names[operator].public_key,
                account=account,
                account_key=account_key,
                place=(operator, name, pk),
            ),
            user_id=pk,
            account_id=account_id,
            mode=mode,
            default_mode=default_mode,
            issuer=issuer,
            claims=claims,
        )
        for (
            pk,
            name,
            key,
            operator,
            account,
            account_key,
            account_id,
            mode,
            default_mode,
            issuer,
            claims,
        ) in rows
    ]
