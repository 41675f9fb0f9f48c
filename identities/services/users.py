"""What can be done with users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from django.db import transaction
from django.db.models import F

from identities.claims.common import Claims
from identities.claims.drafts import UserDraft, UserEdit
from identities.claims.user import UserBody
from identities.errors import IdentityError
from identities.models import Account, Key, Mode, Purpose, User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import (
    accounts,
    audit,
    changes,
    clock,
    four_eyes,
    issuing,
    kept_out,
    signers,
    signing,
)
from identities.services.four_eyes import exempted
from identities.services.proposing import guarded


@guarded
def create(*, principal: Principal, account: Account, draft: UserDraft) -> User:
    """Make one user; see `create_many`."""
    return create_many(principal=principal, account=account, drafts=[draft])[0]


def create_many(
    *, principal: Principal, account: Account, drafts: Sequence[UserDraft], take: issuing.Take | None = None
) -> list[User]:
    """Make users in one transaction, each with a fresh key (or its own public key), signed by one account key.

    `take` is given every new name, JWT and key pair while the pair is still open (`creds.issue` writes creds there).

    Raises:
        IdentityError: a taken or impossible name, a bearer user where the account forbids them, limits on a
            user that a role issues. InvalidClaims: what the Go library or our stricter rules refuse.
    """
    decisions.require(principal, Action.USER_CREATE, accounts.scope(account))
    with changes.transaction_of_one():
        parent = changes.locked(account, None)
        made = create_unaudited(principal=principal, account=parent, drafts=drafts, take=take)
        summary = f"Created user “{made[0].name}”" if len(made) == 1 else f"Created {len(made)} users"
        audit.record(
            principal,
            Action.USER_CREATE,
            [accounts.target(parent), *(target(user, parent) for user in made)],
            f"{summary} in “{parent.name}”",
        )
    return made


def create_unaudited(
    *, principal: Principal, account: Account, drafts: Sequence[UserDraft], take: issuing.Take | None = None
) -> list[User]:
    """The work of `create_many`, for a service that audits a larger whole; runs in its transaction."""
    four_eyes.refuse(principal, account.operator)
    claims = changes.claims_of(account)
    made: list[User] = []
    for chosen in dict.fromkeys(draft.signer for draft in drafts):
        batch = [draft for draft in drafts if draft.signer == chosen]
        key = signing.user_signer(account, claims, strict=account.operator.strict, chosen=chosen)
        made += issuing.issue(
            principal=principal, account=account, claims=claims, key=key, drafts=batch, take=take
        )
    Account.objects.filter(pk=account.pk).update(user_count=F("user_count") + len(made))
    for user in made:
        changes.note(user, None, changes.claims_of(user))
    return made


def plan_edit(user: User, edit: UserEdit) -> changes.Change:
    """What `edit` would change on the user's claims.

    Raises:
        IdentityError: a taken or impossible name, what the account forbids. NoSigner: the issuer can't sign, and no
            other key was chosen; its role's key is not here. Suspended.
    """

    def apply(claims: Claims[UserBody]) -> Claims[UserBody]:
        limits = claims.nats.limits if edit.limits is None else edit.limits
        body = replace(claims.nats, limits=limits, tags=edit.tags)
        return replace(claims, name=edit.name, exp=edit.expires, nbf=edit.not_before, nats=body)

    kept_out.refuse(user)
    if edit.name != changes.claims_of(user).name:
        issuing.refuse_names(user.account, [edit.name])
    change = changes.plan(user, apply, now=clock.unix())
    if edit.limits is not None and not change.is_empty:
        issuing.refuse_unfit(edit.limits, changes.claims_of(user.account), signers.of_edit(user), edit.name)
    return change


def signer(user: User) -> Key:
    """The key that signs this user where nobody can be asked: one that leaves its rights what they are.

    Raises:
        NoSigner: no key that may, or its role's key is not here.
    """
    account = user.account
    claims = changes.claims_of(account)
    key = signing.user_signer(account, claims, strict=account.operator.strict, previous=user.issuer)
    if user.pub_mode == Mode.ROLE and key.purpose != Purpose.ROLE:
        raise signing.NoSigner(
            f"“{user.name}” was issued by a role whose key is not here (any more), and any other key would give it "
            "other rights. Move it to another key."
        )
    return key


@guarded
def update(*, principal: Principal, user: User, edit: UserEdit, version: int, signer: str = "") -> User:
    """Edit a user and re-issue its JWT.

    Creds already handed out keep working with their old rights: see `revoke_earlier`.

    Raises:
        StaleWrite: somebody else changed it meanwhile.
    """
    return rewrite(
        principal=principal,
        user=user,
        plan=lambda row: plan_edit(row, edit),
        version=version,
        done="Edited user",
        signer=signer,
    )


def rewrite(
    *,
    principal: Principal,
    user: User,
    plan: Callable[[User], changes.Change],
    version: int,
    done: str,
    action: Action = Action.USER_EDIT,
    signer: str = "",
) -> User:
    """Carry out one planned edit of a user's claims: what every editor of a user ends in.

    `plan` is asked again for the locked row. `done` begins the audit's summary: "Edited user". `signer` is the key that
    was chosen to sign it, "" for `user.chosen_signer` or else the issuer.

    Raises:
        StaleWrite: somebody else changed it meanwhile. InvalidClaims: what the Go library or nats-server refuses.
        NoSigner: the issuer can't sign, and no other key was chosen.
    """
    decisions.require(principal, action, scope(user))
    with changes.transaction_of_one():
        account = changes.locked(user.account, None)
        row = changes.locked(user, version)
        row.account = account
        row.chosen_signer = signer or row.chosen_signer
        return commit(row, plan(row), principal=principal, done=done, action=action)


def commit(
    row: User,
    change: changes.Change,
    *,
    principal: Principal,
    done: str,
    action: Action = Action.USER_EDIT,
) -> User:
    """Sign and audit a planned edit of a locked user, in the caller's transaction; nothing for an empty one.

    Raises: NoSigner: the issuer can't sign, and no other key was chosen.
    """
    if change.is_empty:
        return row
    key = signers.of_edit(row)
    row = sign(row, change, account=row.account, key=key, principal=principal, reason=done)
    audit.record(
        principal,
        action,
        [target(row, row.account)],
        changes.said(done, row.name, change),
        changes=change.diff,
    )
    return row


@guarded
def delete(*, principal: Principal, user: User, version: int, revoke: bool = True) -> None:
    """Delete a user; by default its key is revoked in the account, so that creds already handed out stop working.

    A tombstone keeps key, name and last `iat`; the seed is erased. A suspended user is always revoked.
    """
    decisions.require(principal, Action.USER_DELETE, scope(user))
    with transaction.atomic():
        account = changes.locked(user.account, None)
        row = changes.locked(user, version)
        revoke = revoke or row.suspended_at is not None
        if revoke:
            account = accounts.revoke_unaudited(
                principal=principal,
                account=account,
                entries={row.public_key: max(clock.unix(), row.last_iat)},
                reason=f"Deleted user {row.name}",
            )
        bury(principal=principal, account=account, user=row, revoked=revoke)


def bury(*, principal: Principal, account: Account, user: User, revoked: bool) -> None:
    """The rest of `delete`, once the account's JWT says what it has to: the tombstone, and the audit event."""
    moment = clock.now()
    Key.objects.filter(user=user, deleted_at=None).update(deleted_at=moment, sealed=None)
    User.objects.filter(pk=user.pk).update(
        deleted_at=moment, updated_at=moment, updated_by=principal.name, has_seed=False
    )
    Account.objects.filter(pk=account.pk).update(user_count=F("user_count") - 1)
    how = "and revoked its key" if revoked else "without revoking: creds handed out go on working"
    audit.record(
        principal,
        Action.USER_DELETE,
        [target(user, account), accounts.target(account)],
        f"Deleted user “{user.name}” of “{account.name}” {how}",
    )


