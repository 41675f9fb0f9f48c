"""Who signs an edit: the previous issuer where its seed is here, else the key that a person chose; never another one
without a word. What must not wait for a choice (revoking, re-signing in bulk) goes by the order of `signing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from identities.claims import trust
from identities.claims.account import AccountBody
from identities.claims.operator import OperatorBody
from identities.errors import IdentityError
from identities.models import Account, Key, Mode, User
from identities.services import changes
from identities.services.signing import NoSigner, where_to_add

FIELD = "signed_by"
"""The form field in which the key is chosen."""
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What there is to choose from when the previous issuer can't sign again.

    `why` says what is missing and where to add it; `keys` may sign and have their seeds here, the usual one first.
    """

    why: str
    keys: tuple[Key, ...]


def choice(row: Account | User) -> Choice | None:
    """What a person has to choose from before `row` can be edited; None while its issuer signs again by itself."""
    may = _may_sign(row)
    here = _here(row, may)
    if row.issuer in may and row.issuer in here:
        return None
    keys = tuple(here[key] for key in may if key in here)
    if not keys and _signs_itself(row, here):
        return None
    return Choice(why=_why(row, may, keys), keys=keys)


def of_edit(row: Account | User) -> Key:
    """The key that signs an edit of `row`: `row.chosen_signer`, or its issuer.

    An issuer whose seed is here, but that may not sign any more (an identity key after the operator began to require
    signing keys), is followed by the first key that may.

    Raises:
        NoSigner: the issuer can't sign and nobody was chosen, or the seed of the chosen key is not here.
        IdentityError: the chosen key may not sign it.
    """
    may = _may_sign(row)
    here = _here(row, may)
    chosen = row.chosen_signer
    if chosen:
        if chosen not in may:
            raise IdentityError(
                f"{chosen} may not sign “{row.name}”. Choose one of its signers.", field=FIELD
            )
        if chosen not in here:
            raise NoSigner(f"The seed of {chosen} is not here. {where_to_add(row.operator)}", field=FIELD)
        return here[chosen]
    keys = tuple(here[key] for key in may if key in here)
    if row.issuer in here and row.issuer in may:
        return here[row.issuer]
    if row.issuer in here and (keys or _signs_itself(row, here)):
        return keys[0] if keys else here[row.issuer]
    raise NoSigner(_why(row, may, keys), field=FIELD)


def _signs_itself(row: Account | User, here: dict[str, Key]) -> bool:
    """Whether an account is self-signed until its operator signs it, whose keys are not here: it goes on so."""
    return isinstance(row, Account) and row.issuer == row.public_key and row.issuer in here


def _may_sign(row: Account | User) -> Sequence[str]:
    """The keys whose signature servers take for `row`, and which leave its rights what they are."""
    if isinstance(row, Account):
        operator: OperatorBody = changes.claims_of(row.operator).nats
        identity = () if operator.strict_signing_key_usage else (row.operator.public_key,)
        return tuple(dict.fromkeys((*operator.signing_keys, *identity)))
    parent = row.account
    account: AccountBody = changes.claims_of(parent).nats
    issuer = trust.signing_key(account, row.issuer)
    if row.pub_mode == Mode.ROLE:
        return (row.issuer,) if issuer is not None and issuer.is_scoped else ()
    identity = () if parent.operator.strict else (parent.public_key,)
    plain = (key.key for key in account.signing_keys if not key.is_scoped)
    before = () if issuer is None else (row.issuer,)
    return tuple(dict.fromkeys((*before, *plain, *identity)))


def _here(row: Account | User, may: Sequence[str]) -> dict[str, Key]:
    """Those of these keys, and of the issuer, whose seeds are here."""
    keys = Key.objects.filter(operator=row.operator_id, public_key__in=(*may, row.issuer), deleted_at=None)
    return {key.public_key: key for key in keys.filter(sealed__isnull=False)}


def _why(row: Account | User, may: Sequence[str], keys: Sequence[Key]) -> str:
    if isinstance(row, User) and row.pub_mode == Mode.ROLE:
        return (
            f"“{row.name}” was issued by a role whose key is not here (any more), and any other key would give it "
            f"other rights. {where_to_add(row.operator)} Or delete the user, and make it anew."
        )
    what = "whose seed is not here" if row.issuer in may else "which may not sign it (any more)"
    said = f"“{row.name}” was signed by {row.issuer}, {what}."
    if keys:
        return f"{said} Choose the key that signs it from now on. {where_to_add(row.operator)}"
    if not may:
        return f"{said} There is no key that may sign it: add a signing key first."
    named = ", ".join(may[:_MOST_NAMED]) + (" …" if len(may) > _MOST_NAMED else "")
    return f"{said} No key that may sign it has its seed here: {named}. {where_to_add(row.operator)}"
