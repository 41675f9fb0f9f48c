"""What can be done with keys themselves: add a missing seed, generate one ahead, hand a seed out, erase one."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F

from identities import lookup
from identities.errors import IdentityError
from identities.models import Key, Operator, Purpose, User
from identities.nkeys import KeyKind, KeyPair, NkeyError, SecretBytes
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.queries import keys as queries
from identities.services import audit, changes, clock, four_eyes, handovers, secrets, signing
from identities.services.creds import Handout, NoSeed
from identities.services.proposing import guarded

GENERATED = (KeyKind.OPERATOR, KeyKind.ACCOUNT, KeyKind.USER, KeyKind.CURVE)
"""What `nsc generate nkey` makes."""


def add_seed(*, principal: Principal, key: Key, seed: SecretBytes) -> Key:
    """Seal the seed of a key that was known by its public half only: from then on it signs, or its creds can be taken.

    Raises:
        IdentityError: it is no seed, or that of another key; the message never repeats it.
    """
    decisions.require(principal, Action.KEY_ADD_SEED, scope(key))
    found = _public_half(seed)
    with transaction.atomic():
        row = _locked(key)
        if row.deleted_at is not None:
            raise IdentityError(f"{row.public_key} was deleted, so its seed is of no use here.", field="seed")
        if row.sealed is not None:
            raise IdentityError(f"The seed of {row.public_key} is here already.", field="seed")
        if found != row.public_key:
            raise IdentityError(
                f"That is the seed of another key, {found}. The one of {row.public_key} is needed. "
                "It was thrown away and not stored.",
                field="seed",
            )
        row.sealed = signing.seal_seed(seed, row.public_key)
        row.save(update_fields=["sealed"])
        if row.user_id is not None:
            User.objects.live().filter(pk=row.user_id, public_key=row.public_key).update(has_seed=True)
        audit.record(
            principal, Action.KEY_ADD_SEED, targets(row), f"Added the seed of {named(row)}: {row.public_key}"
        )
    return row


def generate(*, principal: Principal, operator: Operator, kind: KeyKind) -> Key:
    """Make a key with its sealed seed that nothing refers to yet; its public key can be given wherever one is asked.

    Raises:
        IdentityError: a kind that nobody needs here.
    """
    decisions.require(principal, Action.KEY_GENERATE, Scope(operator=operator.pk))
    if kind not in GENERATED:
        raise IdentityError(f"Keys of kind {kind.value} are of no use here.", field="kind")
    with transaction.atomic():
        row, pair = signing.new_key(kind, purpose=Purpose.SPARE, operator=changes.locked(operator, None))
        pair.wipe()
        row.save()
        audit.record(
            principal,
            Action.KEY_GENERATE,
            targets(row),
            f"Generated a spare {kind.value} key under “{operator.name}”: {row.public_key}",
        )
    return row


def export_seed(*, principal: Principal, key: Key) -> Handout:
    """The seed as a file that nsc's keystore takes: `<public key>.nk`, without a line end.

    Raises:
        NoSeed: it is not here.
    """
    decisions.require(principal, Action.KEY_EXPORT, scope(key))
    if key.operator is not None:  # whoever has a seed signs alone
        four_eyes.refuse(principal, key.operator)
    with transaction.atomic():
        row = _locked(key)
        if row.sealed is None:
            raise NoSeed(f"The seed of {row.public_key} is not here, so it can't be taken away.")
        with secrets.opened(row.sealed, table="key", public_key=row.public_key, purpose="seed") as seed:
            handout = Handout(filename=f"{row.public_key}.nk", text=seed.reveal().decode("ascii"))
        given = (
            handovers.of_users([row.user])
            if row.user is not None
            else handovers.of_keys({row.pk: named(row)})
        )
        handovers.record(principal, handovers.Way.SEED, given)
        audit.record(
            principal,
            Action.KEY_EXPORT,
            targets(row),
            f"Handed out the seed of {named(row)}: {row.public_key}",
        )
    return handout


@guarded
def erase(*, principal: Principal, key: Key) -> Key:
    """Erase the seed of a key that no current claims name, for good; a spare key goes with it.

    Raises:
        IdentityError: the key is in use, or there is nothing to erase.
    """
    decisions.require(principal, Action.KEY_ERASE, scope(key))
    with transaction.atomic():
        row = _locked(key)
        if queries.is_referenced(row):
            raise IdentityError(
                f"{row.public_key} is in use. Take it out of the claims first, then its seed can be erased."
            )
        if row.sealed is None:
            raise IdentityError(f"The seed of {row.public_key} is not here: there is nothing to erase.")
        row.sealed = None
        row.deleted_at = row.deleted_at or clock.now()
        row.save(update_fields=["sealed", "deleted_at"])
        audit.record(
            principal, Action.KEY_ERASE, targets(row), f"Erased the seed of {named(row)}: {row.public_key}"
        )
    return row


def find(principal: Principal, operator: Operator, public_key: str) -> Key:
    """The key with this public key under `operator`, the live one first; it carries `here` and `referenced`.

    Raises:
        NotFound: there is none, or none that this principal may see.
    """
    rows = queries.listed(principal, operator, queries.Wanted()).filter(public_key=public_key)
    found = rows.order_by(F("deleted_at").desc(nulls_first=True), "-pk").first()
    if found is None:
        raise lookup.NotFound(f"There is no key {public_key[:60]} under this operator.")
    return found


def scope(key: Key) -> Scope:
    """Where a key stands, for policy: its account, or the operator itself."""
    return Scope(operator=key.operator_id, account=key.account_id)


def named(key: Key) -> str:
    """What a key is, in words; its operator, account and user are loaded."""
    holder = key.user or key.account or key.operator
    if key.purpose == Purpose.ROLE:
        return f"role “{key.role}” of {_kind(key)} “{holder.name}”"
    what = {Purpose.IDENTITY: "", Purpose.SPARE: f"the spare {key.kind} key under "}
    return f"{what.get(Purpose(key.purpose), f'the {key.purpose} key of ')}{_kind(key)} “{holder.name}”"


def targets(key: Key) -> list[audit.Target]:
    """How the audit names a key: its holder, and the key itself where that is another one."""
    holder = key.user or key.account or key.operator
    operator_key = key.operator.public_key
    found = [
        audit.Target(kind=_kind(key), key=holder.public_key, name=holder.name, operator_key=operator_key)
    ]
    if holder.public_key != key.public_key:
        found.append(
            audit.Target(kind="key", key=key.public_key, name=key.public_key, operator_key=operator_key)
        )
    return found


def _kind(key: Key) -> str:
    return "user" if key.user_id is not None else "account" if key.account_id is not None else "operator"


def _locked(key: Key) -> Key:
    rows = Key.objects.select_for_update(of=("self",)).select_related("operator", "account", "user")
    return rows.get(pk=key.pk)


def _public_half(seed: SecretBytes) -> str:
    try:
        pair = KeyPair.from_seed(seed)
    except NkeyError as refused:
        raise IdentityError(refused.user_message, field="seed") from None
    pair.wipe()
    return pair.public.text
