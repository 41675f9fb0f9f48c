"""What a plan, or an import that was carried out, says to people: numbers and the first names; no secret."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from identities.claims.account import AccountBody
from identities.claims.operator import OperatorBody
from identities.services import import_known
from identities.services.import_items import Holder, Item, Plan, State
from identities.services.import_plans import AS_CHOSEN
from identities.services.import_reading import Collected

MOST_ACCOUNTS = 300
MOST_ASKED = 200
MOST_CHANGED = 50
MOST_FIELDS = 40
MOST_KEYS = 50
Summary = dict[str, Any]


def summary(plan: Plan, collected: Collected) -> Summary:
    """All that pages and commands show of it, as JSON."""
    accounts = sorted(plan.accounts(), key=lambda account: (not _acts(account), account.name.casefold()))
    asks = [item for item in plan.items() if item.state is State.ASK]
    foreign = [one for one in plan.accounts() if one.foreign and not one.stays_out]
    changed = [(what, item) for what, item in _everything(plan) if item.state is State.CHANGED]
    return {
        "files": collected.files,
        "nothing": plan.changes_nothing,
        "counts": {
            "operator": _counts(one.item for one in plan.operators if one.item is not None),
            "account": _counts(one.item for one in plan.accounts() if one.item is not None),
            "user": _counts(user for one in plan.accounts() for user in one.users),
            "stray": len(plan.stray),
        },
        "operators": [_operator(one) for one in plan.operators if one.item is not None],
        "accounts": [_account(one) for one in accounts[:MOST_ACCOUNTS]],
        "accounts_more": max(0, len(accounts) - MOST_ACCOUNTS),
        "asks": [_ask(item) for item in asks[:MOST_ASKED]],
        "asks_more": max(0, len(asks) - MOST_ASKED),
        "foreign": [_foreign(one) for one in foreign[:MOST_ASKED]],
        "foreign_more": max(0, len(foreign) - MOST_ASKED),
        "changed": [_changed(what, item) for what, item in changed[:MOST_CHANGED]],
        "changed_more": max(0, len(changed) - MOST_CHANGED),
        "seeds": _seeds(plan),
        "stuck": list(_stuck(plan)),
        "notes": plan.notes.as_json(),
    }


def _everything(plan: Plan) -> Iterator[tuple[str, Item]]:
    for operator in plan.operators:
        if operator.item is not None:
            yield f"operator “{operator.name}”", operator.item
        for account in operator.accounts:
            if account.item is not None:
                yield f"account “{account.name}”", account.item
            for user in account.users:
                yield f"user “{account.name}/{user.name}”", user


def _acts(account: Holder) -> bool:
    own = account.item is not None and account.item.state not in (State.UNCHANGED, State.LEFT)
    return own or any(user.state is not State.UNCHANGED for user in account.users)


def _counts(items: Iterable[Item]) -> dict[str, int]:
    return dict(Counter(item.state.value for item in items))


def _operator(holder: Holder) -> Summary:
    accounts = [one.item for one in holder.accounts if one.item is not None]
    return {
        "key": holder.key,
        "name": holder.name,
        "state": holder.brought.state.value,
        "why": holder.brought.why,
        "chosen": holder.brought.why != AS_CHOSEN,
        "accounts": _counts(accounts),
        "users": _counts(user for one in holder.accounts for user in one.users),
    }


def _account(holder: Holder) -> Summary:
    return {
        "key": holder.key,
        "name": holder.name,
        "operator": "" if holder.parent is None else holder.parent.name,
        "operator_key": "" if holder.parent is None else holder.parent.key,
        "state": State.UNCHANGED.value if holder.item is None else holder.item.state.value,
        "why": "" if holder.item is None else holder.item.why,
        "users": _counts(holder.users),
    }


def _ask(item: Item) -> Summary:
    incoming = item.incoming
    return {
        "key": incoming.key,
        "kind": incoming.kind.value,
        "name": incoming.name,
        "why": item.why,
        "path": incoming.path,
    }


def _foreign(holder: Holder) -> Summary:
    return {
        "key": holder.key,
        "name": holder.name,
        "operator": "" if holder.parent is None else holder.parent.name,
        "why": holder.brought.issuer_says[0],
    }


def _changed(what: str, item: Item) -> Summary:
    fields = [] if item.known is None else import_known.diff_of(item.known, item.incoming.payload)
    return {"what": what, "diff": fields[:MOST_FIELDS], "more": max(0, len(fields) - MOST_FIELDS)}


def _seeds(plan: Plan) -> Mapping[str, Any]:
    return {
        "brought": len(plan.brought),
        "fills": len(plan.fills),
        "here": len(plan.here),
        "missing": len(plan.missing),
        "missing_of": [{"key": key, "what": what} for key, what in plan.missing[:MOST_KEYS]],
        "strangers": plan.strangers[:MOST_KEYS],
        "strangers_count": len(plan.strangers),
    }


def _stuck(plan: Plan) -> Iterator[str]:
    """What can't be signed here until a seed arrives."""
    held = plan.brought | plan.here
    for operator in plan.operators:
        if operator.item is None or operator.item.state.stays_out:
            continue
        body: OperatorBody = operator.claims.nats
        signing = [*body.signing_keys, *(() if body.strict_signing_key_usage else (operator.key,))]
        if operator.key not in held:
            yield (
                f"The JWT of operator “{operator.name}” can't be signed here: its own seed is not here. Edits of it "
                "can be downloaded, signed elsewhere and brought back."
            )
        if not held.intersection(signing):
            yield f"Accounts of “{operator.name}” can't be signed here: no key that may do so has its seed here."
        yield from _stuck_accounts(operator, held)


def _stuck_accounts(operator: Holder, held: set[str]) -> Iterator[str]:
    names = []
    for account in operator.accounts:
        if account.item is None or account.item.state.stays_out:
            continue
        body: AccountBody = account.claims.nats
        strict = operator.claims.nats.strict_signing_key_usage
        may = [*(entry.key for entry in body.signing_keys), *(() if strict else (account.key,))]
        if not held.intersection(may):
            names.append(account.name)
    if names:
        first = ", ".join(f"“{name}”" for name in names[:5]) + (" …" if len(names) > 5 else "")
        number = "account" if len(names) == 1 else "accounts"
        yield f"Users of {len(names)} {number} can't be issued here: none of their keys has its seed here ({first})."
