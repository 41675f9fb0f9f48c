"""Who may publish (or subscribe) to a subject: effective permissions by nats-server's rules, page by page.

A user's right comes from its own rules, from having none (everywhere), from the role that issued it, or, when it has
neither publish nor subscribe rules nor a response permission, from its account's defaults; denies are taken away from
each (nats-jwt.md §9.4, 26). The database proposes candidates by index; `coverage` decides exactly.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from typing import Literal

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, TextField, Value, When

from identities.models import Account, Key, Mode, Operator, Permission, Purpose, User
from identities.policy.principal import Principal
from identities.queries import patterns, search
from identities.queries.coverage import Coverage, coverage
from identities.queries.roles import Roles

Direction = Literal["pub", "sub"]
PAGE = 50
LOOKED_AT = 150
"""Candidates that one page looks at; a page that finds fewer says so and goes on from there."""
SPARSE = 500
"""Up to so many users are collected through their rules; more are met soon enough in order of name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One user who may: how much of the subject, by what, and the rules that meet it."""

    user: search.Named
    coverage: Coverage
    source: Mode
    role: str
    allowed: tuple[str, ...]
    denied: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holders:
    """One page of users; `next` is the cursor of the page behind it, None at the end."""

    rows: tuple[Holder, ...]
    next: tuple[int, str, int] | None


@dataclass(slots=True)
class Rules:
    """Allow and deny patterns of one holder in one direction."""

    allow: list[str] = field(default_factory=list)
    deny: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    user: search.Named
    user_id: int
    account_id: int
    mode: str
    default_mode: str
    issuer: str
    claims: str


@dataclass(slots=True)
class _Known:
    """Rules of everybody on the page."""

    users: dict[int, Rules] = field(default_factory=lambda: defaultdict(Rules))
    defaults: dict[int, Rules] = field(default_factory=lambda: defaultdict(Rules))
    roles: Roles = field(default_factory=Roles)


def holders(
    principal: Principal,
    subject: str,
    direction: Direction,
    operators: tuple[Operator, ...],
    *,
    after: tuple[int, str, int] | None = None,
    size: int = PAGE,
) -> Holders:
    """Users of `operators` who may publish (or subscribe) to some or all of `subject`, by operator and name.

    `subject` is a valid subject, with or without wildcards.
    """
    everybody = search.in_order(User.objects.visible_to(principal).live(), operators, after)
    streams = [
        _with_own_rules(everybody, principal, subject, direction, operators, after),
        _without_own_rules(everybody, subject, direction),
    ]
    candidates = list(islice(merge(*streams, key=lambda one: one.user.place), LOOKED_AT + 1))
    more, candidates = len(candidates) > LOOKED_AT, candidates[:LOOKED_AT]
    known = _rules(candidates, direction)
    rows: list[Holder] = []
    for number, candidate in enumerate(candidates):
        found = _judge(candidate, known, subject, direction)
        if found is not None:
            rows.append(found)
        if len(rows) == size and (more or number + 1 < len(candidates)):
            return Holders(rows=tuple(rows), next=candidate.user.place)
    return Holders(rows=tuple(rows), next=candidates[-1].user.place if more and candidates else None)


def _with_own_rules(
    everybody: QuerySet[User],
    principal: Principal,
    subject: str,
    direction: Direction,
    operators: tuple[Operator, ...],
    after: tuple[int, str, int] | None,
) -> list[_Candidate]:
    granting = Permission.objects.filter(direction=direction, effect="allow").filter(
        pattern_id__in=patterns.meeting(subject).values("pk")
    )
    own = granting.filter(user__isnull=False, operator_id__in=[operator.pk for operator in operators])
    ids = list(own.order_by().values_list("user_id", flat=True)[: SPARSE + 1])
    if not ids:
        return []
    rows = everybody.filter(**{f"{direction}_mode": Mode.RULES})
    if len(ids) <= SPARSE:
        rows = rows.filter(pk__in=set(ids))
    else:
        rows = rows.filter(Exists(granting.filter(user=OuterRef("pk"))))
    return _candidates(rows, direction)


def _without_own_rules(everybody: QuerySet[User], subject: str, direction: Direction) -> list[_Candidate]:
    mode = f"{direction}_mode"
    granting = Permission.objects.filter(direction=direction, effect="allow", user=None).filter(
        pattern_id__in=patterns.meeting(subject).values("pk")
    )
    by_default = Q(**{mode: Mode.DEFAULT}) & (
        Q(**{f"account__default_{direction}": Mode.OPEN})
        | Q(account_id__in=granting.filter(key=None).values("account_id"))
    )
    any_allow = Permission.objects.filter(direction=direction, effect="allow", key=OuterRef("pk"))
    meeting = any_allow.filter(
        Q(pattern_id__in=patterns.meeting(subject).values("pk")) | Q(pattern__text__contains="{{")
    )
    role_keys = Key.objects.filter(purpose=Purpose.ROLE, deleted_at=None)
    role_keys = role_keys.filter(Exists(meeting) | ~Exists(any_allow))
    by_role = Q(**{mode: Mode.ROLE}) & Q(issuer__in=role_keys.values("public_key"))
    # The first condition is word for word that of the partial index.
    rows = everybody.filter(~Q(**{mode: Mode.RULES})).filter(Q(**{mode: Mode.OPEN}) | by_default | by_role)
    return _candidates(rows, direction)


def _candidates(rows: QuerySet[User], direction: Direction) -> list[_Candidate]:
    wanted = rows.annotate(
        role_claims=Case(
            When(**{f"{direction}_mode": Mode.ROLE, "then": F("claims")}),
            default=Value(""),
            output_field=TextField(),
        )
    ).values_list(
        *search.NAMED_USER,
        "account_id",
        f"{direction}_mode",
        f"account__default_{direction}",
        "issuer",
        "role_claims",
    )
    width = len(search.NAMED_USER)
    return [
        _Candidate(
            user=search.named_user(*row[:width]),
            user_id=row[0],
            account_id=row[width],
            mode=row[width + 1],
            default_mode=row[width + 2],
            issuer=row[width + 3],
            claims=row[width + 4],
        )
        for row in wanted[: LOOKED_AT + 1]
    ]


def _rules(candidates: list[_Candidate], direction: Direction) -> _Known:
    known = _Known()
    users = [one.user_id for one in candidates if one.mode in (Mode.RULES, Mode.OPEN)]
    defaults = {one.account_id for one in candidates if one.mode == Mode.DEFAULT}
    accounts = {one.account_id for one in candidates if one.mode == Mode.ROLE}
    if users or defaults:
        wanted = Q(user_id__in=users) | Q(account_id__in=defaults, user=None, key=None)
        rows = Permission.objects.filter(wanted, direction=direction).exclude(
            ~Q(queue=""),  # a denied queue group leaves the subject itself free
            effect="deny",
        )
        for user_id, account_id, effect, text in rows.values_list(
            "user_id", "account_id", "effect", "pattern__text"
        ):
            rules = known.defaults[account_id] if user_id is None else known.users[user_id]
            (rules.allow if effect == "allow" else rules.deny).append(text)
    if accounts:
        known.roles = Roles.of(
            Account.objects.filter(pk__in=accounts).values_list("public_key", "name", "claims")
        )
    return known


def _judge(candidate: _Candidate, known: _Known, subject: str, direction: Direction) -> Holder | None:
    source, role = Mode(candidate.mode), ""
    if source is Mode.ROLE:
        role = known.roles.name(candidate.issuer)
        allow, deny = known.roles.lists(candidate.issuer, candidate.claims, direction)
    else:
        by_default = source is Mode.DEFAULT
        rules = known.defaults[candidate.account_id] if by_default else known.users[candidate.user_id]
        mode = candidate.default_mode if by_default else candidate.mode
        allow, deny = [">"] if mode == Mode.OPEN else rules.allow, rules.deny
    granted = coverage(subject, allow, deny)
    if granted is Coverage.NONE:
        return None
    everywhere = tuple(allow) == (">",)
    return Holder(
        user=candidate.user,
        coverage=granted,
        source=source,
        role=role,
        allowed=() if everywhere else patterns.met(subject, allow),
        denied=patterns.met(subject, deny),
    )
