"""Turns an edit into a proposal where its operator asks for four eyes: the call is tried, shown, undone and kept.

What was made in the try (keys, JWTs) goes away with it: keys are made when somebody approves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.db import transaction

from identities.claims.diff import FieldChange
from identities.errors import IdentityError
from identities.models import Account, Key, Operator, Proposal, User, WorkloadRule
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit, clock, four_eyes, parameters, waiting_mails
from identities.services.four_eyes import Seen

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
COMMANDS: dict[str, Callable[..., object]] = {}
"""Services that can be proposed, by name; as they are behind their guard."""
MOST_SHOWN = 200
"""How many changed fields of all objects are kept to be shown."""


class Proposed(IdentityError):
    """It was not done: it is proposed, and waits for a second person. Raised for what calls, to say so."""

    code = "proposed"

    def __init__(self, proposal: Proposal) -> None:
        super().__init__(
            f"Proposed as number {proposal.pk}. Nothing is signed until a second person approves it."
        )
        self.proposal = proposal


def guarded(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """A writing service that becomes a proposal where the operator of what it edits asks for four eyes.

    Raises: Proposed: where it has.
    """
    name = four_eyes.name_of(function)
    COMMANDS[name] = function

    @wraps(function)
    def asked(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        held: dict[str, Any] = dict(kwargs)
        principal, operator = held.pop("principal"), operator_of(held)
        if operator is None or not four_eyes.required(principal, operator):
            return function(*args, **kwargs)
        try:
            parameters.dumps(held)
        except parameters.Unwritable:
            four_eyes.refuse(principal, operator)
            raise
        with four_eyes.watched() as seen, transaction.atomic():
            result = function(*args, **kwargs)
            transaction.set_rollback(True)
        if not seen.events:  # it would change nothing
            return result
        raise Proposed(keep(principal, operator, name, held, seen))

    return asked


def keep(
    principal: Principal, operator: Operator, name: str, held: Mapping[str, Any], seen: Seen
) -> Proposal:
    """Keep what was tried as a proposal of this principal."""
    base = base_of(held)
    action, summary = seen.events[-1]
    with transaction.atomic():
        proposal = Proposal.objects.create(
            operator=operator,
            account=account_of(held),
            command=name,
            parameters=parameters.dumps(held),
            shown=json.dumps(told(seen)),
            action=action,
            summary=without_keys(summary, seen),
            subject_kind=type(base).__name__.lower() if base is not None else "",
            subject=base.public_key if base is not None else "",
            base_version=base.version if base is not None else 0,
            base_claims=base.claims if base is not None else "",
            author_id=principal.behind,
            by=principal.key,
            by_name=principal.name,
            created_at=clock.now(),
        )
        audit.record(
            principal,
            Action.PROPOSAL_MAKE,
            [target(proposal)],
            f"Proposed number {proposal.pk}: {proposal.summary}",
        )
        waiting_mails.proposed(proposal)
    return proposal


def told(seen: Seen) -> dict[str, Any]:
    """What a proposal shows: every JWT with the fields that differ, and what follows beyond them, keys left out.

    Of what follows each line stands with the id of the account that it names, 0 for none. `digest` stands for all of
    it, also for what is too much to be shown.
    """
    left = MOST_SHOWN
    changes = []
    seal = hashlib.sha256()
    for change in seen.changes:
        fields = [
            [without_keys(text, seen) for text in (each.path, each.before, each.after)]
            for each in change.fields
        ]
        name = without_keys(change.name, seen)
        key = "" if change.key in seen.made else change.key
        changes.append({"kind": change.kind, "key": key, "name": name, "fields": fields[: max(left, 0)]})
        left -= len(fields)
        for path, *values in sorted(fields):  # times of revocation go on while it waits
            seal.update(
                json.dumps([change.kind, name, path, *(() if "revocations" in path else values)]).encode()
            )
    lines = dict.fromkeys(
        (without_keys(line, seen), line.account if isinstance(line, four_eyes.Naming) else 0)
        for line in seen.consequences
    )
    events = [without_keys(summary, seen) for _, summary in seen.events]
    seal.update(json.dumps(events).encode())
    return {
        "changes": changes,
        "consequences": [*lines],
        "events": events,
        "left_out": max(-left, 0),
        "digest": seal.hexdigest(),
    }


def fields_of(change: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """The fields of one shown change."""
    return tuple(FieldChange(*texts) for texts in change["fields"])


def without_keys(text: str, seen: Seen) -> str:
    """The text with keys and tokens that were only made to try it told as new ones."""
    for made, words in seen.made.items():
        text = text.replace(made, words)
    return text


def operator_of(held: Mapping[str, Any]) -> Operator | None:
    """The operator of what a call is about."""
    for value in held.values():
        if isinstance(value, Operator):
            return value
        if isinstance(value, Account | User | Key):
            return value.operator
        if isinstance(value, WorkloadRule):
            return value.signing_key.operator
    return None


def account_of(held: Mapping[str, Any]) -> Account | None:
    """The account that it is about or in."""
    for value in held.values():
        if isinstance(value, Account):
            return value
        if isinstance(value, User | Key):
            return value.account
        if isinstance(value, WorkloadRule):
            return value.signing_key.account
    return None


def base_of(held: Mapping[str, Any]) -> Operator | Account | User | None:
    """The object with claims that a call was made from, as it is now: the one whose version it names."""
    for kind in (User, Account, Operator):
        for value in held.values():
            if isinstance(value, kind):
                return type(value).objects.select_related(*_related(kind)).get(pk=value.pk)
    return None


def version_of(held: Mapping[str, Any]) -> int | None:
    """The version that a call would have to name by now; None for one that names none."""
    if "version" not in held:
        return None
    for value in held.values():
        if isinstance(value, WorkloadRule):
            return value.version
    base = base_of(held)
    return base.version if base is not None else None


def target(proposal: Proposal) -> audit.Target:
    """How the audit names a proposal: by what it is about."""
    key = proposal.subject or proposal.operator.public_key
    return audit.Target(
        kind=proposal.subject_kind or "operator",
        key=key,
        name=proposal.operator.name,
        operator_key=proposal.operator.public_key,
    )


def _related(kind: type) -> Iterator[str]:
    if kind is not Operator:
        yield "operator"
