"""Gets an import ready outside any transaction: what is signed anew is signed, what logs in by itself is sealed, and
all rows are laid aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from django.db.models import Model

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.operator import OperatorBody
from identities.models import Account, IssuedToken, Key, Operator, User
from identities.nkeys import KeyPair
from identities.policy.principal import Principal, Way
from identities.services import bulk, clock, columns, four_eyes, import_known, secrets, signing
from identities.services.import_items import Choices, Holder, Item, Plan
from identities.services.import_keys import KeyStager
from identities.services.import_notes import Tone
from identities.services.import_reading import Collected
from identities.services.import_rows import Shelf, reserve, room

EVERY = "*"
"""In `Choices.resign`: every account that its operator did not sign."""
REASON = "Imported"
RESIGNED = "Signed anew at its import"
NO_SIGNER = "was to be signed anew, but no key of its operator that may do so has its seed here"
FOUR_EYES = "was to be signed anew, but its operator asks for four eyes: propose an edit of it instead"
Changed = tuple[int, int, dict[str, Any]]
"""The id and version of a row that is here already, and its new columns."""

_ROW = (
    "public_key", "created_at", "name", "claims", "token_id", "issuer", "last_iat", "expires", "not_before",
    "updated_at", "updated_by",
)  # fmt: skip
_OPERATOR = ("name_fold", "system_account", "strict")
_ACCOUNT = ("name_fold", "description", "jetstream", "default_pub", "default_sub")
_USER = ("bearer", "pub_mode", "sub_mode")
_TOKEN = (
    "operator_id", "kind", "subject", "name", "issuer", "jti", "iat", "exp", "text", "sealed", "origin", "replaces_id",
    "by", "by_name", "reason", "created_at",
)  # fmt: skip


class Staging:
    """Everything that the transaction of one plan needs; a context, as it holds temporary tables."""

    def __init__(self, principal: Principal, plan: Plan, collected: Collected, choices: Choices) -> None:
        self.principal, self.plan, self.collected, self.choices = principal, plan, collected, choices
        self.now = clock.unix()
        self.moment = bulk.moment(clock.at(self.now))
        self.resigned: dict[str, codec.Token] = {}
        self.changed: dict[type[Operator | Account | User], list[Changed]] = {
            Operator: [],
            Account: [],
            User: [],
        }
        self.pks: dict[int, int] = {}
        self._iats: dict[str, int] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Lay all rows aside."""
        with self._stack:
            self._stage()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def publish(self) -> None:
        """Copy the new rows where they belong; runs in its caller's transaction."""
        for shelf in (self.operators, self.tokens, self.accounts, self.users):
            shelf.publish()
        self.keys.publish()

    def pk(self, holder: Holder) -> int:
        """The id of an operator's or account's row."""
        return holder.pk if holder.pk is not None else self.pks[id(holder)]

    def _stage(self) -> None:
        items = [item for item in self.plan.items() if item.state.writes]
        if not import_known.ledger_is_empty():
            self._iats = signing.last_iats([item.incoming.key for item in items])
        self._resign()
        self._shelves(items)
        for operator in self.plan.operators:
            self._operator(operator)
            for account in operator.accounts:
                self._account(account)
                self._users(account)
        for shelf in (self.operators, self.tokens, self.accounts, self.users):
            shelf.flush()
        self.keys.flush()

    def _shelves(self, items: Sequence[Item]) -> None:
        new = [item for item in items if item.known is None]
        kinds = [item.incoming.kind.value for item in new]
        self.keys = KeyStager(self.plan, self.collected, self.moment)
        ids = reserve(
            {
                Operator: kinds.count("operator"),
                IssuedToken: len(items) + len(self.resigned),
                Account: kinds.count("account"),
                User: kinds.count("user"),
                **self.keys.counts(),
            }
        )

        schema = self._stack.enter_context(room())

        def shelf(model: type[Model], *names: str) -> Shelf:
            return self._stack.enter_context(Shelf(model, ids.get(model, iter(())), names, schema=schema))

        self.operators = shelf(Operator, *_ROW, *_OPERATOR)
        self.tokens = shelf(IssuedToken, *_TOKEN)
        self.accounts = shelf(Account, *_ROW, *_ACCOUNT, "operator_id", "user_count")
        self.users = shelf(User, *_ROW, *_USER, "operator_id", "account_id", "has_seed")
        self._stack.enter_context(self.keys.shelved(ids, schema=schema))

    # --- rows

    def _operator(self, holder: Holder) -> None:
        if not holder.writes:
            return
        item = holder.brought
        body: OperatorBody = holder.claims.nats
        own = (
            columns.folded(holder.name),
            columns.cut(body.system_account, 56),
            body.strict_signing_key_usage,
        )
        # The ledger names the operator, and the operator its entry there: the id comes first.
        pk = holder.pk if holder.pk is not None else self.operators.next_id()
        token = self._token(item, pk, item.incoming.text, None)
        row = self._row(item, token, None)
        if holder.known is None:
            self.operators.add(*row.values(), *own, pk=pk)
            self.pks[id(holder)] = pk
        else:
            self._change(Operator, item, row, dict(zip(_OPERATOR, own, strict=True)))
        self.keys.operator(holder, pk)

    def _account(self, holder: Holder) -> None:
        if not holder.writes:
            return
        item, operator = holder.brought, self.pk(holder.operator)
        body: AccountBody = holder.claims.nats
        pub, sub = columns.default_modes(body.default_permissions)
        described, jetstream = columns.cut(body.description), body.limits.jetstream_enabled
        own = (columns.folded(holder.name), described, jetstream, str(pub), str(sub))
        token = self._token(item, operator, item.incoming.text, None)
        resigned = self.resigned.get(holder.key)
        if resigned is not None:
            token = self._resigned_token(resigned, operator, token)
        row = self._row(item, token, resigned)
        if holder.known is None:
            users = sum(user.state.writes for user in holder.users)
            self.pks[id(holder)] = self.accounts.add(*row.values(), *own, operator, users)
        else:
            self._change(Account, item, row, dict(zip(_ACCOUNT, own, strict=True)))
        self.keys.account(holder, operator, self.pk(holder))

    def _users(self, holder: Holder) -> None:
        body: AccountBody = holder.claims.nats
        roles = {entry.key: entry for entry in body.signing_keys}
        for item in holder.users:
            if not item.state.writes:
                continue
            incoming, operator = item.incoming, self.pk(holder.operator)
            role = roles.get(incoming.issuer)
            template = None if role is None else role.template
            credential = incoming.rights.bearer or (template is not None and template.bearer_token)
            text, sealed = signing.kept(incoming.text, incoming.key, credential=credential)
            scoped = role is not None and role.is_scoped
            modes = ("role", "role") if scoped else (incoming.rights.pub_mode, incoming.rights.sub_mode)
            own = (credential, *map(str, modes))
            row = self._row(item, self._token(item, operator, text, sealed), None)
            if item.known is None:
                account, seed = self.pk(holder), self.keys.seed_of(operator, incoming.key) is not None
                pk = self.users.add(*row.values(), *own, operator, account, seed)
            else:
                pk = item.known.pk
                self._change(User, item, row, dict(zip(_USER, own, strict=True)))
            self.keys.user(item, operator, self.pk(holder), pk)

    def _row(self, item: Item, token: int, resigned: codec.Token | None) -> dict[str, Any]:
        """What a row keeps of its JWT; of the one that was signed anew where there is one."""
        incoming = item.incoming
        iat = incoming.iat if resigned is None else resigned.claims.iat
        known = 0 if item.known is None else item.known.last_iat
        return {
            "public_key": incoming.key,
            "created_at": self.moment,
            "name": item.name,
            "claims": incoming.payload if resigned is None else resigned.payload,
            "token_id": token,
            "issuer": incoming.issuer if resigned is None else resigned.claims.iss,
            "last_iat": max(iat, known, self._iats.get(incoming.key, 0)),
            "expires": incoming.exp,
            "not_before": incoming.nbf,
            "updated_at": self.moment,
            "updated_by": self.principal.name,
        }

    def _change(
        self, model: type[Operator | Account | User], item: Item, row: dict[str, Any], own: dict[str, Any]
    ) -> None:
        if item.known is not None:
            kept = {name: value for name, value in row.items() if name not in ("public_key", "created_at")}
            self.changed[model].append((item.known.pk, item.known.version, {**kept, **own}))

    def _token(self, item: Item, operator: int, text: str, sealed: bytes | None) -> int:
        incoming = item.incoming
        return self.tokens.add(
            operator,
            incoming.kind.value,
            incoming.key,
            incoming.name,
            incoming.issuer,
            columns.cut(incoming.jti, signing.LONGEST_JTI),
            incoming.iat,
            incoming.exp,
            text,
            sealed,
            "imported",
            None if item.known is None else item.known.token,
            self.principal.key,
            self.principal.name,
            REASON,
            self.moment,
        )

    # --- signing anew

    def _resign(self) -> None:
        careful = self._asking_for_four_eyes()
        for account in self.plan.accounts():
            wanted = EVERY in self.choices.resign or account.key in self.choices.resign
            if not (wanted and account.foreign and account.writes):
                continue
            words = NO_SIGNER
            if account.operator.pk in careful:
                words = FOUR_EYES
            elif (token := self._resigned(account)) is not None:
                self.resigned[account.key] = token
                continue
            self.plan.notes.add(Tone.ERROR, words, f"account “{account.name}”")

    def _asking_for_four_eyes(self) -> set[int]:
        """The operators here for which nobody who brings something signs alone, though it is a worker that does it."""
        who = self.principal
        asked = replace(who, way=Way.PAGE) if who.person_id is not None else who
        rows = Operator.objects.exclude(four_eyes=four_eyes.Mode.NOBODY)
        held = rows.filter(pk__in=[one.pk for one in self.plan.operators if one.pk is not None])
        return {row.pk for row in held if four_eyes.asked_of(asked, row)}

    def _resigned(self, account: Holder) -> codec.Token | None:
        """The account's JWT signed by its operator; None where no seed is here."""
        incoming = account.brought.incoming
        found = next(_signers(account.operator, self.collected), None)
        if found is None:
            return None
        key, sealed = found
        claims: Claims[AccountBody] = replace(incoming.claims, name=account.name)
        known = 0 if account.known is None else account.known.last_iat
        last = max(incoming.iat, known, self._iats.get(account.key, 0))
        with secrets.opened(sealed, table="key", public_key=key, purpose="seed") as seed:
            pair = KeyPair.from_seed(seed)
            try:
                return codec.encode_checked(claims, pair, signing.next_iat(last, self.now))
            finally:
                pair.wipe()

    def _resigned_token(self, token: codec.Token, operator: int, replaces: int) -> int:
        entry = signing.ledger_row(token, principal=self.principal, operator=None, reason=RESIGNED)
        held = {**{name: getattr(entry, name) for name in _TOKEN}, "created_at": self.moment}
        return self.tokens.add(*{**held, "operator_id": operator, "replaces_id": replaces}.values())


def _signers(operator: Holder, collected: Collected) -> Iterator[tuple[str, bytes]]:
    """The keys that may sign accounts and whose seeds came along or are here, in the order in which they would sign."""
    body: OperatorBody = operator.claims.nats
    keys = [*body.signing_keys, *(() if body.strict_signing_key_usage else (operator.key,))]
    rows = Key.objects.filter(operator_id=operator.pk or 0, public_key__in=keys, deleted_at=None)
    here = {key.public_key: bytes(key.sealed) for key in rows if key.sealed is not None}
    for key in keys:
        sealed = collected.seeds.get(key) or here.get(key)
        if sealed is not None:
            yield key, sealed
