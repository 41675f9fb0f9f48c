"""Who may publish, subscribe or answer on a subject of an account: its users and roles, and those of accounts around.

The pure `reaching` finds in which accounts one has to be allowed what; users of each are found page by page.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum

from django.db.models import QuerySet

from identities.claims import codec, effective, explain, explain_lists, templates
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.explain_types import Situation
from identities.claims.permissions import UserPermissionLimits
from identities.claims.reaching import Net, Way
from identities.claims.scopes import SigningKey
from identities.models import Account
from identities.policy.principal import Principal
from identities.queries import candidates
from identities.queries import effective as rights
from identities.queries.candidates import Direction
from identities.queries.coverage import Coverage, coverage
from identities.queries.effective import Holders
from identities.queries.roles import Roles

MOST_ACCOUNTS = 200
"""How many accounts around one are looked at."""
CUT = (
    f"More than {MOST_ACCOUNTS} accounts share with this one, or with those that do: not all were looked at."
)
_LISTS = r'"(imports|exports)"\s*:\s*\['
_IMPORTED = re.compile(r'"account"\s*:\s*"(A[A-Z2-7]{55})"')
_VARIABLE = "*"
Place = tuple[int, str, int]


class Deed(StrEnum):
    """What somebody may do on the subject."""

    PUBLISH = "publish"
    SUBSCRIBE = "subscribe"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """The ways to a subject, with row and claims of every account in them; `cut`: not every account was looked at."""

    deed: Deed
    ways: tuple[Way, ...]
    rows: dict[str, Account]
    claims: dict[str, Claims[AccountBody]]
    cut: bool

    @property
    def direction(self) -> Direction:
        """What must be allowed at the end of a way."""
        return "pub" if self.deed is Deed.PUBLISH else "sub"


def reached(principal: Principal, account: Account, deed: Deed, subject: str, *, now: int) -> Reached:
    """The ways that lead to `subject` of an account whose operator is loaded, its own first.

    Accounts of its operator that the principal may see are looked at: one query.
    """
    rows, cut = around(principal, account)
    claims: dict[str, Claims[AccountBody]] = {
        key: codec.from_payload(row.claims) for key, row in rows.items()
    }
    net = Net(accounts=claims, now=now)
    here = claims[account.public_key]
    ways = net.publishers(here, subject) if deed is Deed.PUBLISH else net.hearers(here, subject)
    return Reached(deed=deed, ways=ways, rows=rows, claims=claims, cut=cut)


def holders(
    principal: Principal, found: Reached, way: Way, *, after: Place | None = None, now: int = 0
) -> Holders:
    """One page of the users at the end of `way`: three queries."""
    account = found.rows[way.account]
    document = (account.public_key, account.name, account.claims)
    page = rights.holders(
        principal,
        way.subject,
        found.direction,
        (account.operator,),
        after=after,
        within=candidates.Within(
            account_id=account.pk,
            users=account.user_count,
            by_default=_by_default(found, way),
            documents=found.deed is Deed.ANSWER,
        ),
        roles=Roles.of([document]),
    )
    return _answering(page, found, way, now=now) if found.deed is Deed.ANSWER else page


def _by_default(found: Reached, way: Way) -> bool:
    """Whether those without any rule may, by the account's defaults or as there are none."""
    defaults = found.claims[way.account].nats.default_permissions
    given = effective.effective_permissions(UserPermissionLimits(), defaults)
    return (effective.may_publish if found.direction == "pub" else effective.may_subscribe)(
        given, way.subject
    )


def roles(found: Reached, way: Way) -> tuple[tuple[SigningKey, Coverage], ...]:
    """The roles of the way's account that let their users do it; a variable in a template stands for any token."""
    body = found.claims[way.account].nats
    allowing = []
    for entry in body.signing_keys:
        if not entry.is_scoped or entry.template is None:
            continue
        given = effective.effective_permissions(entry.template, body.default_permissions, entry.template)
        allow, deny = (
            (given.pub_allow, given.pub_deny)
            if found.direction == "pub"
            else (given.sub_allow, given.sub_deny)
        )
        plain = [text for text in deny if " " not in text and not templates.has_template(text)]
        wide = [widened(text.partition(" ")[0]) for text in allow]
        if found.direction == "sub":
            wide = [effective.subscription_reach(text, plain) for text in wide]
        granted = coverage(way.subject, wide, plain)
        if granted is Coverage.ALL and any(map(templates.has_template, (*allow, *deny))):
            granted = Coverage.PART
        if granted is not Coverage.NONE:
            allowing.append((entry, granted))
    return tuple(allowing)


def widened(text: str) -> str:
    """A subject of a role with any token in the place of each variable."""
    if not templates.has_template(text):
        return text
    return ".".join(_VARIABLE if "{{" in token else token for token in text.split("."))


def _answering(page: Holders, found: Reached, way: Way, *, now: int) -> Holders:
    """Those who may publish the answer as well, by a rule or by a response permission."""
    reply = "_R_.answer.to" if way.crosses else "_INBOX.answer.to"
    kept = []
    for row in page.rows:
        user = codec.from_payload(row.claims)
        situation = Situation(user=user, account=found.claims[way.account], now=now)
        rules = explain.Tester.of(situation).rules
        if rules is not None:
            decision = explain_lists.may_publish(rules, reply, system=False, callout=None)
            if decision.allowed or decision.answers is not None:
                kept.append(row)
    return replace(page, rows=tuple(kept))


def around(principal: Principal, account: Account) -> tuple[dict[str, Account], bool]:
    """The account and those around it that the principal may see, and whether there are more than are looked at."""
    return around_among(Account.objects.visible_to(principal), account)


def around_among(accounts: QuerySet[Account], account: Account) -> tuple[dict[str, Account], bool]:
    """The same of the given accounts, those with the fewest imports in between first; one query."""
    sharing = accounts.filter(deleted_at=None, operator=account.operator_id, claims__regex=_LISTS)
    known = {row.public_key: row for row in sharing.order_by("name", "pk")}
    known[account.public_key] = account
    beside: defaultdict[str, set[str]] = defaultdict(set)
    for key, row in known.items():
        for other in _IMPORTED.findall(row.claims):
            beside[key].add(other)
            beside[other].add(key)
    rows: dict[str, Account] = {}
    fresh = {account.public_key}
    while fresh:
        for key, row in known.items():
            if key in fresh:
                row.operator = account.operator
                rows[key] = row
        fresh = {other for key in fresh for other in beside[key]} & known.keys() - rows.keys()
        if len(rows) > MOST_ACCOUNTS:
            break
    found = dict(list(rows.items())[: MOST_ACCOUNTS + 1])
    return found, bool(fresh) or len(found) < len(rows)
