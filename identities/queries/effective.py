"""Who may publish (or subscribe) to a subject: effective permissions by nats-server's rules, page by page.

A user's right comes from its own rules, from having none (everywhere), from the role that issued it, or, when it has
neither publish nor subscribe rules nor a response permission, from its account's defaults; denies are taken away from
each (nats-jwt.md §9.4, 26). `candidates` proposes users by index; `coverage` decides exactly.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from identities.claims.effective import subscription_reach as reach
from identities.models import Account, Mode, Operator, Permission
from identities.policy.principal import Principal
from identities.queries import candidates, patterns, search
from identities.queries.candidates import Candidate, Direction
from identities.queries.coverage import Coverage, coverage
from identities.queries.roles import Roles

PAGE = 50
LOOKED_AT = 64
"""Candidates that one page looks at; a page that finds fewer says so and goes on from there."""


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
class _Rules:
    """Allow and deny patterns of one holder in one direction."""

    allow: list[str] = field(default_factory=list)
    deny: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Known:
    """Rules of everybody on the page."""

    users: dict[int, _Rules] = field(default_factory=lambda: defaultdict(_Rules))
    defaults: dict[int, _Rules] = field(default_factory=lambda: defaultdict(_Rules))
    roles: Roles = field(default_factory=Roles)


def holders(
    principal: Principal,
    subject: str,
    direction: Direction,
    operators: tuple[Operator, ...],
    *,
    after: tuple[int, str, int] | None = None,
    size: int = PAGE,
    within: candidates.Within | None = None,
    roles: Roles | None = None,
) -> Holders:
    """Users of `operators` who may publish (or subscribe) to some or all of `subject`, by operator and name.

    `subject` is a valid subject, with or without wildcards; `within` is the only account to look at,
    `roles` are its roles where they are known already. Four queries, five when roles are met.
    """
    found = candidates.of(
        principal, subject, direction, operators, after=after, size=LOOKED_AT + 1, within=within
    )
    more, found = len(found) > LOOKED_AT, found[:LOOKED_AT]
    known = _rules(found, direction, roles)
    rows: list[Holder] = []
    for number, candidate in enumerate(found):
        holder = _judge(candidate, known, subject, direction)
        if holder is not None:
            rows.append(holder)
        if len(rows) == size and (more or number + 1 < len(found)):
            return Holders(rows=tuple(rows), next=candidate.user.place)
    return Holders(rows=tuple(rows), next=found[-1].user.place if more and found else None)


def _rules(found: list[Candidate], direction: Direction, roles: Roles | None) -> _Known:
    known = _Known(roles=roles or Roles())
    users = [one.user_id for one in found if one.mode in (Mode.RULES, Mode.OPEN)]
    defaults = {one.account_id for one in found if one.mode == Mode.DEFAULT}
    accounts = {one.account_id for one in found if one.mode == Mode.ROLE}
    rules = Permission.objects.filter(direction=direction)
    wanted = rules.filter(user_id__in=users) if users else None
    if defaults:
        of_accounts = rules.filter(account_id__in=defaults, user=None, key=None)
        wanted = of_accounts if wanted is None else wanted | of_accounts
    columns = ("user_id", "account_id", "effect", "queue", "pattern__text")
    for user_id, account_id, effect, queue, text in (
        wanted.values_list(*columns) if wanted is not None else ()
    ):
        mine = known.defaults[account_id] if user_id is None else known.users[user_id]
        if effect == "allow":
            mine.allow.append(text)
        elif not queue:  # a denied queue group leaves the subject itself free
            mine.deny.append(text)
    if accounts and roles is None:
        known.roles = Roles.of(
            Account.objects.filter(pk__in=accounts).values_list("public_key", "name", "claims")
        )
    return known


def _judge(candidate: Candidate, known: _Known, subject: str, direction: Direction) -> Holder | None:
    source, role = Mode(candidate.mode), ""
    if source is Mode.ROLE:
        role = known.roles.name(candidate.issuer)
        allow, deny = known.roles.lists(candidate.issuer, candidate.claims, direction)
    else:
        by_default = source is Mode.DEFAULT
        rules = known.defaults[candidate.account_id] if by_default else known.users[candidate.user_id]
        mode = candidate.default_mode if by_default else candidate.mode
        allow, deny = [">"] if mode == Mode.OPEN else rules.allow, rules.deny
    reaching = {rule: reach(rule, deny) if direction == "sub" else rule for rule in allow}
    granted = coverage(subject, reaching.values(), deny)
    if granted is Coverage.NONE:
        return None
    everywhere = tuple(allow) == (">",)
    return Holder(
        user=candidate.user,
        coverage=granted,
        source=source,
        role=role,
        allowed=()
        if everywhere
        else tuple(rule for rule in reaching if patterns.met(subject, [reaching[rule]])),
        denied=patterns.met(subject, deny),
    )
