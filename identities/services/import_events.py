"""The audit events of an import: one for each operator and each account, with everything below it that was written."""

from __future__ import annotations

from collections.abc import Iterator

from identities.policy.actions import Action
from identities.services import audit
from identities.services.import_items import Holder, Plan, State


def events(plan: Plan, resigned: frozenset[str]) -> Iterator[audit.Event]:
    """What the audit chain keeps of an import; `resigned` are the accounts that were signed anew."""
    for operator in plan.operators:
        if operator.writes:
            yield _event(_done(operator, f"operator “{operator.name}”"), [_target(operator)])
        for account in operator.accounts:
            yield from _of_account(account, resigned)
    yield from _of_seeds(plan)


def _of_account(account: Holder, resigned: frozenset[str]) -> Iterator[audit.Event]:
    users = [user for user in account.users if user.state.writes]
    if not account.writes and not users:
        return
    said = []
    if account.writes:
        words = _done(account, f"account “{account.name}” of “{account.operator.name}”")
        words += f": {account.brought.issuer_says[0]}" if account.brought.issuer_says else ""
        said.append(words + ("; signed anew by the operator" if account.key in resigned else ""))
    new = sum(user.state is State.NEW for user in users)
    for number, verb in ((new, "imported"), (len(users) - new, "updated")):
        if number:
            said.append(f"{verb} {number} {'user' if number == 1 else 'users'} of “{account.name}”")
    targets = [
        audit.Target(kind="user", key=user.incoming.key, name=user.name, operator_key=account.operator.key)
        for user in users
    ]
    words = "; ".join(said)
    yield _event(words[:1].upper() + words[1:], [_target(account), *targets])


def _of_seeds(plan: Plan) -> Iterator[audit.Event]:
    by_operator: dict[str, list[audit.Target]] = {}
    names: dict[str, str] = {}
    for key in plan.fills:
        holder = key.user or key.account or key.operator
        kind = "user" if key.user else "account" if key.account else "operator"
        operator = key.operator.public_key
        names[operator] = key.operator.name
        target = audit.Target(kind=kind, key=holder.public_key, name=holder.name, operator_key=operator)
        by_operator.setdefault(operator, []).append(target)
    for operator, targets in by_operator.items():
        number = len(targets)
        seeds = f"{number} {'seed' if number == 1 else 'seeds'}"
        unique = list(dict.fromkeys(targets))
        yield _event(f"Added {seeds} that had been missing under “{names[operator]}”", unique)


def _event(summary: str, targets: list[audit.Target]) -> audit.Event:
    return audit.Event(action=Action.JWT_ADOPT, targets=tuple(targets), summary=summary)


def _done(holder: Holder, what: str) -> str:
    if holder.brought.state is State.NEW:
        return f"Imported {what}"
    return f"Updated {what} from a newer JWT"


def _target(holder: Holder) -> audit.Target:
    kind = "operator" if holder.parent is None else "account"
    return audit.Target(kind=kind, key=holder.key, name=holder.name, operator_key=holder.operator.key)
