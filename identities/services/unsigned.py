"""Edits that wait for a signature elsewhere: an operator's key may stay offline, and a managed operator's is not ours.

What is wanted is kept as claims, which anybody downloads and somebody signs; the JWT that comes back is compared with
what was wanted before it is taken, and comes in as an import does: to the byte.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from django.db import transaction

from identities.claims import codec, trust
from identities.claims.diff import FieldChange
from identities.errors import IdentityError
from identities.formats.decorated import bare_jwt
from identities.models import Account, Key, Operator, Unsigned
from identities.nkeys import KeyKind
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import (
    accounts,
    audit,
    changes,
    clock,
    four_eyes,
    granted,
    importing,
    lockouts,
    operators,
    secrets,
    signers,
    signing,
)
from identities.services.import_reading import Collector
from identities.services.import_summaries import Summary

Row = Operator | Account
FIELD = "text"


class Waits(IdentityError):
    """Something of the same operator or account waits for its signature already."""

    code = "waits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A signed JWT that came back: its text, and where it differs from what was wanted."""

    text: str
    differences: tuple[FieldChange, ...]


def signed_elsewhere(row: Row) -> bool:
    """Whether no key that may sign `row` has its seed here, so that an edit has to wait."""
    if isinstance(row, Operator):
        keys = Key.objects.filter(operator=row, public_key=row.public_key, deleted_at=None)
        return not keys.filter(sealed__isnull=False).exists()
    choice = signers.choice(row)
    return choice is not None and not choice.keys


def waiting(row: Row) -> Unsigned | None:
    """What waits for a signature; None when nothing does."""
    return Unsigned.objects.filter(operator_id=_operator(row).pk, public_key=row.public_key).first()


def keep(*, principal: Principal, row: Row, change: changes.Change, version: int) -> Unsigned:
    """Keep a planned edit until its signature comes.

    Raises:
        StaleWrite: somebody changed the row meanwhile. InvalidClaims: what no server would take. Waits: something else
            waits already.
    """
    _require(principal, row)
    if isinstance(row, Account):
        granted.require(principal, row, change.before, change.after)
    changes.refuse_invalid(change.report)
    with changes.transaction_of_one():
        current = changes.locked(cast("Operator", row), version)
        if waiting(current) is not None:
            raise Waits(
                f"An edit of “{row.name}” waits for its signature already. Bring the signed JWT, or throw that edit "
                "away first."
            )
        paths = ", ".join(dict.fromkeys(field.path for field in change.diff))
        kept = Unsigned.objects.create(
            operator=_operator(row),
            account=row if isinstance(row, Account) else None,
            public_key=row.public_key,
            claims=codec.payload_text(change.after),
            version=current.version,
            changes=paths,
            by=principal.key,
            by_name=principal.name,
            created_at=clock.now(),
        )
        wanted = f"Wants “{row.name}” signed elsewhere: {paths}"
        audit.record(principal, _action(row), [_target(row)], wanted, changes=change.diff)
    return kept


def discard(*, principal: Principal, row: Row) -> None:
    """Give up an edit that waits. Raises: IdentityError: none does. Forbidden: it is of what the operator grants."""
    _require(principal, row)
    with transaction.atomic():
        kept = _waiting(row)
        if isinstance(row, Account):
            granted.require(principal, row, changes.claims_of(row), codec.from_payload(kept.claims))
        kept.delete()
        audit.record(principal, _action(row), [_target(row)], f"Gave up the unsigned edit of “{row.name}”")


def claims_text(row: Row) -> str:
    """The claims that are to be signed, as they are downloaded. Raises: IdentityError: nothing waits."""
    return _waiting(row).claims


def difference(row: Row, kept: Unsigned) -> tuple[FieldChange, ...]:
    """What the wanted JWT changes on the present one."""
    return changes.difference(changes.claims_of(row), codec.from_payload(kept.claims))


