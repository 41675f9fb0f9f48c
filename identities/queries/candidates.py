"""Users who may have a right to a subject, in order of operator and name, each found through an index.

In SQL, because Django takes longer to build these queries than the database to answer them. Nothing that a person
typed is ever put into its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.db import connections

from identities.models import Operator, User
from identities.policy.principal import Principal, ScopeKind
from identities.queries import patterns, reach, search

Direction = Literal["pub", "sub"]
Parameters = list[int | str]
FEW_USERS = 2000
"""So many users of accounts are collected through their accounts; more are met soon enough in order of name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One user who may have the right. `claims` is the document of a role's user, "" for others unless they are asked
    for (`Within.documents`).
    """

    user: search.Named
    user_id: int
    account_id: int
    mode: str
    default_mode: str
    issuer: str
    claims: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """The one account whose users are wanted; `by_default`: its defaults may give the right; `documents`: with the
    claims of every user.
    """

    account_id: int
    users: int
    by_default: bool
    documents: bool = False


_OF_ROLES = "CASE WHEN u.{d}_mode = 'role' THEN u.claims ELSE '' END"
# {d} is pub or sub, {claims} the document or that of roles' users alone, {where} the reach and the place behind which
# to begin.
_BRANCH = """
SELECT * FROM (
SELECT u.id, u.name, u.public_key, u.operator_id, a.name AS account, a.public_key AS account_key, u.account_id,
       u.{d}_mode, a.default_{d}, u.issuer, {claims} AS claims
FROM identities_user u {by} JOIN identities_account a ON a.id = u.account_id
WHERE u.deleted_at IS NULL AND {where} AND {right}
ORDER BY u.operator_id, u.name, u.id LIMIT {size}) AS {name}"""
_ALL = "SELECT * FROM ({branches}) AS found ORDER BY operator_id, name, id LIMIT {size}"

_OWN_RARE = """u.{d}_mode = 'rules' AND u.id IN (
  SELECT p.user_id FROM identities_permission p
  WHERE p.direction = '{d}' AND p.effect = 'allow' AND p.user_id IS NOT NULL AND p.pattern_id IN ({ids}))"""
_OWN = """u.{d}_mode = 'rules' AND EXISTS (
  SELECT 1 FROM identities_permission p {join}
  WHERE p.user_id = u.id AND p.direction = '{d}' AND p.effect = 'allow' AND {meets})"""
# Word for word the condition of the partial indexes `user_pub_other` and `user_sub_other`, which SQLite, keeping no
# figures, has to be told to use.
_OTHER = "NOT (u.{d}_mode = 'rules') AND "
_BY_OTHER = "INDEXED BY user_{d}_other"
_OPEN = "u.{d}_mode = 'open'"
_DEFAULT = "u.{d}_mode = 'default' AND u.account_id IN ({accounts})"
_ROLE = """u.{d}_mode = 'role' AND u.issuer IN (
  SELECT k.public_key FROM identities_key k WHERE k.purpose = 'role' AND k.deleted_at IS NULL AND (
    NOT EXISTS (SELECT 1 FROM identities_permission p
      WHERE p.key_id = k.id AND p.direction = '{d}' AND p.effect = 'allow')
    OR EXISTS (SELECT 1 FROM identities_permission p JOIN identities_subjectpattern s ON s.id = p.pattern_id
      WHERE p.key_id = k.id AND p.direction = '{d}' AND p.effect = 'allow'
        AND ({meets} OR s.text LIKE '%%{{%%'))))"""
_ACCOUNTS = """
SELECT a.id, a.user_count FROM identities_account a
WHERE a.deleted_at IS NULL AND a.user_count > 0 AND a.operator_id IN ({operators}) AND (a.default_{d} = 'open'
  OR (a.default_{d} = 'rules' AND a.id IN (
    SELECT p.account_id FROM identities_permission p {join} WHERE p.user_id IS NULL
      AND COALESCE(p.key_id, 0) = 0 AND p.direction = '{d}' AND p.effect = 'allow' AND {meets})))"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Branch:
    """One way to a right: its condition with parameters; `indexed` follows an index by name, else rows are sorted."""

    name: str
    right: str
    params: Parameters
    indexed: bool = True
    by: str = ""


