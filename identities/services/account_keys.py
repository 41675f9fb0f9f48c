"""The identity key that an account gets: a new one, one kept in reserve, or one that somebody brings."""

from __future__ import annotations

from identities.errors import IdentityError
from identities.models import Key, Operator, Purpose
from identities.nkeys import KeyKind, PublicKey
from identities.services import clock, signing, spares


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
