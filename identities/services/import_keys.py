"""The key and permission rows of an import, laid aside like the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db.models import Model, Q

from identities.claims.account import AccountBody
from identities.models import Key, Permission, Purpose, User
from identities.nkeys import KeyKind, is_public
from identities.services import clock, columns
from identities.services.columns import Rule
from identities.services.import_items import Holder, Item, Plan
from identities.services.import_plans_seeds import curve_key, operator_keys
from identities.services.import_reading import Collected
from identities.services.import_rows import Shelf

AT_ONCE = 500
_KEY = (
    "operator_id", "account_id", "user_id", "public_key", "kind", "purpose", "role", "sealed", "created_at",
    "deleted_at",
)  # fmt: skip
_PERMISSION = ("operator_id", "account_id", "user_id", "key_id", "direction", "effect", "queue", "pattern_id")
_Wanted = dict[str, tuple[KeyKind, Purpose, str]]


class KeyStager:
    """Works out the keys of operators, accounts and users, and the permission rows of the latter two."""

    def __init__(self, plan: Plan, collected: Collected, moment: Any) -> None:
        self.plan, self.collected, self.moment = plan, collected, moment
        self.subjects: dict[str, int] = {}
        self.roles: list[tuple[int, str, str]] = []
        self.spares = _spares(plan)
        self.spent: list[int] = []
        self.gone: list[int] = []
        self.without_rules: tuple[list[int], list[int]] = ([], [])
        self._wanted = {
            id(one): _operator_wants(one) if one.parent is None else _account_wants(one)
            for operator in plan.operators
            for one in (operator, *operator.accounts)
            if one.writes
        }

    def counts(self) -> Mapping[type[Model], int]:
        """How many rows there can be of each table, at most."""
        keys = sum(len(wanted) for wanted in self._wanted.values())
        rules = 0
        for account in self.plan.accounts():
            if account.writes:
                rules += sum(1 for _ in _account_rules(account))
            for user in account.users:
                if user.state.writes:
                    keys += user.known is None
                    rules += len(user.incoming.rights.rules)
        return {Key: keys, Permission: rules}

    @contextmanager
    def shelved(self, ids: Mapping[type[Model], Iterator[int]], *, schema: str) -> Iterator[None]:
        """Take rows, for the length of a block."""
        nobody: Iterator[int] = iter(())
        with (
            Shelf(Key, ids.get(Key, nobody), _KEY, schema=schema) as self.keys,
            Shelf(Permission, ids.get(Permission, nobody), _PERMISSION, schema=schema) as self.rules,
        ):
            yield

    def operator(self, holder: Holder, pk: int) -> None:
        """The keys of an operator."""
        here = (
            {} if holder.pk is None else _live(Q(operator_id=pk, account=None, kind=KeyKind.OPERATOR.value))
        )
        self._keys(self._wanted[id(holder)], here, pk, None)

    def account(self, holder: Holder, operator: int, pk: int) -> None:
        """The keys of an account, its default permissions, and what its roles may do."""
        here = {} if holder.pk is None else _live(Q(account_id=pk))
        roles = self._keys(self._wanted[id(holder)], here, operator, pk)
        if holder.pk is not None:
            self.without_rules[0].append(pk)
        for key, rule in _account_rules(holder):
            if not key or key in roles:
                self._rule(operator, pk, None, roles.get(key), rule)

    def user(self, item: Item, operator: int, account: int, pk: int) -> None:
        """The key of a user, and what it may do."""
        if item.known is None:
            self._key(item.incoming.key, (KeyKind.USER, Purpose.IDENTITY, ""), operator, account, pk)
        else:
            self.without_rules[1].append(pk)
        for rule in item.incoming.rights.rules:
            self._rule(operator, account, pk, None, rule)

    def seed_of(self, operator: int, key: str) -> bytes | None:
        """The envelope of a key's seed: one that came along, or that of a key generated ahead."""
        spare = self.spares.get((operator, key))
        kept = None if spare is None or spare.sealed is None else bytes(spare.sealed)
        return self.collected.seeds.get(key) or kept

    def flush(self) -> None:
        """Lay aside what was only remembered so far."""
        self.keys.flush()
        self.rules.flush()

    def publish(self) -> None:
        """Copy the new rows where they belong, and bring those that are here into step; in the caller's transaction."""
        for pk, purpose, role in self.roles:
            Key.objects.filter(pk=pk).update(purpose=purpose, role=role)
        _forget(self.gone, "key_id", Q())
        _forget(self.without_rules[0], "account_id", Q(user=None))
        _forget(self.without_rules[1], "user_id", Q())
        for part in _parts(self.gone):
            Key.objects.filter(pk__in=part).update(deleted_at=clock.now())
        for part in _parts(self.spent):
            Key.objects.filter(pk__in=part, purpose=Purpose.SPARE).delete()
        self.keys.publish()
        if self.rules.count:
            self._number_patterns()
            self.rules.publish()
        self._fill()

    def _number_patterns(self) -> None:
        """Put the id of each subject's row in the place of its number."""
        found = columns.interned(self.subjects)
        pairs = [(found[subject], number) for subject, number in self.subjects.items()]
        self.rules.renumber("pattern_id", pairs)

    def _fill(self) -> None:
        """Put the seeds that came along into keys that were here without them."""
        for key in self.plan.fills:
            Key.objects.filter(pk=key.pk, sealed=None).update(sealed=self.collected.seeds[key.public_key])
        for part in _parts([key.user_id for key in self.plan.fills if key.user_id is not None]):
            User.objects.filter(pk__in=part).update(has_seed=True)

    def _keys(
        self, wanted: _Wanted, here: dict[str, Key], operator: int, account: int | None
    ) -> dict[str, int]:
        """Rows for the keys that are missing; the ids of all, by key. Those that nothing names any more go."""
        ids = {}
        for key, (kind, purpose, role) in wanted.items():
            row = here.pop(key, None)
            if row is None:
                ids[key] = self._key(key, (kind, purpose, role), operator, account, None)
                continue
            ids[key] = row.pk
            if (row.purpose, row.role) != (purpose, role):
                self.roles.append((row.pk, purpose.value, role))
        self.gone += [row.pk for row in here.values()]
        return ids

    def _key(
        self,
        key: str,
        what: tuple[KeyKind, Purpose, str],
        operator: int,
        account: int | None,
        user: int | None,
    ) -> int:
        kind, purpose, role = what
        spare = self.spares.get((operator, key))
        if spare is not None:
            self.spent.append(spare.pk)
        sealed = self.seed_of(operator, key)
        return self.keys.add(
            operator, account, user, key, kind.value, purpose.value, role, sealed, self.moment, None
        )

    def _rule(self, operator: int, account: int, user: int | None, key: int | None, rule: Rule) -> None:
        direction, effect, subject, queue = rule
        number = self.subjects.setdefault(subject, -len(self.subjects) - 1)
        self.rules.add(operator, account, user, key, direction, effect, queue, number)


