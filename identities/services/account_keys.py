"""The rows that a new account begins with: its identity key (new, kept in reserve, or brought), and its own."""

from __future__ import annotations

from identities.claims.drafts import AccountDraft
from identities.errors import IdentityError
from identities.models import Account, Key, Operator, Purpose
from identities.nkeys import KeyKind, PublicKey
from identities.policy.principal import Principal
from identities.services import clock, columns, signing, spares


def identity(operator: Operator, public_key: str) -> Key:
    """The unsaved key row that a new account gets: a fresh key, a spare one with its seed, or a public key alone.

    Raises:
        IdentityError: it is no account key, or it is or was another one's.
    """
    if not public_key:
        key, pair = signing.new_key(KeyKind.ACCOUNT, purpose=Purpose.IDENTITY)
        pair.wipe()
        return key
    given = PublicKey.parse(public_key, KeyKind.ACCOUNT)
    if (spare := spares.one(operator.pk, KeyKind.ACCOUNT, given.text)) is not None:
        spare.purpose = Purpose.IDENTITY
        return spare
    if Key.objects.filter(operator=operator, public_key=given.text, deleted_at=None).exists():
        raise IdentityError(f"{given.text} is already a key under “{operator.name}”.", field="public_key")
    former = Key.objects.filter(
        operator=operator, public_key=given.text, kind=KeyKind.ACCOUNT.value, purpose=Purpose.IDENTITY
    )
    held = former.select_related("account").order_by("-deleted_at").first()
    if held is not None and held.account is not None:
        deleted = "deleted " if held.account.deleted_at is not None else ""
        raise IdentityError(
            f"{given.text} belonged to the {deleted}account “{held.account.name}”: with it, creds that were handed "
            "out or revoked then would work again. Use a new key.",
            field="public_key",
        )
    return Key(public_key=given.text, kind="account", purpose=Purpose.IDENTITY, created_at=clock.now())


def insert(principal: Principal, operator: Operator, draft: AccountDraft, keys: list[Key]) -> Account:
    """The account's row, still without claims, and those of its keys, the identity key first."""
    moment = clock.now()
    brought = [draft.public_key] if draft.public_key else []
    account = Account(
        operator=operator,
        public_key=keys[0].public_key,
        name=draft.name,
        name_fold=columns.folded(draft.name),
        issuer=operator.public_key,
        last_iat=signing.last_iats(brought).get(draft.public_key, 0),
        version=0,
        created_at=moment,
        updated_at=moment,
        updated_by=principal.name,
    )
    account.save()
    for key in keys:
        key.operator, key.account = operator, account
        key.save()
    return account


def first_signer(operator: Operator, own: Key) -> Key:
    """The operator's key; where no seed of the operator is here, the account's own, until the operator signs it."""
    try:
        return signing.account_signer(operator, operator.document())
    except signing.NoSigner:
        if own.sealed is None:
            raise
        return own
