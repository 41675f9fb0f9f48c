"""The numbers of the first page, what expires soon, and what happened last. Five queries, whatever the size."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Sum

from identities.models import Account, AuditEvent, Operator
from identities.policy.principal import Principal
from identities.queries import expirations, reach

SOON_SECONDS = 28 * 86_400
MOST_OPERATORS = 200
LATEST = 8
SOONEST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """How many there are; `system_only` is true while no account but system accounts exists."""

    operators: int
    accounts: int
    users: int
    system_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """All that the first page tells; `soon` holds at most `most_soon` rows."""

    numbers: Numbers
    soon: tuple[expirations.Expiring, ...]
    latest: tuple[AuditEvent, ...]
    operators: tuple[Operator, ...]
    most_soon: int = SOONEST


def dashboard(principal: Principal, *, now: int, with_activity: bool) -> Dashboard:
    """What the principal may see of all that. `now` is unix seconds."""
    operators = tuple(
        Operator.objects.visible_to(principal)
        .live()
        .only("name", "public_key", "expires", "system_account")
        .order_by("name", "pk")[:MOST_OPERATORS]
    )
    sums = Account.objects.visible_to(principal).live().aggregate(number=Count("pk"), users=Sum("user_count"))
    system = sum(1 for operator in operators if operator.system_account)
    window = expirations.Window(until=now + SOON_SECONDS)
    soon = expirations.soonest(principal, window, operators=operators, size=SOONEST)
    latest = tuple(reach.audit_events(principal).order_by("-seq")[:LATEST]) if with_activity else ()
    return Dashboard(
        numbers=Numbers(
            operators=len(operators),
            accounts=sums["number"],
            users=sums["users"] or 0,
            system_only=sums["number"] <= system,
        ),
        soon=soon,
        latest=latest,
        operators=operators,
    )
