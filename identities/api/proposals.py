"""Proposals over the API: what waits for a second person, what became of it, and taking one's own back.

Nothing here approves: a second person does, signed in to the pages.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal, cast

from django.http import HttpRequest
from ninja import Query
from pydantic import Field, StringConstraints

from identities.api import editing, finding, paging
from identities.api.operations import Answer, operation
from identities.api.operators import ONE as OPERATOR
from identities.api.schemas import FieldChanged, Given, Number, OperatorKey, Page, Taken, Text
from identities.forms.proposals import LONGEST
from identities.models import Proposal, ProposalComment
from identities.policy import decisions
from identities.policy.principal import Principal
from identities.services import proposals, proposing

TAG = "Proposals"
PATH = OPERATOR + "/proposals"
ONE = PATH + "/{int:number}"
State = Literal["open", "approved", "declined", "withdrawn", "stale"]


class ProposalListed(Given):
    """A proposal in a list."""

    number: int
    state: State = Field(
        description="stale: what it was made from has changed, so it can't be carried out as shown."
    )
    summary: str
    action: str = Field(description="The right that it takes, such as user.create.")
    subject_kind: str = Field(
        description="What it was made from: operator, account or user; empty: something new of the operator."
    )
    subject: str = Field(description="Its public key.")
    by: str = Field(description="The key of who proposed it, such as person:3 or service-account:2.")
    by_name: str
    created_at: datetime
    decided_by: str
    decided_at: datetime | None


class ProposedChange(Given):
    """One JWT that would be signed, with the fields that differ."""

    kind: str
    key: str = Field(description="Empty for what is only made when it is approved.")
    name: str
    fields: list[FieldChanged]


class CommentOut(Given):
    """A remark."""

    by: str
    by_name: str
    at: datetime
    text: str


class ProposalOut(ProposalListed):
    """A proposal with all that it shows."""

    changes: list[ProposedChange]
    consequences: list[str] = Field(description="What it does beyond its JWTs: whose connections drop.")
    events: list[str] = Field(description="What the audit will say.")
    left_out: int = Field(description="How many changed fields were too many to be shown.")
    note: str = Field(description="Why it was declined, or what made it stale.")
    comments: list[CommentOut] = Field(description="The oldest first.")


class ProposalsWanted(paging.Paging):
    """Which proposals, and which page of them."""

    state: Literal["", State] = ""


class CommentIn(Taken):
    """What to say."""

    text: Annotated[Text, StringConstraints(strip_whitespace=True), Field(min_length=1, max_length=LONGEST)]


@operation("list-proposals", "GET", PATH, Page[ProposalListed], tag=TAG)
def listed(request: HttpRequest, operator_key: OperatorKey, wanted: Query[ProposalsWanted]) -> Answer:
    """List the proposals of an operator, the newest first"""
    principal, operator = finding.operator(request, operator_key)
    rows = Proposal.objects.visible_to(principal).filter(operator=operator)
    if wanted.state:
        rows = rows.filter(state=wanted.state)
    return Answer(body=paging.page(rows, wanted, _listed, by="pk", descending=True))


@operation("get-proposal", "GET", ONE, ProposalOut, tag=TAG)
def get(request: HttpRequest, operator_key: OperatorKey, number: Number) -> Answer:
    """Read a proposal: what it would change, and what became of it

    This is the `Location` of an answer 202.
    """
    principal, proposal = _found(request, operator_key, number)
    shown = shown_to(principal, proposal)
    body = ProposalOut(
        **_listed(proposal).model_dump(),
        changes=[_change(change) for change in shown["changes"]],
        consequences=shown["consequences"],
        events=shown["events"],
        left_out=shown["left_out"],
        note=proposal.note,
        comments=[_comment(said) for said in proposal.comments.order_by("pk")],
    )
    return Answer(body=body)


@operation("comment-proposal", "POST", ONE + "/comments", CommentOut, tag=TAG, status=201)
def comment(request: HttpRequest, operator_key: OperatorKey, number: Number, sent: CommentIn) -> Answer:
    """Say something about a proposal"""
    principal, proposal = _found(request, operator_key, number)

    def act() -> Answer:
        said = proposals.comment(principal=principal, proposal=proposal, text=sent.text)
        return Answer(body=_comment(said), status=201)

    return editing.tried(request, act, [f"Proposal {number} gets a comment."])


@operation("withdraw-proposal", "DELETE", ONE, None, tag=TAG)
def withdraw(request: HttpRequest, operator_key: OperatorKey, number: Number) -> Answer:
    """Withdraw a proposal of one's own

    It stays there to be read. Whoever proposed it withdraws it: a service account does its own.
    """
    principal, proposal = _found(request, operator_key, number)
    if principal.key != proposal.by:
        raise decisions.Forbidden(f"“{proposal.by_name}” proposed it: only they can withdraw it.")

    def act() -> None:
        proposals.withdraw(principal=principal, proposal=proposal)

    return editing.gone(request, act, [f"Proposal {number} is withdrawn."])


def shown_to(principal: Principal, proposal: Proposal) -> dict[str, Any]:
    """What a proposal shows to a reader who sees it: `changes`, `consequences`, `events`, `left_out`."""
    return {**json.loads(proposal.shown), "consequences": proposals.consequences(principal, proposal)}


def _found(request: HttpRequest, operator_key: str, number: int) -> tuple[Principal, Proposal]:
    principal, operator = finding.operator(request, operator_key)
    return principal, proposals.find(principal, operator, number)


def _listed(row: Proposal) -> ProposalListed:
    return ProposalListed(
        number=row.pk,
        state=cast("State", row.state),
        summary=row.summary,
        action=row.action,
        subject_kind=row.subject_kind,
        subject=row.subject,
        by=row.by,
        by_name=row.by_name,
        created_at=row.created_at,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
    )


def _change(change: dict[str, Any]) -> ProposedChange:
    fields = [
        FieldChanged(path=each.path, before=each.before, after=each.after)
        for each in proposing.fields_of(change)
    ]
    return ProposedChange(kind=change["kind"], key=change["key"], name=change["name"], fields=fields)


def _comment(said: ProposalComment) -> CommentOut:
    return CommentOut(by=said.by, by_name=said.by_name, at=said.at, text=said.text)
