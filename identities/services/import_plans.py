"""Plans an import: who every JWT belongs to, and what would become of it. Reads the database and changes nothing.

Claims decide, the folder a file lies in is asked last. What collides is never overwritten: it stays out until somebody
gives it another name.
"""

from __future__ import annotations

from collections.abc import Iterator

from identities.claims import trust
from identities.claims.account import AccountBody
from identities.claims.operator import OperatorBody
from identities.models import Account, Operator
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import (
    clock,
    columns,
    import_known,
    import_plans_seeds,
    import_plans_users,
    import_reading,
    kept_out,
    signing,
)
from identities.services.import_items import (
    STAYS,
    Choices,
    Holder,
    Item,
    Plan,
    State,
    chosen_name,
    judge,
    settle_name,
)
from identities.services.import_notes import Tone
from identities.services.import_reading import Collected, Incoming

NO_CHOICES = Choices()
AS_CHOSEN = "left out, as chosen"


def plan(*, principal: Principal, collected: Collected, choices: Choices = NO_CHOICES) -> Plan:
    """What would become of all that was read."""
    planner = Planner(principal, collected, choices)
    planner.operators()
    planner.accounts()
    import_plans_users.plan(planner)
    planner.plan.operators = [one for one in planner.holders if one.item is not None or one.accounts]
    import_plans_seeds.plan(planner)
    planner.tell()
    return planner.plan


