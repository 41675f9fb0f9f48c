"""Takes over JWTs that were made elsewhere, as they are: nothing is signed, and not a byte of them changes.

What can't be trusted is refused: a JWT that does not verify, one of another kind, a seed that does not fit, a name or
key that is here already. What servers would refuse, but somebody may mean to mend here, comes in with findings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic

from identities.claims import codec, names, trust
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.operator import OperatorBody
from identities.claims.report import Grade, Issue, Report
from identities.errors import IdentityError
from identities.models import Account, Key, Operator, Purpose
from identities.nkeys import KeyKind, KeyPair, PublicKey, SecretBytes, is_public
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import accounts, audit, changes, clock, columns, operators, outbox, signing
from identities.services.changes import Row

REASON = "Imported"
Seeds = Mapping[str, SecretBytes]
"""The seeds that came along, by public key: those that belong to the object are sealed, the others are passed over."""
NO_SEEDS: Seeds = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted(Generic[Row]):
    """A row that was taken over, and what is wrong with its JWT or should be known: Go's findings and ours."""

    row: Row
    findings: Report


def adopt_operator(*, principal: Principal, text: str, seeds: Seeds = NO_SEEDS) -> Adopted[Operator]:
    """Take over an operator by its JWT, with the seeds of its identity and signing keys as far as they come along.

    Raises:
        ClaimsError: the JWT does not verify. IdentityError: it is of another kind, its name or key is here already, a
            seed does not fit.
    """
    decisions.require(principal, Action.JWT_ADOPT)
    token = read(text, KeyKind.OPERATOR)
    claims: Claims[OperatorBody] = token.claims
    with changes.transaction_of_one():
        _refuse_taken_operator(claims)
        row = _begun(Operator(public_key=claims.sub), token, principal)
        signers = [key for key in dict.fromkeys(claims.nats.signing_keys) if is_public(key, KeyKind.OPERATOR)]
        for key in dict.fromkeys((claims.sub, *signers)):
            purpose = Purpose.IDENTITY if key == claims.sub else Purpose.SIGNING
            _add_key(row, key, KeyKind.OPERATOR, purpose, seeds)
        _into_ledger(row, token, principal)
        audit.record(principal, Action.JWT_ADOPT, [operators.target(row)], f"Imported operator “{row.name}”")
    said = () if trust.did_sign(claims, claims) else (f"signed by {claims.iss}, not by the operator itself",)
    return Adopted(row=row, findings=findings(claims, *said))


def adopt_account(
    *, principal: Principal, operator: Operator, text: str, seeds: Seeds = NO_SEEDS, foreign: bool = False
) -> Adopted[Account]:
    """Take over an account by its JWT, with the seeds of its identity, signing, role and curve keys that come along.

    One that the operator did not sign (self-signed, another operator's, signed by a key that was removed) is refused,
    or with `foreign` taken over with that as a finding.

    Raises: see `adopt_operator`.
    """
    decisions.require(principal, Action.JWT_ADOPT, Scope(operator=operator.pk))
    token = read(text, KeyKind.ACCOUNT)
    claims: Claims[AccountBody] = token.claims
    with changes.transaction_of_one():
        parent = changes.locked(operator, None)
        said = tuple(_not_signed_by(parent, claims))
        if said and not foreign:
            raise IdentityError(
                f"Account “{columns.name_of(claims)}” is {said[0]}. Bring the JWT that “{parent.name}” signed, "
                "or import this one all the same: the operator signs it with its next edit.",
                field="foreign",
            )
        _refuse_taken_account(parent, claims)
        row = _begun(Account(operator=parent, public_key=claims.sub), token, principal)
        _add_key(row, claims.sub, KeyKind.ACCOUNT, Purpose.IDENTITY, seeds)
        columns.write_permissions(row, claims)
        _seal_signing_keys(row, seeds)
        xkey = claims.nats.authorization.xkey
        if is_public(xkey, KeyKind.CURVE):
            _add_key(row, xkey, KeyKind.CURVE, Purpose.CURVE, seeds)
        _into_ledger(row, token, principal)
        audit.record(
            principal,
            Action.JWT_ADOPT,
            [accounts.target(row)],
            f"Imported account “{row.name}” of “{parent.name}”" + (f": {said[0]}" if said else ""),
        )
    return Adopted(row=row, findings=findings(claims, *said))


def read(text: str, kind: KeyKind) -> codec.Token:
    """A JWT of that kind, verified, whose name and subject can be kept.

    Raises:
        ClaimsError: it does not verify. IdentityError: it is of another kind; its name is too long for a list.
    """
    token = codec.decode(text.strip())
    if token.type != kind.value:
        article = "a" if kind is KeyKind.USER else "an"
        raise IdentityError(f"This is a JWT of type “{token.type}”, not of {article} {kind}.", field="text")
    PublicKey.parse(token.claims.sub, kind)
    if len(token.claims.name) > names.MAX_NAME:
        raise IdentityError(
            f"The {kind} {token.claims.sub} has a name of {len(token.claims.name)} characters; {names.MAX_NAME} can be "
            "kept. Give it a shorter one where it was made.",
            field="text",
        )
    return token


