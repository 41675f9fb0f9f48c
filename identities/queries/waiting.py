"""What waits for somebody: proposals that they may approve, and requests for activations that they may grant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery, Window

from identities.models import Account, ActivationRequest, Key, Proposal, Purpose
from identities.policy import powers
from identities.policy.actions import Action
from identities.policy.principal import Principal, ScopeKind
from identities.queries import reach

_HEAVY = ("parameters", "shown", "base_claims", "operator__claims", "account__claims")
MOST = 5
"""So many of each kind are told, those that wait longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request, and the account of which it was asked."""

    request: ActivationRequest
    account: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The oldest `MOST` of each kind, and how many there are of both."""

    proposals: tuple[Proposal, ...] = ()
    requests: tuple[Asked, ...] = ()
    number: int = 0


def waiting(principal: Principal, *, proposals_wait: bool = True, requests_wait: bool = True) -> Waiting:
    """All of that; three queries at most, none for who may decide nothing, nor for a kind of which none waits."""
    to_approve, to_grant = approvable(principal), grantable(principal)
    if not proposals_wait:
        to_approve = to_approve.none()
    if not requests_wait:
        to_grant = to_grant.none()
    proposals, of_proposals = _oldest(to_approve.select_related("operator", "account").defer(*_HEAVY))
    requests, of_requests = _oldest(to_grant)
    found: dict[int, Account] = {}
    if requests:
        rows = Account.objects.select_related("operator").defer("claims", "operator__claims")
        found = rows.in_bulk({one.exporter for one in requests})
    return Waiting(
        proposals=proposals,
        requests=tuple(Asked(request=one, account=found[one.exporter]) for one in requests),
        number=of_proposals + of_requests,
    )


def approvable(principal: Principal) -> QuerySet[Proposal, Any]:
    """Open proposals of other people that this principal may approve, of what is there still.

    What was made from something that has changed since is among them: it waits to be declined or proposed again.
    """
    rows: QuerySet[Proposal, Any] = Proposal.objects.waiting()
    if principal.person_id is None or principal.token_id is not None:
        return rows.none()
    here = Q(operator__deleted_at=None) & (Q(account=None) | Q(account__deleted_at=None))
    own = Q(author=principal.person_id) | Q(by=principal.key)
    may = reach.permitted(principal, Action.PROPOSAL_DECIDE) & _allowed(principal)
    return rows.filter(here, may, author__isnull=False).exclude(own)


def grantable(principal: Principal) -> QuerySet[ActivationRequest, Any]:
    """Requests that wait, asked of accounts at which this principal may issue; `exporter` is the id of that account.

    Of accounts of several operators with one key it is the one of which `asked_of` says so.
    """
    answers = reach.permitted(principal, Action.ACTIVATION_ANSWER, account="pk")
    issues = reach.permitted(principal, Action.ACTIVATION_ISSUE, account="pk")
    ours = Account.objects.live().filter(answers, issues, operator__deleted_at=None)
    identities = Key.objects.filter(user=None, kind="account", purpose=Purpose.IDENTITY)
    nearer = identities.filter(
        public_key=OuterRef("public_key"),
        operator=OuterRef(OuterRef("importer__operator")),
        account__deleted_at=None,
    ).exclude(account=OuterRef("account"))
    asked = identities.filter(~Exists(nearer), public_key=OuterRef("exporter_key"), account__in=ours)
    rows: QuerySet[ActivationRequest, Any] = ActivationRequest.objects.waiting().filter(
        importer__deleted_at=None, importer__operator__deleted_at=None
    )
    exporter = Subquery(asked.order_by("account").values("account")[:1])
    return rows.annotate(exporter=exporter).filter(exporter__isnull=False)


def _oldest(rows: QuerySet[Any, Any]) -> tuple[tuple[Any, ...], int]:
    """The first `MOST` and how many there are, in one query."""
    found = tuple(rows.annotate(number=Window(Count("pk"))).order_by("pk")[:MOST])
    return found, found[0].number if found else 0


def _allowed(principal: Principal) -> Q:
    """Proposals of what the principal may do alone."""
    may = Q(pk=None)
    for (kind, role), actions in powers.POWERS.items():
        held = [one for one in principal.roles if (one.kind, one.role) == (kind, role)]
        if not held or kind is ScopeKind.ROLE:
            continue
        where = Q()
        if kind is ScopeKind.OPERATOR:
            where = Q(operator__in={one.operator for one in held})
        elif kind is ScopeKind.ACCOUNT:
            where = Q(account__in={one.account for one in held})
        may |= where & Q(action__in=sorted(actions))
    return may