def of(
    principal: Principal,
    subject: str,
    direction: Direction,
    operators: tuple[Operator, ...],
    *,
    after: tuple[int, str, int] | None,
    size: int,
    within: Within | None = None,
) -> list[Candidate]:
    """The first `size` candidates behind `after`, in three queries: patterns, accounts by default, users.

    With `within` the account's defaults are known, which saves the second.
    """
    meeting = patterns.Meeting.of(subject, direction)
    if within is None:
        defaults = _accounts(meeting, direction, operators)
    else:
        defaults = [(within.account_id, within.users)] if within.by_default else []
    branches = [*_own(meeting), *_others(meeting, defaults)]
    texts, params = [], list[int | str]()
    for branch in branches:
        # The sum keeps the index by name out: few users are found by what the branch says of them, and sorted.
        where, given = _where(
            principal, operators, after, "u.operator_id" if branch.indexed else "u.operator_id + 0"
        )
        if within is not None:
            where += f" AND u.account_id = {int(within.account_id)}"
        texts.append(
            _BRANCH.replace("{by}", branch.by if _is_sqlite() else "")
            .replace("{claims}", "u.claims" if within is not None and within.documents else _OF_ROLES)
            .replace("{where}", where)
            .replace("{right}", branch.right)
            .replace("{name}", branch.name)
        )
        params += [*given, *branch.params]
    sql = _ALL.replace("{branches}", " UNION ALL ".join(texts))
    rows = _asked(sql.replace("{d}", direction).replace("{size}", str(size)), params)
    names = {operator.pk: operator for operator in operators}
    return [_candidate(row, names) for row in rows]


def _own(meeting: patterns.Meeting) -> list[_Branch]:
    """Users with rules of their own: few are found through their rules, many in order of name."""
    if meeting.is_empty:
        return []
    if meeting.is_rare and meeting.ids:
        right = _OWN_RARE.replace("{ids}", _numbers(meeting.ids))
        return [_Branch(name="own", right=right, params=[], indexed=False)]
    right, params = _met(_OWN, meeting)
    return [_Branch(name="own", right=right, params=params)]


def _others(meeting: patterns.Meeting, accounts: list[tuple[int, int]]) -> list[_Branch]:
    """Users whose right comes from there being no rule, from their account's defaults, or from their role."""
    branches = [_Branch(name="open", right=_OTHER + _OPEN, params=[], by=_BY_OTHER)]
    if accounts:
        right = _DEFAULT.replace("{accounts}", _numbers([pk for pk, _ in accounts]))
        if sum(users for _, users in accounts) <= FEW_USERS:
            branches.append(_Branch(name="by_default", right=right, params=[], indexed=False))
        else:
            branches.append(_Branch(name="by_default", right=_OTHER + right, params=[], by=_BY_OTHER))
    right, params = _met(_ROLE, meeting)
    branches.append(_Branch(name="by_role", right=_OTHER + right, params=params, by=_BY_OTHER))
    return branches


def _accounts(
    meeting: patterns.Meeting, direction: Direction, operators: Sequence[Operator]
) -> list[tuple[int, int]]:
    """Accounts whose defaults may give the right, with the number of their users."""
    sql, params = _met(_ACCOUNTS, meeting)
    sql = sql.replace("{operators}", _numbers([operator.pk for operator in operators]))
    return [(pk, users) for pk, users in _asked(sql.replace("{d}", direction), params)]


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
    if ids == [after[0]]:  # the index on the mode begins with the operator alone
        return f"{where} AND (u.name, u.id) > (%s, %s)", list(after[1:])
    return f"{where} AND ({key}, u.name, u.id) > (%s, %s, %s)", list(after)


def _numbers(ids: Sequence[int]) -> str:
    """Database ids as SQL; no list is empty there."""
    return ", ".join(map(str, map(int, ids))) or "NULL"


def _is_sqlite() -> bool:
    return connections[User.objects.db].vendor == "sqlite"


def _asked(sql: str, params: Parameters) -> list[tuple[Any, ...]]:
    with connections[User.objects.db].cursor() as cursor:
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _candidate(row: tuple[Any, ...], names: dict[int, Operator]) -> Candidate:
    pk, name, key, operator, account, account_key, account_id, mode, default_mode, issuer, claims = row
    user = search.Named(
        name=name,
        key=key,
        operator=names[operator].name,
        operator_key=names[operator].public_key,
        account=account,
        account_key=account_key,
        place=(operator, name, pk),
    )
    return Candidate(
        user=user,
        user_id=pk,
        account_id=account_id,
        mode=mode,
        default_mode=default_mode,
        issuer=issuer,
        claims=claims,
    )
