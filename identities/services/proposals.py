"""What becomes of proposals: a second person approves, which signs; others comment, decline or withdraw."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.db import transaction

from identities.claims import codec
from identities.claims.diff import FieldChange
from identities.errors import IdentityError
from identities.lookup import NotFound
from identities.models import Account, Operator, Proposal, ProposalComment, ProposalState
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope, Way
from identities.queries import approvers
from identities.services import (
    audit,
    changes,
    clock,
    four_eyes,
    ownership,
    parameters,
    proposing,
    secrets,
    signing,
    waiting_mails,
)
from identities.services.proposing import guarded

_NOT_STALE = (decisions.Forbidden, secrets.SealedInstallation, signing.TooSoon, signing.NoSigner)
"""Refusals that say nothing about what the proposal was made from."""
_YOURSELF = "You proposed it yourself"
_MODES = {
    four_eyes.Mode.NOBODY: "nobody's edits need a second person",
    four_eyes.Mode.MEMBERS: "edits of all but its admins need a second person",
    four_eyes.Mode.EVERYBODY: "everybody's edits need a second person",
}


class Decided(IdentityError):
    """Somebody was faster: the proposal is not open any more."""

    code = "decided"


class _Differs(IdentityError):
    """Carried out now, it would do something else than what is shown."""


@guarded
def choose_mode(*, principal: Principal, operator: Operator, mode: str) -> Operator:
    """Say whose edits need a second person; less than now needs one itself.

    Raises: IdentityError: no such mode.
    """
    decisions.require(principal, Action.OPERATOR_EDIT, Scope(operator=operator.pk))
    if mode not in set(four_eyes.Mode):
        raise IdentityError("Choose one of these.", field="mode")
    with transaction.atomic():
        row = changes.locked(operator, None)
        if row.four_eyes == mode:
            return row
        row.four_eyes = mode
        row.save(update_fields=["four_eyes"])
        summary = f"Four eyes on “{row.name}”: {_MODES[four_eyes.Mode(mode)]}"
        name = audit.Target(kind="operator", key=row.public_key, name=row.name, operator_key=row.public_key)
        audit.record(principal, Action.OPERATOR_EDIT, [name], summary)
    return row


def find(principal: Principal, operator: Operator, number: int) -> Proposal:
    """A proposal under an operator that one may see.

    Raises: NotFound.
    """
    rows = Proposal.objects.visible_to(principal).filter(operator=operator)
    found: Proposal | None = rows.select_related("operator", "account", "author").filter(pk=number).first()
    if found is None:
        raise NotFound(f"There is no proposal {number} under this operator.")
    return found


def approve(*, principal: Principal, proposal: Proposal) -> Proposal:
    """Carry out what was proposed, on what stands there now; or find it stale, where that is something else.

    Raises:
        Forbidden: the right to do it oneself is missing. Decided. IdentityError: one's own proposal.
    """
    refuse_approval(principal, proposal)
    try:
        with transaction.atomic():
            row = _open(proposal)
            call, held = command(row)
            with four_eyes.watched() as seen:
                call(principal=principal, **held)
            if proposing.told(seen)["digest"] != json.loads(row.shown)["digest"]:
                raise _Differs("Carried out now, it would change something else than what is shown here.")
            return _decide(row, principal, ProposalState.APPROVED, f"Approved what “{row.by_name}” proposed")
    except (Decided, *_NOT_STALE):
        raise
    except parameters.Gone:
        return _stale(principal, proposal, "What it is about is not there any more.")
    except IdentityError as refused:
        return _stale(principal, proposal, refused.user_message)


def refuse_approval(principal: Principal, proposal: Proposal) -> None:
    """Raise where this principal can't be the second person.

    Two people, not two names: who made a machine's token is the person behind what it proposes. Where nobody knows who
    made it, nobody can be told apart from them, and so nobody approves. A machine never does, whoever made its token.

    Raises: Forbidden: the right is missing. IdentityError: not another person than the author, who may do it still.
    """
    decisions.require(principal, Action.PROPOSAL_DECIDE, scope(proposal))
    decisions.require(principal, Action(proposal.action), scope(proposal))
    if principal.person_id is None or principal.token_id is not None:
        raise IdentityError("A person has to approve it, signed in to these pages.")
    if principal.person_id == proposal.author_id or principal.key == proposal.by:
        own = (
            f"“{proposal.by_name}” proposed it by a token that you made"
            if proposal.is_by_machine
            else _YOURSELF
        )
        raise IdentityError(
            f"{own}: a second person has to approve it. {approvers.told(principal, proposal)}"
        )
    if proposal.author_id is None:
        raise IdentityError(
            f"Nobody knows who made the token by which “{proposal.by_name}” proposed it, so nobody can be told apart "
            "from them. Have it proposed again by a new token, and decline this one."
        )
    if not _still_may(proposal):  # else it were the will of one person alone
        raise IdentityError(
            f"“{proposal.by_name}”, who proposed it, may not do this any more. Propose it yourself, or decline it."
        )


def decline(*, principal: Principal, proposal: Proposal, note: str = "") -> Proposal:
    """Say no to a proposal, with a reason: who may do it oneself, as for approving.

    Raises: Forbidden. Decided.
    """
    refuse_to_decline(principal, proposal)
    with transaction.atomic():
        row = _open(proposal)
        row.note = note
        return _decide(row, principal, ProposalState.DECLINED, f"Declined what “{row.by_name}” proposed")


def refuse_to_decline(principal: Principal, proposal: Proposal) -> None:
    """Raise where this principal has no say. Raises: Forbidden: a right is missing, to decide or to do it oneself."""
    for action in (Action.PROPOSAL_DECIDE, Action(proposal.action)):
        decisions.require(principal, action, scope(proposal))


def withdraw(*, principal: Principal, proposal: Proposal) -> Proposal:
    """Take one's own proposal back.

    Raises: IdentityError: somebody else's. Decided.
    """
    _refuse_others(principal, proposal)
    with transaction.atomic():
        return _decide(_open(proposal), principal, ProposalState.WITHDRAWN, "Withdrew what was proposed")


def comment(*, principal: Principal, proposal: Proposal, text: str) -> ProposalComment:
    """Say something about a proposal, one's own or where one has the right; the text is not repeated in the audit.

    Raises: Forbidden.
    """
    if principal.key != proposal.by:
        decisions.require(principal, Action.PROPOSAL_COMMENT, scope(proposal))
    with transaction.atomic():
        made: ProposalComment = ProposalComment.objects.create(
            proposal=proposal, text=text, by=principal.key, by_name=principal.name, at=clock.now()
        )
        said = f"Commented on proposal {proposal.pk}: {proposal.summary}"
        audit.record(principal, Action.PROPOSAL_COMMENT, [proposing.target(proposal)], said)
    return made


def again(*, principal: Principal, proposal: Proposal) -> Proposal:
    """Propose the same once more, made from what stands there now; the old one ends as stale.

    Raises: IdentityError: somebody else's, or what can't be done any more.
    """
    _refuse_others(principal, proposal)
    try:
        call, held = command(proposal)
    except parameters.Gone:
        raise IdentityError("What it was about is not there any more.") from None
    if (version := proposing.version_of(held)) is not None:
        held["version"] = version
    with four_eyes.watched() as seen, transaction.atomic():
        call(principal=principal, **held)
        transaction.set_rollback(True)
    if not seen.events:
        raise IdentityError("It would change nothing any more.")
    with transaction.atomic():
        row = Proposal.objects.select_for_update(no_key=True).get(pk=proposal.pk)
        if row.state == ProposalState.OPEN:
            _decide(row, principal, ProposalState.STALE, "Proposed anew instead of what was proposed")
        return proposing.keep(principal, row.operator, row.command, held, seen)


def consequences(principal: Principal, proposal: Proposal) -> list[str]:
    """What follows from a proposal, without the lines that name accounts which this principal may not see."""
    lines = json.loads(proposal.shown)["consequences"]
    named = {account for _, account in lines if account}
    seen = {0}
    if named:
        seen |= set(Account.objects.visible_to(principal).filter(pk__in=named).values_list("pk", flat=True))
    return [line for line, account in lines if account in seen]


def changed_since(proposal: Proposal) -> tuple[FieldChange, ...]:
    """What differs by now in the object that a proposal was made from; empty: nothing, or it is gone."""
    base = current(proposal)
    if base is None or base.version == proposal.base_version:
        return ()
    return changes.difference(codec.from_payload(proposal.base_claims), changes.claims_of(base))


def current(proposal: Proposal) -> Any:
    """The object that a proposal was made from as it is now; None when it is gone, or was none."""
    try:
        _, held = command(proposal)
    except parameters.Gone:
        return None
    return proposing.base_of(held)


def is_stale(proposal: Proposal) -> bool:
    """True when what an open proposal was made from has changed, which its approval would refuse."""
    try:
        _, held = command(proposal)
    except parameters.Gone:
        return True
    version = proposing.version_of(held)
    return version is not None and version != held["version"]


def command(proposal: Proposal) -> tuple[Callable[..., object], dict[str, Any]]:
    """The service that a proposal calls, behind its guard, and its parameters with rows as they are now.

    Raises: Gone.
    """
    module = proposal.command.partition(".")[0]
    if module.isidentifier():
        import_module(f"identities.services.{module}")
    return proposing.COMMANDS[proposal.command], parameters.loads(proposal.parameters)


def scope(proposal: Proposal) -> Scope:
    """Where a proposal stands, for policy."""
    return Scope(operator=proposal.operator_id, account=proposal.account_id)


def _still_may(proposal: Proposal) -> bool:
    """Whether the author holds the right today: where the proposal stands, or for a manifest, somewhere below."""
    kind, _, number = proposal.by.partition(":")
    who = Principal(
        key=proposal.by,
        name=proposal.by_name,
        way=Way.PAGE,
        person_id=int(number) if kind == "person" else None,
        service_account_id=int(number) if kind == "service-account" else None,
    )
    author, action = ownership.current(who), Action(proposal.action)
    places = [scope(proposal)]
    if proposal.account_id is None:
        places += [held.scope for held in author.roles if held.operator == proposal.operator_id]
    return any(isinstance(decisions.decide(author, action, where), decisions.Allowed) for where in places)


def _open(proposal: Proposal) -> Proposal:
    row: Proposal = Proposal.objects.select_for_update(no_key=True).get(pk=proposal.pk)
    if row.state != ProposalState.OPEN:
        raise Decided(f"It was {row.state} by {row.decided_by} meanwhile.")
    return row


def _decide(row: Proposal, principal: Principal, state: ProposalState, said: str) -> Proposal:
    row.state, row.decided_by, row.decided_at = state, principal.name, clock.now()
    row.save(update_fields=["state", "decided_by", "decided_at", "note"])
    summary = f"{said} as number {row.pk}: {row.summary}"
    audit.record(principal, Action.PROPOSAL_DECIDE, [proposing.target(row)], summary)
    waiting_mails.decided(row, principal)
    return row


def _stale(principal: Principal, proposal: Proposal, note: str) -> Proposal:
    with transaction.atomic():
        row = _open(proposal)
        row.note = note
        return _decide(row, principal, ProposalState.STALE, f"Found stale what “{row.by_name}” proposed")


def _refuse_others(principal: Principal, proposal: Proposal) -> None:
    if principal.key != proposal.by:
        raise IdentityError(f"“{proposal.by_name}” proposed it: only they can do that.")
