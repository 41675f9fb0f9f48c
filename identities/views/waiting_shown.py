"""What waits for somebody, as strings for the first page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from identities.models import Account, Operator, Proposal
from identities.queries.waiting import Asked, Waiting
from identities.views import activation_requests_shown, proposals_shown, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRow:
    """One of them: what it is, its page, and the list of all such in the same place; `code` is a subject."""

    kind: str
    text: str
    code: str
    url: str
    by: str
    place: str
    list_url: str
    at: shown.When


def context(found: Waiting) -> dict[str, Any]:
    """What the template prints: nothing where nothing waits."""
    rows = (*map(_proposal, found.proposals), *map(_request, found.requests))
    number = f"{found.number:,}"
    return {
        "waiting": rows,
        "waiting_number": number if len(rows) == found.number else f"{number}, the oldest of them here",
    }


def _proposal(one: Proposal) -> WaitingRow:
    return WaitingRow(
        kind="Proposed",
        text=one.summary,
        code="",
        url=proposals_shown.url(one),
        by=one.by_name,
        place=_place(one.operator, one.account),
        list_url=shown.operator_url("operator-proposals", one.operator),
        at=shown.moment(one.created_at),
    )


def _request(one: Asked) -> WaitingRow:
    return WaitingRow(
        kind="Asked",
        text="A token for",
        code=one.request.subject,
        url=activation_requests_shown.url(one.account, one.request),
        by=one.request.by_name,
        place=_place(one.account.operator, one.account),
        list_url=shown.account_url("activation-requests", one.account),
        at=shown.moment(one.request.created_at),
    )


def _place(operator: Operator, account: Account | None) -> str:
    return f"{operator.name} / {account.name}" if account is not None else operator.name
