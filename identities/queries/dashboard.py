"""The numbers of the first page, what expires soon, and what happened last. Six queries or fewer, whatever the size."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Exists, Sum

from identities.models import Account, ActivationRequest, AuditEvent, Operator, Proposal
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
    """All that the first page tells; `soon` holds at most `most_soon` rows.

    `hidden`: which of `latest` name something out of sight as well. `proposals_wait` and `requests_wait`: whether any
    waits in the whole installation, for whomever, so that nobody looks for what nobody made.
    """

    numbers: Numbers
    soon: tuple[expirations.Expiring, ...]
    latest: tuple[AuditEvent, ...]
    hidden: frozenset[int]
    operators: tuple[Operator, ...]
    proposals_wait: bool
    requests_wait: bool
    most_soon: int = SOONEST


def dashboard(principal: Principal, *, now: int, with_activity: bool) -> Dashboard:
    """What the principal may see of all that. `now` is unix seconds."""
    operators = tuple(
        Operator.objects.visible_to(principal)
        .live()
        .only("name", "public_key", "expires", "system_account")
        .annotate(
            proposals_wait=Exists(Proposal.objects.waiting()),
            requests_wait=Exists(ActivationRequest.objects.waiting()),
        )
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
        hidden=reach.partly_hidden(principal, [event.pk for event in latest]) if latest else frozenset(),
        operators=operators,
        proposals_wait=any(one.proposals_wait for one in operators),  # type: ignore[attr-defined]  # annotated
        requests_wait=any(one.requests_wait for one in operators),  # type: ignore[attr-defined]  # annotated
    )