def _spares(plan: Plan) -> dict[tuple[int, str], Key]:
    """The keys generated ahead that turn out to be somebody's, by operator and key."""
    pks = [key.pk for held in plan.keys.values() for key in held.values() if key.is_spare]
    rows = [row for part in _parts(pks) for row in Key.objects.filter(pk__in=part)]
    return {(row.operator_id, row.public_key): row for row in rows}


def _live(which: Q) -> dict[str, Key]:
    rows = (
        Key.objects.filter(which, user=None, deleted_at=None).exclude(purpose=Purpose.SPARE).defer("sealed")
    )
    return {row.public_key: row for row in rows}


def _account_rules(holder: Holder) -> Iterator[tuple[str, Rule]]:
    """The default permissions of an account, and with its key what each role may do."""
    body: AccountBody = holder.claims.nats
    for rule in dict.fromkeys(columns.rules_of(body.default_permissions)):
        yield "", rule
    for entry in body.signing_keys:
        if entry.template is not None:
            for rule in dict.fromkeys(columns.rules_of(entry.template)):
                yield entry.key, rule


def _forget(ids: Sequence[int], column: str, which: Q) -> None:
    for part in _parts(ids):
        Permission.objects.filter(which, **{f"{column}__in": part}).delete()


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), AT_ONCE):
        yield ids[start : start + AT_ONCE]


def _operator_wants(holder: Holder) -> _Wanted:
    return {
        key: (KeyKind.OPERATOR, Purpose.IDENTITY if key == holder.key else Purpose.SIGNING, "")
        for key in operator_keys(holder)
    }


def _account_wants(holder: Holder) -> _Wanted:
    body: AccountBody = holder.claims.nats
    wanted: _Wanted = {holder.key: (KeyKind.ACCOUNT, Purpose.IDENTITY, "")}
    for entry in body.signing_keys:
        if entry.key not in wanted and is_public(entry.key, KeyKind.ACCOUNT):
            purpose = Purpose.ROLE if entry.is_scoped else Purpose.SIGNING
            wanted[entry.key] = (KeyKind.ACCOUNT, purpose, columns.cut(entry.role, 255))
    if xkey := curve_key(body):
        wanted[xkey] = (KeyKind.CURVE, Purpose.CURVE, "")
    return wanted
