"""The rest of a plan: which seeds come, are here, are missing or belong to nobody; what nsc slipped in; cycles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from identities.claims import import_cycles, nsc_slips
from identities.claims.account import AccountBody
from identities.claims.operator import OperatorBody
from identities.models import Account, Key
from identities.nkeys import KeyKind, is_public
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Scope
from identities.services import changes, import_known
from identities.services.import_items import Holder, Plan
from identities.services.import_notes import Tone

if TYPE_CHECKING:
    from identities.services.import_plans import Planner

MOST_NAMED = 200


def plan(planner: Planner) -> None:
    """Sort the seeds by what becomes of them."""
    made, seeds = planner.plan, planner.collected.seeds
    named = dict(_named(made))
    here = import_known.any_seed(planner.principal, [key for key in named if key not in seeds])
    made.brought = {key for key in named if key in seeds}
    made.here = here
    made.missing = [(key, what) for key, what in named.items() if key not in seeds and key not in here]
    others = [key for key in seeds if key not in made.brought]
    written = {key for operator in made.operators for key in _written(operator)}
    fits = [*others, *(key for key in made.brought if key not in written)]
    made.fills = [key for key in import_known.seedless(fits) if _may_fill(planner, key)]
    known = {key.public_key for key in made.fills} | import_known.any_seed(planner.principal, others)
    made.strangers = sorted(key for key in others if key not in known)


def tell(planner: Planner) -> None:
    """Note what belongs to no JWT, what nsc slipped in, and imports that go round in circles."""
    notes = planner.plan.notes
    for key in planner.plan.strangers:
        notes.add(Tone.LEFT, "a seed that belongs to none of these JWTs, and to nothing here", key)
    for store in planner.collected.stores:
        if store.managed:
            words = "is a managed operator: its own key is kept by whoever runs it, so they sign its accounts"
            notes.add(Tone.INFO, words, f"operator “{store.name}”")
    for operator in planner.plan.operators:
        _misplaced(planner, operator)
        for account in operator.accounts:
            _slips(planner, account)
        _cycles(planner, operator)


def curve_key(body: AccountBody) -> str:
    """The account's curve key; "" for none that is one."""
    xkey = body.authorization.xkey
    return xkey if is_public(xkey, KeyKind.CURVE) else ""


def operator_keys(operator: Holder) -> Iterator[str]:
    """The identity and signing keys of an operator, those that are operators' keys."""
    body: OperatorBody = operator.claims.nats
    keys = dict.fromkeys((operator.key, *body.signing_keys))
    yield from (key for key in keys if is_public(key, KeyKind.OPERATOR))


def _named(plan: Plan) -> Iterator[tuple[str, str]]:
    """Every key that something of the import has or will have, and what it is for."""
    for operator in plan.operators:
        if operator.item is not None and not operator.item.state.stays_out:
            for key in operator_keys(operator):
                what = "identity" if key == operator.key else "signing"
                yield key, f"{what} key of operator “{operator.name}”"
        for account in operator.accounts:
            if account.item is not None and not account.item.state.stays_out:
                yield from _of_account(account)
            for user in account.users:
                if not user.state.stays_out:
                    yield user.incoming.key, f"user “{account.name}/{user.name}”"


def _of_account(account: Holder) -> Iterator[tuple[str, str]]:
    body: AccountBody = account.claims.nats
    yield account.key, f"identity key of account “{account.name}”"
    for entry in body.signing_keys:
        if entry.key != account.key and is_public(entry.key, KeyKind.ACCOUNT):
            what = f"role “{entry.role}”" if entry.is_scoped else "signing key"
            yield entry.key, f"{what} of account “{account.name}”"
    if xkey := curve_key(body):
        yield xkey, f"curve key of account “{account.name}”"


def _written(operator: Holder) -> Iterator[str]:
    """The keys whose rows are written with their seeds, as their holders are new."""
    if operator.writes and operator.known is None:
        yield from operator_keys(operator)
    for account in operator.accounts:
        if account.writes and account.known is None:
            yield from (key for key, _ in _of_account(account))
        for user in account.users:
            if user.state.writes and user.known is None:
                yield user.incoming.key


def _may_fill(planner: Planner, key: Key) -> bool:
    decision = decisions.decide(planner.principal, Action.JWT_ADOPT, Scope(operator=key.operator_id))
    return isinstance(decision, decisions.Allowed)


def _misplaced(planner: Planner, operator: Holder) -> None:
    """Accounts that lie in the folder of an operator that is not theirs."""
    home = "" if operator.item is None else operator.item.incoming.place.operator
    for account in operator.accounts:
        if account.item is None:
            continue
        incoming = account.item.incoming
        for place in (incoming.place, *incoming.elsewhere):
            if home and place.operator and place.operator != home:
                words = f"lies in the folder of another operator, and belongs to “{operator.name}”"
                planner.plan.notes.add(Tone.WARNING, words, f"account “{account.name}” ({place.account})")


def _slips(planner: Planner, account: Holder) -> None:
    if not account.writes:
        return
    before: AccountBody | None = None if account.known is None else account.known.claims.nats
    for words in nsc_slips.of_account(before, account.brought.incoming.claims.nats):
        tone = Tone.INFO if words == nsc_slips.EDITED else Tone.WARNING
        planner.plan.notes.add(tone, words, f"account “{account.name}”")


def _cycles(planner: Planner, operator: Holder) -> None:
    """Imports that lead back to where they came from: only a server's log knows them (quirk 8)."""
    bodies: dict[str, AccountBody] = {}
    for account in operator.accounts:
        if account.item is not None and not account.stays_out:
            bodies[account.key] = account.claims.nats
    fresh = [one for one in operator.accounts if one.writes]
    if operator.pk is not None:
        _add_exporters(operator.pk, bodies)
    for account in fresh:
        body: AccountBody = account.claims.nats
        for one in body.imports:
            if one is not None and import_cycles.cycle(account.key, one, bodies):
                words = (
                    f"the import of “{one.subject}” leads back to where it came from: nats-server drops the one import "
                    "that closes the circle, and says so in its debug log alone"
                )
                planner.plan.notes.add(Tone.WARNING, words, f"account “{account.name}”")


def _add_exporters(operator: int, bodies: dict[str, AccountBody]) -> None:
    """The accounts here that imports lead to, as far as they lead."""
    wanted = _exporters(bodies)
    while wanted:
        rows = Account.objects.live().filter(operator_id=operator, public_key__in=sorted(wanted)[:500])
        found = {row.public_key: changes.claims_of(row).nats for row in rows}
        if not found:
            return
        bodies.update(found)
        wanted = _exporters(bodies)


def _exporters(bodies: dict[str, AccountBody]) -> set[str]:
    named = {one.account for body in bodies.values() for one in body.imports if one is not None}
    return named - bodies.keys()
