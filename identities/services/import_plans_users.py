"""Plans the users of an import: whose each is, whether it is here already, and what its role makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from identities.claims import nsc_slips
from identities.claims.account import AccountBody
from identities.claims.operator import OperatorBody
from identities.claims.scopes import SigningKey
from identities.models import User
from identities.services import changes, import_known
from identities.services.import_items import (
    Holder,
    Item,
    State,
    chosen_name,
    judge,
    settle_name,
)
from identities.services.import_notes import Tone
from identities.services.import_reading import Incoming

if TYPE_CHECKING:
    from identities.services.import_plans import Planner

NOT_EMPTY = "scoped users require no permissions or limits set"
"""Go's words (`ValidateScopedSigner`)."""


def plan(planner: Planner) -> None:
    """Find the account of each user and compare it with what is here in that account."""
    _accounts_here(planner)
    of: dict[int, list[Incoming]] = {}
    holders: dict[int, Holder] = {}
    for incoming in planner.collected.users.values():
        holder = planner.account_keys.get(incoming.belongs)
        if holder is None:
            _stray(planner, incoming)
        else:
            holders[id(holder)] = holder
            of.setdefault(id(holder), []).append(incoming)
    for which, holder in holders.items():
        _users_of(planner, holder, of[which])


def _accounts_here(planner: Planner) -> None:
    """Accounts that are here and that users who come in belong to, though they did not come along themselves."""
    by_key = {holder.key: holder for holder in planner.holders}
    wanted = {one.belongs for one in planner.collected.users.values()} - planner.account_keys.keys()
    for row in import_known.accounts_by_key(planner.principal, sorted(wanted)):
        parent = by_key.get(row.operator.public_key)
        if parent is None or any(account.key == row.public_key for account in parent.accounts):
            continue
        known = import_known.accounts(row.operator_id, [row.public_key])[row.public_key]
        claims = changes.claims_of(row)
        holder = Holder(key=row.public_key, name=row.name, claims=claims, known=known, parent=parent)
        parent.accounts.append(holder)
        planner.know_account(holder)


def _stray(planner: Planner, incoming: Incoming) -> None:
    item = Item(incoming=incoming, name=incoming.name)
    item.stop(f"its account {incoming.belongs} neither came along nor is here")
    planner.plan.stray.append(item)


def _users_of(planner: Planner, holder: Holder, incomings: list[Incoming]) -> None:
    keys = [incoming.key for incoming in incomings]
    barred = _barred(planner, holder)
    known = {} if holder.pk is None or barred else import_known.users(holder.pk, keys)
    items = []
    for incoming in incomings:
        item = Item(incoming=incoming, name=incoming.name)
        judge(item, known.get(incoming.key))
        if item.known is not None and not item.known.deleted:
            item.name = import_known.local_name(item.known, incoming.name)
        items.append(item)
    holder.users = items
    if why := barred or _no_account(holder):
        for item in items:
            item.stop(why)
        return
    _settle(planner, holder, [item for item in items if item.state.writes])


def _barred(planner: Planner, holder: Holder) -> str:
    """Why nobody comes into an account that is here and did not come along itself; "" where they may."""
    return planner.forbidden(holder.operator.pk) if holder.item is None else ""


def _no_account(holder: Holder) -> str:
    if holder.item is not None and holder.stays_out:
        left = holder.item.why
        return left if left.startswith("left out") else f"its account “{holder.name}” stays out"
    return ""


def _settle(planner: Planner, holder: Holder, items: list[Item]) -> None:
    """Keys and names of those that would be written, and what is wrong between them and their account."""
    keys = [item.incoming.key for item in items]
    operator = holder.operator.pk
    if operator is not None:
        planner.plan.keys.setdefault(operator, {}).update(import_known.keys(operator, keys))
    held = planner.plan.keys.get(operator or 0, {})
    taken: dict[str, str] = {}
    if holder.pk is not None:
        names = [name for item in items if (name := chosen_name(item, planner.choices)) is not None]
        taken = import_known.taken_names(User.objects.filter(account_id=holder.pk), "name", names)
    roles = {entry.key: entry for entry in _body(holder).signing_keys}
    for item in items:
        if item.state.writes:
            _settle_one(planner, holder, item, held, taken)
        if item.state.writes:
            item.issuer_says = tuple(_refusals(holder, item.incoming, roles))
            _slips(planner, holder, item)


def _settle_one(
    planner: Planner,
    holder: Holder,
    item: Item,
    held: dict[str, import_known.KnownKey],
    taken: dict[str, str],
) -> None:
    here = held.get(item.incoming.key)
    mine = None if item.known is None else item.known.pk
    if here is not None and not here.is_spare and here.user != mine:
        item.stop("its key is already one under this operator")
        return
    name = chosen_name(item, planner.choices)
    if name is not None:
        said = f"“{holder.name}” already has a user named “{name}”, with another key"
        settle_name(item, name, taken, fold=name, said=said)


def _refusals(holder: Holder, user: Incoming, roles: dict[str, SigningKey]) -> Iterator[str]:
    """Why servers refuse the user for its issuer's sake (spec §3.8, §3.9)."""
    role = roles.get(user.issuer)
    operator: OperatorBody = holder.operator.claims.nats
    if user.issuer == holder.key:
        if operator.strict_signing_key_usage:
            yield f"signed by the identity key of “{holder.name}”, while its operator requires signing keys"
    elif role is None:
        yield f"signed by {user.issuer}, which is no key of account “{holder.name}” (any more)"
    elif user.issuer_account != holder.key:
        yield f"signed by a signing key without naming account “{holder.name}” as issuer_account"
    if role is not None and role.is_scoped and not user.rights.empty:
        yield NOT_EMPTY


def _slips(planner: Planner, holder: Holder, item: Item) -> None:
    if item.state is not State.NEW:
        return
    strict = holder.operator.claims.nats.strict_signing_key_usage
    for words in nsc_slips.of_user(item.incoming.issuer, _body(holder), strict=strict):
        planner.plan.notes.add(Tone.WARNING, words, f"user “{holder.name}/{item.name}”")


def _body(holder: Holder) -> AccountBody:
    body: AccountBody = holder.claims.nats
    return body
