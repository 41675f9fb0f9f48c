"""What can be done with the keys that sign an operator's accounts: add one, remove one and
re-sign its accounts by another (`signing_over` does that without removing it).

Source: nats-server `jwt.go`, `server.go isTrustedIssuer`; spec §3.8, §9.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from identities.claims import codec
from identities.claims.common import Claims
from identities.claims.operator import OperatorBody
from identities.errors import IdentityError
from identities.models import Account, Key, Operator, Purpose
from identities.models.accounts import AccountQuerySet
from identities.nkeys import KeyKind, KeyPair, PublicKey
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.queries import rollouts
from identities.services import (
    accounts,
    audit,
    changes,
    clock,
    columns,
    operators,
    outbox,
    signing,
    spares,
)
from identities.services.proposing import guarded

NAMED = 5
"""How many accounts are named before they are only counted."""
MADE_LATER = "a new signing key, made when this is saved"


@guarded
def add(*, principal: Principal, operator: Operator, version: int, public_key: str = "") -> Operator:
    """Add a signing key: a fresh one whose seed is sealed here, or `public_key`, whose seed stays elsewhere.

    Raises:
        StaleWrite: somebody else changed the operator meanwhile. IdentityError: a key that is no operator's, or there.
    """
    decisions.require(principal, Action.OPERATOR_KEY_EDIT, Scope(operator=operator.pk))
    with changes.transaction_of_one():
        row = changes.locked(operator, version)
        if public_key:
            key = brought_row(row, PublicKey.parse(public_key, KeyKind.OPERATOR).text)
        else:
            key, pair = signing.new_key(KeyKind.OPERATOR, purpose=Purpose.SIGNING, operator=row)
            pair.wipe()
        change = _plan_add(row, key.public_key, brought=bool(public_key))
        key.save()
        done = f"Added the signing key {key.public_key} to “{row.name}”"
        return _commit(row, change, principal=principal, reason="Added a signing key", done=done)


def plan_add(operator: Operator, public_key: str = "") -> changes.Change:
    """What `add` would change; a fresh key is not made yet.

    Raises:
        IdentityError: a key that is no operator's, or there already.
    """
    if public_key:
        return _plan_add(operator, PublicKey.parse(public_key, KeyKind.OPERATOR).text, brought=True)
    pair = KeyPair.create(KeyKind.OPERATOR)
    pair.wipe()
    change = _plan_add(operator, pair.public.text, brought=False)
    shown = tuple(
        replace(field, path="nats.signing_keys", after=MADE_LATER)
        if pair.public.text in field.path
        else field
        for field in change.diff
    )
    return replace(change, diff=shown)


def _plan_add(operator: Operator, public_key: str, *, brought: bool) -> changes.Change:
    claims = changes.claims_of(operator)
    body: OperatorBody = claims.nats
    if public_key == operator.public_key or public_key in body.signing_keys:
        raise IdentityError(f"{public_key} is a key of “{operator.name}” already.", field="public_key")
    change = changes.plan(
        operator, changes.edit_body(signing_keys=(*body.signing_keys, public_key)), now=clock.unix()
    )
    lines = []
    if brought:
        lines.append("Whoever holds its seed can make accounts that the servers of this operator trust.")
    elif not body.signing_keys:
        lines.append(_used_from(operator, change.after))
    return replace(change, consequences=tuple(lines))


def _used_from(operator: Operator, after: Claims[OperatorBody]) -> str:
    """From when on new accounts are signed by the operator's first signing key."""
    ahead = replace(after, iat=max(after.iat + 1, clock.unix()))
    if not after.nats.strict_signing_key_usage and rollouts.distrusting(operator, ahead):
        return (
            "New accounts are signed by it once all servers that are known here run with this operator's new JWT: "
            "give it to them, and restart them."
        )
    return (
        "New accounts are signed by it from now on: servers refuse those until they have this operator's new JWT "
        "and were restarted."
    )


@guarded
def remove(
    *, principal: Principal, operator: Operator, public_key: str, version: int, resign_by: str = ""
) -> Operator:
    """Take a signing key out of the operator's JWT; `resign_by` is the key that re-signs its accounts first.

    Raises:
        StaleWrite: somebody else changed the operator meanwhile. InvalidClaims: signing keys are required, and it is
            the last one. NoSigner: the seed of `resign_by` is not here. IdentityError: servers run without that key.
    """
    decisions.require(principal, Action.OPERATOR_KEY_EDIT, Scope(operator=operator.pk))
    with changes.transaction_of_one():
        row = changes.locked(operator, version)
        change = plan_remove(row, public_key)
        changes.refuse_invalid(change.report)
        if change.is_empty:
            return row
        resigned: list[Account] = []
        if resign_by:
            resigned = _resign(row, change.after, by=public_key, to=resign_by, principal=principal)
        Key.objects.filter(operator=row, public_key=public_key, purpose=Purpose.SIGNING).update(
            deleted_at=clock.now()
        )
        done = f"Removed the signing key {public_key} of “{row.name}”"
        if resigned:
            done += f" and re-signed its {len(resigned):,} accounts by {resign_by}"
        return _commit(
            row, change, principal=principal, reason="Removed a signing key", done=done, also=resigned
        )