class Planner:
    """A plan in the making. `holders` are the operators brought and here; `signers` says whose key is which;
    `account_keys` likewise of the accounts that come in."""

    def __init__(self, principal: Principal, collected: Collected, choices: Choices) -> None:
        self.principal, self.collected, self.choices = principal, collected, choices
        self.plan = Plan(notes=collected.notes.copy())
        self.holders: list[Holder] = []
        self.signers: dict[str, Holder] = {}
        self.account_keys: dict[str, Holder] = {}
        self.claimed: dict[tuple[str, str], str] = {}

    # --- operators

    def operators(self) -> None:
        """Compare the operators that come in with those that are here."""
        rows = {row.public_key: row for row in import_known.operators(self.principal)}
        self.plan.fingerprints = {row.pk: import_known.fingerprint(row.pk) for row in rows.values()}
        taken = {row.name_fold: row.public_key for row in rows.values()}
        for incoming in self.collected.operators.values():
            row = rows.pop(incoming.key, None)
            self._add_operator(self._operator(incoming, row, taken))
        for row in rows.values():
            known = import_known.of_operator(row)
            self._add_operator(Holder(key=row.public_key, name=row.name, claims=known.claims, known=known))

    def _operator(self, incoming: Incoming, row: Operator | None, taken: dict[str, str]) -> Holder:
        item = Item(incoming=incoming, name=incoming.name)
        known = None if row is None else import_known.of_operator(row)
        judge(item, known)
        if known is not None:
            item.name = import_known.local_name(known, incoming.name)
        if not self._is_chosen(incoming):
            item.stop(AS_CHOSEN)
        elif why := self.forbidden(None if known is None else known.pk):
            item.stop(why)
        elif item.state.writes and (name := chosen_name(item, self.choices)) is not None:
            said = f"there is already an operator named “{name}”, with another key"
            settle_name(item, name, taken, fold=columns.folded(name), said=said)
        if known is not None and item.state.writes:
            keys = import_known.keys(known.pk, [incoming.key, *incoming.claims.nats.signing_keys])
            self.plan.keys.setdefault(known.pk, {}).update(keys)
        newer = known is not None and not item.state.writes
        claims = known.claims if newer and known is not None else incoming.claims
        if item.state.writes and not trust.did_sign(claims, claims):
            item.issuer_says = (f"signed by {claims.iss}, not by the operator itself",)
        return Holder(key=incoming.key, name=item.name, claims=claims, known=known, item=item)

    def _is_chosen(self, incoming: Incoming) -> bool:
        only = self.choices.only
        return incoming.key not in self.choices.leave and only in ("", incoming.key, incoming.name)

    def forbidden(self, operator: int | None) -> str:
        """Why this principal may not import there; "" when they may."""
        scope = None if operator is None else Scope(operator=operator)
        decision = decisions.decide(self.principal, Action.JWT_ADOPT, scope)
        return decision.reason if isinstance(decision, decisions.Denied) else ""

    def _add_operator(self, holder: Holder) -> None:
        self.holders.append(holder)
        body: OperatorBody = holder.claims.nats
        for key in (holder.key, *body.signing_keys):
            self.signers.setdefault(key, holder)

    # --- accounts

    def accounts(self) -> None:
        """Find the operator of each account, and compare it with what is here under that operator."""
        under: dict[str, list[Incoming]] = {}
        by_key = {holder.key: holder for holder in self.holders}
        here = self._operators_of_known()
        for incoming in self.collected.accounts.values():
            parent = self._parent(incoming, here)
            if parent is None:
                self._stray(incoming)
            else:
                under.setdefault(parent.key, []).append(incoming)
        for key, incomings in under.items():
            self._accounts_of(by_key[key], incomings)

    def _operators_of_known(self) -> dict[str, str]:
        rows = import_known.accounts_by_key(self.principal, list(self.collected.accounts))
        return {row.public_key: row.operator.public_key for row in rows}

    def _parent(self, incoming: Incoming, here: dict[str, str]) -> Holder | None:
        """The operator that signed it, else that has it, else in whose folder it lies, else the chosen one."""
        if (signer := self.signers.get(incoming.issuer)) is not None:
            return signer
        folder = incoming.place.operator
        for holder in self.holders:
            place = None if holder.item is None else holder.item.incoming.place
            if holder.key == here.get(incoming.key) or (folder and place and place.operator == folder):
                return holder
        return next((one for one in self.holders if self.choices.under in (one.key, one.name)), None)

    def _stray(self, incoming: Incoming) -> None:
        item = Item(incoming=incoming, name=incoming.name)
        whose = (
            "It is self-signed" if incoming.issuer == incoming.key else f"It is signed by {incoming.issuer}"
        )
        item.stop(
            f"its operator is not known. {whose}: bring the operator's JWT along, or choose the operator that "
            "it is to belong to"
        )
        self.plan.stray.append(item)

    def _accounts_of(self, parent: Holder, incomings: list[Incoming]) -> None:
        keys = [incoming.key for incoming in incomings]
        barred = parent.pk is None or self.forbidden(parent.pk)  # then nothing is told of what is here
        known = {} if barred else import_known.accounts(parent.pk or 0, keys)
        self._look_up_keys(parent, incomings)
        taken: dict[str, str] = {}
        if parent.pk is not None:
            folds = [columns.folded(self.choices.renames.get(one.key, one.name)) for one in incomings]
            rows = Account.objects.filter(operator_id=parent.pk)
            taken = import_known.taken_names(rows, "name_fold", folds)
        for incoming in incomings:
            holder = self._account(parent, incoming, known, taken)
            parent.accounts.append(holder)
            self.know_account(holder)

    def _account(
        self, parent: Holder, incoming: Incoming, known: dict[str, import_known.Known], taken: dict[str, str]
    ) -> Holder:
        item = Item(incoming=incoming, name=incoming.name)
        judge(item, known.get(incoming.key))
        live = None if item.known is None or item.known.deleted else item.known
        if live is not None:
            item.name = import_known.local_name(live, incoming.name)
        if why := self._no_parent(parent):
            item.stop(why)
        elif item.state.writes:
            self._settle_account(item, parent, taken)
        claims = live.claims if live is not None and not item.state.writes else incoming.claims
        said = tuple(_not_signed_by(parent, incoming)) if item.state.writes else ()
        item.issuer_says = said
        return Holder(
            key=incoming.key,
            name=item.name,
            claims=claims,
            known=live,
            item=item,
            parent=parent,
            foreign=bool(said),
        )

    def _no_parent(self, parent: Holder) -> str:
        """Why nothing comes in under an operator."""
        if parent.item is not None and parent.item.why == AS_CHOSEN:
            return AS_CHOSEN
        if parent.stays_out:
            return f"its operator “{parent.name}” stays out"
        return self.forbidden(parent.pk) if parent.pk is not None else ""

    def _settle_account(self, item: Item, parent: Holder, taken: dict[str, str]) -> None:
        if clash := self._key_clash(item, parent) or _frees_somebody(item) or _ahead(item):
            item.stop(clash, State.LEFT if item.known is None else State.OLDER)
            return
        name = chosen_name(item, self.choices)
        if name is not None:
            said = f"“{parent.name}” already has an account named “{name}” (in any case), with another key"
            settle_name(item, name, taken, fold=columns.folded(name), said=said)

    def _key_clash(self, item: Item, parent: Holder) -> str:
        """Why the keys of an account can't be its own: one of them is another's under the same operator."""
        mine = None if item.known is None else item.known.pk
        for key in keys_of_account(item.incoming):
            here = self.plan.keys.get(parent.pk or 0, {}).get(key)
            if here is not None and not here.is_spare and (here.account != mine or here.user is not None):
                return f"its key {key} is already one of {_holder_of(here)}"
            other = self.claimed.setdefault((parent.key, key), item.incoming.key)
            if other != item.incoming.key:
                return f"its key {key} is one of another account that comes along, {other}"
        return ""

    def _look_up_keys(self, parent: Holder, incomings: list[Incoming]) -> None:
        if parent.pk is not None:
            wanted = {key for incoming in incomings for key in keys_of_account(incoming)}
            held = self.plan.keys.setdefault(parent.pk, {})
            held.update(import_known.keys(parent.pk, sorted(wanted)))

    def know_account(self, holder: Holder) -> None:
        """Remember whose keys these are, for the users that they signed."""
        body: AccountBody = holder.claims.nats
        for key in (holder.key, *(entry.key for entry in body.signing_keys)):
            self.account_keys.setdefault(key, holder)

    # --- what is said

    def tell(self) -> None:
        """Note what stays out and why, and what is wrong with what comes in."""
        for item, what in _labelled(self.plan):
            if item.state.stays_out:
                if item.why != AS_CHOSEN:
                    self.plan.notes.add(Tone.LEFT, item.why, what)
            elif item.state is State.OLDER:
                tone = Tone.INFO if item.why in STAYS else Tone.WARNING
                self.plan.notes.add(tone, item.why, what)
            elif item.state.writes:
                for words in item.issuer_says:
                    self.plan.notes.add(Tone.ERROR, words, what)
                import_reading.told(self.plan.notes, item.incoming, what)
        import_plans_seeds.tell(self)


