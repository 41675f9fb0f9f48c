"""Auth callout of an account: who answers for its logins, where clients may be placed, what requests are sealed to.

Source: nats-server `auth_callout.go`, `auth.go`; spec §8.8.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from identities.claims.account import ExternalAuthorization
from identities.models import Account, Key, Purpose, User
from identities.nkeys import KeyKind, KeyPair, is_public
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, changes, clock, signing, spares
from identities.services.proposing import guarded

XKEY = "nats.authorization.xkey"
DONE = "Edited auth callout of account"


def plan_update(
    account: Account, callout: ExternalAuthorization, *, new_xkey: bool = False
) -> changes.Change:
    """What `callout` would change. `new_xkey`: with a curve key in it that is made only when it is carried out."""
    if not new_xkey:
        return _planned(account, callout)
    pair = KeyPair.create(KeyKind.CURVE)
    pair.wipe()
    change = _planned(account, replace(callout, xkey=pair.public.text))
    shown = tuple(
        replace(field, after="a new curve key, made when this is saved") if field.path == XKEY else field
        for field in change.diff
    )
    return replace(change, diff=shown)


@guarded
def update(
    *,
    principal: Principal,
    account: Account,
    callout: ExternalAuthorization,
    version: int,
    new_xkey: bool = False,
) -> Account:
    """Replace the settings; `new_xkey` makes a curve key whose seed is sealed here.

    Raises:
        StaleWrite: somebody else changed the account meanwhile. InvalidClaims: what the Go library refuses.
    """
    decisions.require(principal, Action.AUTH_CALLOUT_EDIT, accounts.scope(account))
    with changes.transaction_of_one():
        row = changes.locked(account, version)
        if new_xkey:
            callout = replace(callout, xkey=_new_curve_key(row))
        change = _planned(row, callout)
        changes.refuse_invalid(change.report)
        if callout.xkey and not change.is_empty:
            know(row, callout.xkey)
        return accounts.commit(row, change, principal=principal, done=DONE, action=Action.AUTH_CALLOUT_EDIT)


def _planned(account: Account, callout: ExternalAuthorization) -> changes.Change:
    change = changes.plan(account, changes.edit_body(authorization=callout), now=clock.unix())
    if change.is_empty:
        return change
    before: ExternalAuthorization = change.before.nats.authorization
    return replace(change, consequences=tuple(_consequences(account, before, callout)))


def _consequences(
    account: Account, before: ExternalAuthorization, after: ExternalAuthorization
) -> Iterator[str]:
    users = User.objects.live().filter(account=account)
    if after.auth_users and not before.auth_users:
        others = users.exclude(public_key__in=after.auth_users).count()
        yield (
            f"From their next login on, the account's other users ({others:,} now) are let in only as the service "
            "behind the auth users says, and not at all while it does not answer. Who is connected stays."
        )
    if before.auth_users and not after.auth_users:
        yield (
            "Clients log in with their own creds again, and nobody is asked: creds that were only meant to reach the "
            "service open this account. Whom the service placed elsewhere can't come back in."
        )
    yield from _about_auth_users(account, before, after)
    if set(before.allowed_accounts) - set(after.allowed_accounts) and after.auth_users:
        yield "Clients that the service places in an account that is no longer allowed are refused at their next login."
    if after.auth_users and before.xkey != after.xkey:
        yield _about_xkey(before.xkey, after.xkey)


def _about_auth_users(
    account: Account, before: ExternalAuthorization, after: ExternalAuthorization
) -> Iterator[str]:
    fresh = [key for key in after.auth_users if key not in before.auth_users]
    gone = [key for key in before.auth_users if key not in after.auth_users]
    live = User.objects.live().filter(account=account, public_key__in=[*fresh, *gone])
    names = dict(live.values_list("public_key", "name"))
    unknown = [key for key in fresh if key not in names]
    if unknown:
        yield f"No user of this account is known here with the key {', '.join(unknown)}: it could answer for nobody."
    if gone and after.auth_users:
        named = ", ".join(f"“{names[key]}”" if key in names else key for key in gone)
        yield f"At its next login {named} is asked about like every other user of this account."


def _about_xkey(before: str, after: str) -> str:
    if not after:
        return "Requests to the service are no longer encrypted: what clients log in with can be read in the account."
    if not before:
        return (
            "Requests are sealed to the curve key at once: the service can read none without that key's seed."
        )
    return "Requests are sealed to the new curve key at once: give the service its seed before the servers have this."


def _new_curve_key(row: Account) -> str:
    key, pair = signing.new_key(KeyKind.CURVE, purpose=Purpose.CURVE, operator=row.operator, account=row)
    pair.wipe()
    key.save()
    return key.public_key


def know(row: Account, public_key: str) -> None:
    """Keep a row for the curve key; one that was used before, or generated ahead, has its seed."""
    if not is_public(public_key, KeyKind.CURVE):
        return
    if (spare := spares.one(row.operator_id, KeyKind.CURVE, public_key)) is not None:
        spare.account, spare.purpose = row, Purpose.CURVE
        spare.save()
        return
    if Key.objects.filter(operator=row.operator, public_key=public_key, deleted_at=None).exists():
        return
    earlier = Key.objects.filter(account=row, public_key=public_key).order_by("-deleted_at").first()
    if earlier is not None:
        earlier.deleted_at = None
        earlier.save()
        return
    Key.objects.create(
        operator=row.operator,
        account=row,
        public_key=public_key,
        kind=KeyKind.CURVE.value,
        purpose=Purpose.CURVE,
        created_at=clock.now(),
    )
