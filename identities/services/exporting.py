"""An operator goes out whole, as a store that nsc takes as its own; with its keys only for who may have them, audited.

The event names every key and stands before the first byte leaves. Without keys nothing goes out that logs in: a bearer
user's JWT stays here then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.db import transaction

from identities.models import Operator
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import audit, export_plans, four_eyes, handovers
from identities.services.export_plans import Plan


def prepare(
    *,
    principal: Principal,
    operator: Operator,
    with_keys: bool,
    flat: bool = False,
    placed: Callable[[Plan], Plan] | None = None,
) -> Plan:
    """What goes out, for `export_reading.files` to read; with keys, it is audited here that they were handed out.

    `placed` may fit the plan to where it goes, or refuse it before anything is audited.

    Raises: IdentityError: the operator has no JWT yet.
    """
    scope = Scope(operator=operator.pk)
    decisions.require(principal, Action.STORE_EXPORT if with_keys else Action.JWT_DOWNLOAD, scope)
    with transaction.atomic():
        row = Operator.objects.live().select_related("token").get(pk=operator.pk)
        if with_keys:  # whoever has seeds signs alone
            four_eyes.refuse(principal, row)
        found = export_plans.plan(row, with_keys=with_keys, flat=flat)
        if placed is not None:
            found = placed(found)
        if with_keys:
            number = sum(1 for _ in found.all_keys())
            seeds = f"{number:,} {'seed' if number == 1 else 'seeds'}"
            summary = f"Handed out the store of operator “{row.name}” with {seeds}"
            handovers.record(principal, handovers.Way.STORE, _given(found))
            audit.record(principal, Action.STORE_EXPORT, _targets(found), summary)
    return found


def _given(found: Plan) -> list[handovers.Given]:
    """What logs in or signs, of all that leaves."""
    named = {key.pk: key.name for key in found.keys}
    users = [user.pk for _, user in found.users() if user.secret or user.seed is not None]
    return [*handovers.of_keys(named), *handovers.of_user_ids(users)]


def _targets(found: Plan) -> Iterator[audit.Target]:
    """The operator, every key whose seed leaves, and every user whose JWT alone logs in."""
    own = found.operator.public_key

    def target(kind: str, key: str, name: str) -> audit.Target:
        return audit.Target(kind=kind, key=key, name=name, operator_key=own)

    yield target("operator", own, found.operator.name)
    for one in found.all_keys():
        if one.key != own:
            yield target(one.kind, one.key, one.name)
    for _, user in found.users():
        if user.secret and user.seed is None:
            yield target("user", user.key, user.name)