@exempted("it locks somebody out, which must not wait")
def revoke_earlier(*, principal: Principal, user: User) -> User:
    """Revoke every JWT of the user before its current one; re-issues it first when there is nothing to keep.

    Revocation time = the `iat` of the token before the current one, so the current creds stay valid
    (spec §8.7: refused is what was issued at or before that second).

    Raises:
        IdentityError: the user has only ever had one JWT.
    """
    decisions.require(principal, Action.USER_REVOKE, scope(user))
    with transaction.atomic():
        account = changes.locked(user.account, None)
        row = changes.locked(user, None)
        previous = row.token.replaces if row.token is not None else None
        if previous is None or previous.subject != row.public_key:  # before it there was another key
            raise IdentityError(f"“{row.name}” has had one JWT only: there is no earlier version to revoke.")
        account = accounts.revoke_unaudited(
            principal=principal,
            account=account,
            entries={row.public_key: previous.iat},
            reason=f"Revoked earlier versions of user {row.name}",
        )
        audit.record(
            principal,
            Action.USER_REVOKE,
            [target(row, account), accounts.target(account)],
            f"Revoked earlier versions of user “{row.name}”",
        )
    return row


def scope(user: User) -> Scope:
    """Where a user stands, for policy."""
    return Scope(operator=user.operator_id, account=user.account_id)


def target(user: User, account: Account) -> audit.Target:
    """How the audit names a user."""
    return audit.Target(
        kind="user", key=user.public_key, name=user.name, operator_key=account.operator.public_key
    )


def sign(
    row: User,
    change: changes.Change,
    *,
    account: Account,
    key: Key,
    principal: Principal,
    reason: str,
    unchanged: bool = False,
) -> User:
    """Sign a planned edit of a locked user; runs unaudited in the caller's transaction. `unchanged`: see `commit`.

    `issuer_account` is set whenever a signing key signs (spec §2.7).
    """
    body: UserBody = change.after.nats
    if key.public_key != account.public_key and body.issuer_account != account.public_key:
        change = replace(
            change, after=replace(change.after, nats=replace(body, issuer_account=account.public_key))
        )
    return changes.commit(row, change, principal=principal, key=key, reason=reason, unchanged=unchanged)