def brought(row: Row, text: str) -> Brought:
    """Read a signed JWT and compare it with what was wanted; nothing is taken yet.

    Raises:
        FormatError: there is no JWT in it. ClaimsError: it does not verify. IdentityError: it is another's, older, or
            signed by a key that servers don't take for it.
    """
    kept = _waiting(row)
    token = codec.decode(bare_jwt(text, field=FIELD))
    claims = token.claims
    kind = KeyKind.OPERATOR if isinstance(row, Operator) else KeyKind.ACCOUNT
    if token.type != kind.value or claims.sub != row.public_key:
        raise IdentityError(f"This JWT is not that of {kind} “{row.name}”, but of {claims.sub}.", field=FIELD)
    parent = claims if isinstance(row, Operator) else changes.claims_of(row.operator)
    if not trust.did_sign(parent, claims):
        raise IdentityError(
            f"It is signed by {claims.iss}, which no server takes for “{row.name}”. Have it signed by the operator.",
            field=FIELD,
        )
    if claims.iat <= row.last_iat:
        raise IdentityError(
            "It is not newer than the JWT that is here, so servers would keep the one they have. Have it signed anew.",
            field=FIELD,
        )
    wanted = replace(codec.from_payload(kept.claims), iss=claims.iss)
    return Brought(text=token.text, differences=changes.difference(wanted, claims))


def take(*, principal: Principal, row: Row, text: str, differing: bool = False) -> Summary:
    """Take a signed JWT that came back; one that is not what was wanted only when that is meant (`differing`).

    Raises: see `brought`; IdentityError: it differs.
    """
    _require(principal, row)
    found = brought(row, text)
    if found.differences and not differing:
        paths = ", ".join(dict.fromkeys(field.path for field in found.differences))
        raise IdentityError(f"It is not what was wanted: {paths} differ.", field=FIELD)
    before = changes.claims_of(row)
    collector = Collector(seal=True)
    collector.text("the signed JWT", found.text.encode())

    def settle(report: Summary) -> None:
        if report["nothing"]:
            raise IdentityError("; ".join(note["message"] for note in report["notes"]) or "Nothing changed.")
        _waiting(row).delete()
        if isinstance(row, Account):
            after = codec.decode(found.text).claims
            lockouts.note(
                principal=principal,
                account=row,
                before=before,
                after=after,
                reason=f"Signed “{row.name}” elsewhere",
            )

    return importing.perform(principal=principal, collected=collector.finished(), finish=settle)


def self_signed(*, principal: Principal, account: Account) -> str:
    """The wanted JWT of an account signed by its own key, as nsc hands it to whoever runs a managed operator.

    Raises: NoSigner: the account's own seed is not here.
    """
    _require(principal, account)
    four_eyes.refuse(principal, account.operator)
    kept = _waiting(account)
    key = Key.objects.get(operator=account.operator_id, public_key=account.public_key, deleted_at=None)
    iat = signing.next_iat(account.last_iat, clock.unix())
    with signing.signer_for(key) as pair:
        token = codec.encode_checked(codec.from_payload(kept.claims), pair, iat)
    with transaction.atomic():
        said = f"Took the self-signed JWT of “{account.name}” away, to be signed elsewhere"
        audit.record(principal, Action.JWT_DOWNLOAD, [accounts.target(account)], said)
    return token.text


def can_self_sign(row: Row) -> bool:
    """Whether an account's own seed is here."""
    if isinstance(row, Operator) or secrets.is_sealed():
        return False
    own = Key.objects.filter(operator=row.operator_id, public_key=row.public_key, deleted_at=None)
    return own.filter(sealed__isnull=False).exists()


def _waiting(row: Row) -> Unsigned:
    kept = waiting(row)
    if kept is None:
        raise IdentityError(f"Nothing of “{row.name}” waits for a signature (any more).")
    return kept


def _operator(row: Row) -> Operator:
    return row if isinstance(row, Operator) else row.operator


def _action(row: Row) -> Action:
    return Action.OPERATOR_EDIT if isinstance(row, Operator) else Action.ACCOUNT_EDIT


def _require(principal: Principal, row: Row) -> None:
    scope = Scope(operator=row.pk) if isinstance(row, Operator) else accounts.scope(row)
    decisions.require(principal, _action(row), scope)


def _target(row: Row) -> audit.Target:
    return operators.target(row) if isinstance(row, Operator) else accounts.target(row)