def plan_remove(operator: Operator, public_key: str) -> changes.Change:
    """What `remove` would change, and whose accounts are still signed by the key."""
    body: OperatorBody = changes.claims_of(operator).nats
    left = tuple(key for key in body.signing_keys if key != public_key)
    change = changes.plan(operator, changes.edit_body(signing_keys=left), now=clock.unix())
    lines = []
    signed = signed_by(operator, public_key)
    number = signed.count()
    if number:
        lines.append(
            f"It signed {named(signed, number)}. Servers refuse what it signed once they have this operator's new JWT: "
            "re-sign them by another key, and give servers the re-signed accounts first."
        )
    if not signers(operator, change.after):
        lines.append(
            "No other key that may sign accounts has its seed here: no account can be changed any more."
        )
    return replace(change, consequences=tuple(lines))


def signed_by(operator: Operator, public_key: str) -> AccountQuerySet:
    """The live accounts whose current JWT this key signed."""
    rows: AccountQuerySet = Account.objects.live().filter(operator=operator, issuer=public_key)
    return rows


def signers(operator: Operator, claims: Claims[OperatorBody]) -> list[str]:
    """The keys that may sign accounts and have their seed here, signing keys first; last what servers run without."""
    candidates = [*claims.nats.signing_keys]
    if not claims.nats.strict_signing_key_usage:
        candidates.append(operator.public_key)
    candidates = signing.trusted_first(operator, claims, candidates)
    here = set(
        Key.objects.filter(
            operator=operator, public_key__in=candidates, deleted_at=None, sealed__isnull=False
        ).values_list("public_key", flat=True)
    )
    return [key for key in candidates if key in here]


def named(rows: AccountQuerySet, number: int) -> str:
    """So many accounts in words, the first of them by name."""
    names = ", ".join(
        f"“{name}”" for name in rows.order_by("name_fold").values_list("name", flat=True)[:NAMED]
    )
    more = f" and {number - NAMED:,} more" if number > NAMED else ""
    return f"{number:,} account{'' if number == 1 else 's'} ({names}{more})"


def lacking_servers(operator: Operator, key: str) -> str:
    """Why accounts can't be signed by this key yet: servers run without it; "" when none is known to."""
    lacking = rollouts.of_key(operator, key).lacking
    if not lacking:
        return ""
    names = ", ".join(dict.fromkeys(server.name for server in lacking[:NAMED]))
    return (
        f"{len(lacking)} of the operator's servers run without that key and would refuse the accounts: {names}. "
        "Restart them with the operator's new JWT first, or forget servers that are gone."
    )


def _resign(
    operator: Operator, claims: Claims[OperatorBody], *, by: str, to: str, principal: Principal
) -> list[Account]:
    """Sign what `by` signed by `to`, its claims left as they are; `claims` say which keys may sign."""
    if to == by or to not in (*claims.nats.signing_keys, operator.public_key):
        raise IdentityError(
            f"{to} may not sign accounts of “{operator.name}”. Choose another key.", field="to"
        )
    if to == operator.public_key and claims.nats.strict_signing_key_usage:
        raise IdentityError(
            f"“{operator.name}” requires signing keys: its identity key may not sign.", field="to"
        )
    if lacking := lacking_servers(operator, to):
        raise IdentityError(lacking, field="resign_by")
    key = Key.objects.filter(operator=operator, public_key=to, deleted_at=None).first()
    if key is None:
        raise signing.NoSigner(f"The seed of {to} is not here, so nothing can be signed with it.")
    rows = list(signed_by(operator, by).select_for_update(no_key=True).order_by("pk"))
    now, moment = clock.unix(), clock.now()
    with signing.signer_for(key) as signer:
        for row in rows:
            row.operator = operator
            iat = signing.next_iat(row.last_iat, now)
            token = codec.encode_checked(changes.claims_of(row), signer, iat)
            columns.fill(row, token)
            entry = signing.ledger_row(
                token,
                principal=principal,
                operator=operator,
                reason="Re-signed by another key",
                replaces=row.token_id,
            )
            entry.save()
            row.token = entry
            row.version += 1
            row.updated_at, row.updated_by = moment, principal.name
            row.save()
    outbox.wake(principal=principal, operator=operator.pk, keys=[row.public_key for row in rows])
    return rows


def brought_row(operator: Operator, public_key: str) -> Key:
    """The row of a key that comes from elsewhere; one that was here before, or generated ahead, has its seed."""
    spare = spares.one(operator.pk, KeyKind.OPERATOR, public_key)
    if spare is not None:
        spare.purpose = Purpose.SIGNING
        return spare
    earlier = Key.objects.filter(operator=operator, public_key=public_key).order_by("-deleted_at").first()
    if earlier is not None and earlier.purpose == Purpose.SIGNING and earlier.kind == KeyKind.OPERATOR:
        earlier.deleted_at = None
        return earlier
    return Key(
        operator=operator,
        public_key=public_key,
        kind=KeyKind.OPERATOR.value,
        purpose=Purpose.SIGNING,
        created_at=clock.now(),
    )


def _commit(
    row: Operator,
    change: changes.Change,
    *,
    principal: Principal,
    reason: str,
    done: str,
    also: Sequence[Account] = (),
) -> Operator:
    row = changes.commit(row, change, principal=principal, key=signing.operator_signer(row), reason=reason)
    targets = [operators.target(row), *map(accounts.target, also)]
    audit.record(principal, Action.OPERATOR_KEY_EDIT, targets, done, changes=change.diff)
    return row
