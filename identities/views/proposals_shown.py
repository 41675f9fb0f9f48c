"""Proposals as strings."""

from __future__ import annotations

import json
from dataclasses import dataclass

from django.urls import reverse

from identities.claims.diff import FieldChange
from identities.models import Account, Operator, Proposal, ProposalState, User
from identities.policy.principal import Principal
from identities.services import proposals, proposing
from identities.views import shown

STATES = {
    ProposalState.OPEN: shown.State(word="Waits", tone="warn", icon="hourglass"),
    ProposalState.APPROVED: shown.State(word="Approved", tone="ok", icon="circle-check"),
    ProposalState.DECLINED: shown.State(word="Declined", tone="danger", icon="ban"),
    ProposalState.WITHDRAWN: shown.State(word="Withdrawn", tone="muted", icon="x"),
    ProposalState.STALE: shown.State(word="Stale", tone="muted", icon="history"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalRow:
    """One proposal in the list."""

    number: str
    url: str
    summary: str
    by: str
    at: shown.When
    state: shown.State
    decided: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeShown:
    """One JWT that would be signed; `label` is unique on the page."""

    title: str
    label: str
    key: shown.Chip | None
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentShown:
    """A remark."""

    by: str
    at: shown.When
    text: str


def row(proposal: Proposal) -> ProposalRow:
    """A proposal in the list; its operator is loaded."""
    return ProposalRow(
        number=f"{proposal.pk:,}",
        url=url(proposal),
        summary=proposal.summary,
        by=proposal.by_name,
        at=shown.moment(proposal.created_at),
        state=STATES[ProposalState(proposal.state)],
        decided=decided(proposal),
    )


def behind(proposal: Proposal) -> str:
    """Whose token a machine proposed it by; "" for people."""
    if not proposal.is_by_machine:
        return ""
    if proposal.author is None:
        return "a machine; nobody knows who made its token"
    return f"a machine; its token was made by {proposal.author}"


def url(proposal: Proposal, name: str = "proposal") -> str:
    """The URL of the page of a proposal, or of what is done there."""
    return reverse(name, args=[proposal.operator.public_key, proposal.pk])


def decided(proposal: Proposal) -> str:
    """By whom and when it was decided; "" while it waits."""
    if proposal.decided_at is None:
        return ""
    return f"by {proposal.decided_by}, {shown.moment(proposal.decided_at).text}"


def changes_of(proposal: Proposal) -> tuple[ChangeShown, ...]:
    """The JWTs that it would sign."""
    held = json.loads(proposal.shown)["changes"]
    return tuple(
        ChangeShown(
            title=f"{change['kind'].capitalize()} {change['name']}",
            label=f"Change {number}",
            key=shown.chip(change["key"]) if change["key"] else None,
            fields=proposing.fields_of(change),
        )
        for number, change in enumerate(held, start=1)
    )


def told(principal: Principal, proposal: Proposal) -> dict[str, object]:
    """What else stands in it: consequences, what the audit will say, how much was left out."""
    held = json.loads(proposal.shown)
    left = held["left_out"]
    return {
        "consequences": proposals.consequences(principal, proposal),
        "events": held["events"],
        "left_out": f"{left:,}" if left else "",
    }


def comments_of(proposal: Proposal) -> tuple[CommentShown, ...]:
    """What was said, the oldest first; one query."""
    return tuple(
        CommentShown(by=one.by_name, at=shown.moment(one.at), text=one.text)
        for one in proposal.comments.order_by("pk")
    )


def home(base: Operator | Account | User | None, proposal: Proposal) -> shown.Crumb:
    """The way to the object that it is about, or to its operator."""
    if isinstance(base, User):
        return shown.Crumb(label="the user", url=shown.user_url("user", base))
    if isinstance(base, Account):
        return shown.Crumb(label="the account", url=shown.account_url("account", base))
    return shown.Crumb(label="the operator", url=shown.operator_url("operator", proposal.operator))


def is_author(principal: Principal, proposal: Proposal) -> bool:
    """Whether somebody looks at their own proposal."""
    return principal.key == proposal.by


def since(proposal: Proposal) -> tuple[FieldChange, ...]:
    """What changed meanwhile in the object that it was made from."""
    return proposals.changed_since(proposal)