def findings(claims: Claims[Any], *about: str) -> Report:
    """What is wrong with claims from elsewhere: `about` their issuer, then Go's findings and ours."""
    now = clock.unix()
    found = [Issue(Grade.ERROR, "iss", words, ours=True) for words in about]
    try:
        names.check_name(claims.name)
    except IdentityError as odd:
        found.append(Issue(Grade.WARNING, "name", odd.user_message, ours=True))
    if claims.iat > now + signing.MOST_AHEAD:
        ahead = (
            f"issued {claims.iat - now} seconds ahead of this clock, and can't be issued again before then"
        )
        found.append(Issue(Grade.WARNING, "iat", ahead, ours=True))
    return Report.of((*found, *changes.check(claims, claims, now=now)))


def sealed_seed(seeds: Seeds, public_key: str) -> bytes | None:
    """The envelope of the seed of `public_key`, None when it did not come along.

    Raises:
        IdentityError: it is another key's seed, or none; the message does not repeat it.
    """
    seed = seeds.get(public_key)
    if seed is None:
        return None
    pair = KeyPair.from_seed(seed)
    try:
        if pair.public.text != public_key:
            raise IdentityError(
                f"The seed that came for {public_key} is that of {pair.public.text}. Bring the right one, or none.",
                field="seeds",
            )
        return signing.seal_seed(pair.seed(), public_key)
    finally:
        pair.wipe()


def _begun(row: Row, token: codec.Token, principal: Principal) -> Row:
    """The row with what its JWT says, saved; its ledger row comes with `_into_ledger`."""
    moment = clock.now()
    columns.fill(row, token)
    row.last_iat = max(row.last_iat, signing.last_iats([row.public_key]).get(row.public_key, 0))
    row.created_at = row.updated_at = moment
    row.updated_by = principal.name
    row.save()
    return row


def _into_ledger(row: Operator | Account, token: codec.Token, principal: Principal) -> None:
    operator = row if isinstance(row, Operator) else row.operator
    entry = signing.ledger_row(
        token, principal=principal, operator=operator, reason=REASON, origin="imported"
    )
    entry.save()
    row.token = entry
    row.save(update_fields=["token"])
    if isinstance(row, Account):
        outbox.wake(principal=principal, operator=row.operator_id, keys=[row.public_key])


def _add_key(row: Operator | Account, public_key: str, kind: KeyKind, purpose: Purpose, seeds: Seeds) -> None:
    Key.objects.create(
        operator=row if isinstance(row, Operator) else row.operator,
        account=row if isinstance(row, Account) else None,
        public_key=public_key,
        kind=kind.value,
        purpose=purpose,
        sealed=sealed_seed(seeds, public_key),
        created_at=clock.now(),
    )


def _seal_signing_keys(account: Account, seeds: Seeds) -> None:
    """Put the seeds of signing keys and roles into the rows that `columns` made for them."""
    for key in Key.objects.filter(account=account, purpose__in=[Purpose.SIGNING, Purpose.ROLE]):
        key.sealed = sealed_seed(seeds, key.public_key)
        if key.sealed is not None:
            key.save(update_fields=["sealed"])


def _not_signed_by(operator: Operator, claims: Claims[AccountBody]) -> Iterator[str]:
    """Why servers that trust the operator refuse the account; nothing when they take it."""
    if trust.did_sign(changes.claims_of(operator), claims):
        return
    if claims.iss == claims.sub:
        yield f"self-signed, not signed by operator “{operator.name}”"
    elif claims.iss == operator.public_key:
        yield f"signed by the identity key of operator “{operator.name}”, which requires signing keys"
    else:
        yield f"signed by {claims.iss}, which is no key of operator “{operator.name}” (any more)"


def _refuse_taken_operator(claims: Claims[OperatorBody]) -> None:
    live = Operator.objects.live()
    held = live.filter(public_key=claims.sub).first()
    if held is not None:
        raise IdentityError(
            f"Operator “{held.name}” with the key {claims.sub} is here already.", field="text"
        )
    name = columns.name_of(claims)
    if live.filter(name_fold=columns.folded(name)).exists():
        raise IdentityError(
            f"There is already an operator named “{name}”, with another key. Rename one of them first.",
            field="text",
        )


def _refuse_taken_account(operator: Operator, claims: Claims[AccountBody]) -> None:
    rows = Account.objects.filter(operator=operator)
    held = rows.filter(public_key=claims.sub).order_by("-deleted_at").first()
    if held is not None and held.deleted_at is None:
        raise IdentityError(f"Account “{held.name}” with the key {claims.sub} is here already.", field="text")
    if held is not None:
        raise IdentityError(
            f"{claims.sub} belonged to the deleted account “{held.name}”: with it, creds that were handed out or "
            "revoked then would work again.",
            field="text",
        )
    name = columns.name_of(claims)
    if rows.live().filter(name_fold=columns.folded(name)).exists():
        raise IdentityError(
            f"“{operator.name}” already has an account named “{name}” (case is ignored, as in nsc), with another key. "
            "Rename one of them first.",
            field="text",
        )
    keys = [claims.sub, claims.nats.authorization.xkey, *(key.key for key in claims.nats.signing_keys)]
    taken = Key.objects.filter(operator=operator, public_key__in=keys, deleted_at=None).select_related(
        "account", "user"
    )
    for key in taken:
        holder = key.user or key.account or operator
        raise IdentityError(
            f"The key {key.public_key} of account “{name}” is already one of “{holder.name}”.", field="text"
        )
