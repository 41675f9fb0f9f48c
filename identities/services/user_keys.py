"""A new key for a user: the old one is revoked in the account, and stays known as a former key of the user."""

from __future__ import annotations

from dataclasses import replace

from identities.claims.account import AccountBody
from identities.errors import IdentityError
from identities.models import Key, Purpose, User
from identities.nkeys import KeyKind, PublicKey
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, audit, changes, clock, issuing, kept_out, signing, users
from identities.services.proposing import guarded


@guarded
def rotate(*, principal: Principal, user: User, version: int, public_key: str = "") -> User:
    """Give a user a new key and a new JWT, and revoke the old key; creds handed out before stop working.

    The new key is made here, or its public half is brought: always so by a user whose seed never came here. Never
    blocked by what else is wrong with the account.

    Raises:
        StaleWrite: somebody else changed it meanwhile. Suspended. NoSigner: its role's key is not here.
        IdentityError: a key of the wrong kind, or one that is or was somebody's.
    """
    decisions.require(principal, Action.USER_ROTATE, users.scope(user))
    with changes.transaction_of_one():
        account = changes.locked(user.account, None)
        row = changes.locked(user, version)
        row.account = account
        old = users.target(row, account)
        _refuse(row, public_key)
        key = _new_key(row, public_key)
        change = changes.plan(row, lambda claims: replace(claims, sub=key.public_key), now=clock.unix())
        Key.objects.filter(user=row, deleted_at=None).update(deleted_at=clock.now(), sealed=None)
        key.save()
        revoked = _plan_account(row, key.public_key)
        row.public_key, row.has_seed = key.public_key, key.sealed is not None
        row.last_iat = max(row.last_iat, signing.last_iats([public_key]).get(public_key, 0))
        row = users.sign(
            row, change, account=account, principal=principal, key=users.signer(row), reason="Rotated key"
        )
        accounts.commit_revocations(
            account, revoked, principal=principal, reason=f"Replaced the key of user {row.name}"
        )
        audit.record(
            principal,
            Action.USER_ROTATE,
            [users.target(row, account), old, accounts.target(account)],
            f"Gave user “{row.name}” of “{account.name}” the new key {key.public_key} and revoked {old.key}",
        )
    return row


def plan(user: User, public_key: str = "") -> changes.Change:
    """What rotating the user's key changes in its account; see `rotate` for what is refused."""
    _refuse(user, public_key)
    users.signer(user)
    change = _plan_account(user, public_key or "(the new key)")
    told = [
        (
            f"Creds of “{user.name}” that were handed out stop working, and who is connected with them is dropped, as "
            "soon as servers have the account's new JWT. Hand out the new ones."
        )
    ]
    if user.public_key in _auth_users(user):
        told.append(
            f"“{user.name}” is an auth user of the account's auth callout: the new key takes the old one's place. "
            "Until the callout service connects with its new creds, nobody else can log in."
        )
    return replace(change, consequences=tuple(told))


def _plan_account(user: User, new: str) -> changes.Change:
    """The old key is revoked, and where it was an auth user of the auth callout, the new one takes its place."""
    body: AccountBody = changes.claims_of(user.account).nats
    entry = max(body.revocations.get(user.public_key, 0), clock.unix(), user.last_iat)
    auth_users = tuple(new if key == user.public_key else key for key in body.authorization.auth_users)
    return accounts.plan_revocations(
        user.account,
        {**body.revocations, user.public_key: entry},
        authorization=replace(body.authorization, auth_users=auth_users),
    )


def _auth_users(user: User) -> tuple[str, ...]:
    body: AccountBody = changes.claims_of(user.account).nats
    return body.authorization.auth_users


def _refuse(user: User, public_key: str) -> None:
    kept_out.refuse(user)
    if public_key:
        issuing.refuse_taken_keys(user.account, [PublicKey.parse(public_key, KeyKind.USER).text])
    elif not user.has_seed:
        raise IdentityError(
            f"The seed of “{user.name}” never came here, and the new one's shall not either: give the public half of "
            "a key that was made where the old one was.",
            field="public_key",
        )


def _new_key(row: User, public_key: str) -> Key:
    """The unsaved row of the new key."""
    if public_key:
        key = Key(
            public_key=public_key, kind=KeyKind.USER.value, purpose=Purpose.IDENTITY, created_at=clock.now()
        )
    else:
        key, pair = signing.new_key(KeyKind.USER, purpose=Purpose.IDENTITY)
        pair.wipe()
    key.operator_id, key.account_id, key.user = row.operator_id, row.account_id, row
    return key