def _labelled(plan: Plan) -> Iterator[tuple[Item, str]]:
    for operator in plan.operators:
        if operator.item is not None:
            yield operator.item, f"operator “{operator.name}”"
        for account in operator.accounts:
            if account.item is not None:
                yield account.item, f"account “{account.name}”"
            for user in account.users:
                yield user, f"user “{account.name}/{user.name}”"
    for item in plan.stray:
        yield item, f"{item.incoming.kind} “{item.name}” ({item.incoming.path})"


def keys_of_account(incoming: Incoming) -> Iterator[str]:
    """The identity key, signing keys, roles' keys and curve key that an account's JWT names."""
    body: AccountBody = incoming.claims.nats
    named = (incoming.key, *(entry.key for entry in body.signing_keys), body.authorization.xkey)
    yield from dict.fromkeys(key for key in named if key)


def _not_signed_by(parent: Holder, incoming: Incoming) -> Iterator[str]:
    """Why servers that trust the operator refuse the account."""
    if trust.did_sign(parent.claims, incoming.claims):
        return
    if incoming.issuer == incoming.key:
        yield f"self-signed, not signed by operator “{parent.name}”"
    elif incoming.issuer == parent.key:
        yield f"signed by the identity key of operator “{parent.name}”, which requires signing keys"
    else:
        yield f"signed by {incoming.issuer}, which is no key of operator “{parent.name}” (any more)"


def _ahead(item: Item) -> str:
    """Why a newer JWT of an account is not taken: it is dated so far ahead that nothing could be signed after it."""
    ahead = item.incoming.iat - clock.unix()
    return "" if item.known is None or ahead <= signing.TAKEN_AHEAD else signing.AHEAD.format(ahead=ahead)


def _frees_somebody(item: Item) -> str:
    """Why a newer JWT of an account is not taken: it would let in who is suspended, or was put out, here."""
    if item.known is None:
        return ""
    row = Account.objects.get(pk=item.known.pk)
    before, after = item.known.claims.nats, item.incoming.claims.nats
    try:
        kept_out.refuse_freed(row, before.revocations, after.revocations)
        kept_out.refuse_returning(row, before, after)
    except (kept_out.Suspended, kept_out.Returns) as refused:
        return refused.user_message
    return ""


def _holder_of(key: import_known.KnownKey) -> str:
    if key.account is None:
        return "the operator"
    return f"“{Account.objects.values_list('name', flat=True).get(pk=key.account)}”"
