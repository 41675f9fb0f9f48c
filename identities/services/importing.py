"""Brings in what was made elsewhere, every JWT to the byte: plan, then read, verify and seal, then one short write.

Reading, verifying and sealing happen outside any transaction; the write is one transaction of few statements, so that
an import is there whole or not at all, and other writers wait for seconds at most. Doing it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from identities.errors import IdentityError
from identities.models import Operator
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import changes, import_known, import_plans, import_summaries, import_writing
from identities.services.import_items import Choices, Plan
from identities.services.import_plans import NO_CHOICES
from identities.services.import_reading import Collected
from identities.services.import_staging import Staging
from identities.services.import_summaries import Summary

TRIES = 3
"""How often an import is planned anew because somebody changed something under the same operator meanwhile."""

Finish = Callable[[Summary], None]
"""Called with the report inside the transaction, so that both are there or neither."""


def plan(*, principal: Principal, collected: Collected, choices: Choices = NO_CHOICES) -> Summary:
    """What an import of all that was read would do; nothing is written."""
    made = import_plans.plan(principal=principal, collected=collected, choices=choices)
    return import_summaries.summary(made, collected)


def perform(
    *,
    principal: Principal,
    collected: Collected,
    choices: Choices = NO_CHOICES,
    finish: Finish | None = None,
) -> Summary:
    """Import all that was read, its seeds sealed; what has to be asked first stays out and is told.

    Raises:
        Forbidden: there is nowhere that this principal may import to. IdentityError: somebody else took a name or key,
            or went on changing the same things.
    """
    require(principal)
    for _ in range(TRIES):
        made = import_plans.plan(principal=principal, collected=collected, choices=choices)
        with Staging(principal, made, collected, choices) as staged:
            report = import_summaries.summary(made, collected)
            with changes.transaction_of_one():
                if not _still_so(made):
                    continue
                if not made.changes_nothing:
                    import_writing.write(staged)
                if finish is not None:
                    finish(report)
            return report
    raise IdentityError(
        "Others went on changing what was to be imported, so nothing was imported. Start it again in a moment."
    )


def is_here(operator: str) -> bool:
    """Whether there is a live operator of this name or key."""
    return any(operator in (row.public_key, row.name) for row in Operator.objects.live())


def may_everywhere(principal: Principal) -> bool:
    """Whether somebody may import anything: new operators too."""
    return isinstance(decisions.decide(principal, Action.JWT_ADOPT), decisions.Allowed)


def require(principal: Principal) -> None:
    """Refuse whoever may import nowhere; where exactly is asked for each operator. Raises: Forbidden."""
    decisions.require_somewhere(principal, Action.JWT_ADOPT)


def _still_so(made: Plan) -> bool:
    """Whether nothing changed under the operators that are here since the plan was made; their rows are locked."""
    operators = [one.pk for one in made.operators if one.pk is not None]
    operators += [key.operator_id for key in made.fills]
    wanted = sorted(set(operators))
    locked = Operator.objects.select_for_update(no_key=True).filter(pk__in=wanted, deleted_at=None)
    if len(list(locked.order_by("pk").values_list("pk", flat=True))) != len(wanted):
        return False
    return all(import_known.fingerprint(pk) == made.fingerprints.get(pk) for pk in wanted)
