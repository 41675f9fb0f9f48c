"""What can be done with accounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from django.db import transaction

from identities.claims import names
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.drafts import AccountDraft, AccountEdit
from identities.claims.limits import OperatorLimits
from identities.claims.scopes import SigningKey
from identities.errors import IdentityError
from identities.models import Account, Key, Operator, Purpose, User
from identities.nkeys import KeyKind
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import (
    account_keys,
    audit,
    changes,
    clock,
    columns,
    kept_out,
    limit_effects,
    signers,
    signing,
)
from identities.services.four_eyes import exempted
from identities.services.proposing import guarded


@guarded
def create(*, principal: Principal, operator: Operator, draft: AccountDraft) -> Account:
    """Make an account, signed by the operator; under a strict operator it gets a plain signing key as well.

    Raises:
        IdentityError: a taken or impossible name, a key that is not an account's. InvalidClaims: bad limits.
    """
    decisions.require(principal, Action.ACCOUNT_CREATE, Scope(operator=operator.pk))
    with changes.transaction_of_one():
        parent = changes.locked(operator, None)
        account = create_unaudited(
            principal=principal, operator=parent, draft=draft, with_signing_key=parent.strict
        )
        audit.record(principal, Action.ACCOUNT_CREATE, [target(account)], f"Created account “{account.name}”")
    return account


def create_unaudited(
    *,
    principal: Principal,
    operator: Operator,
    draft: AccountDraft,
    body: AccountBody | None = None,
    with_signing_key: bool = False,
) -> Account:
    """The work of `create`, for a service that audits a larger whole; runs in its transaction."""
    account, claims, key = begin(
        principal=principal, operator=operator, draft=draft, body=body, with_signing_key=with_signing_key
    )
    return changes.first(account, claims, principal=principal, key=key, reason="Created account")


def begin(
    *,
    principal: Principal,
    operator: Operator,
    draft: AccountDraft,
    body: AccountBody | None = None,
    with_signing_key: bool = False,
) -> tuple[Account, Claims[AccountBody], Key]:
    """The row of a new account, what it says first, and who signs that: for a caller that has more to say before."""
    names.check_name(draft.name)
    _refuse_taken_name(operator, draft.name)
    keys = [account_keys.identity(operator, draft.public_key)]
    if with_signing_key:
        extra, pair = signing.new_key(KeyKind.ACCOUNT, purpose=Purpose.SIGNING)
        pair.wipe()
        keys.append(extra)
    account = account_keys.insert(principal, operator, draft, keys)
    claims = Claims(
        nats=replace(
            body or AccountBody(),
            limits=draft.limits or OperatorLimits.unlimited(),
            signing_keys=tuple(SigningKey(key=key.public_key) for key in keys[1:]),
            description=draft.description,
            info_url=draft.info_url,
            tags=draft.tags,
        ),
        sub=account.public_key,
        name=draft.name,
        exp=draft.expires,
        nbf=draft.not_before,
    )
    return account, claims, account_keys.first_signer(operator, keys[0])


@guarded
def update(
    *, principal: Principal, account: Account, edit: AccountEdit, version: int, signer: str = ""
) -> Account:
    """Edit name, texts, tags and times.

    Raises: StaleWrite: somebody else changed it meanwhile.
    """
    return rewrite(
        principal=principal,
        account=account,
        plan=lambda row: plan_edit(row, edit),
        version=version,
        done="Edited account",
        signer=signer,
    )


def plan_edit(account: Account, edit: AccountEdit) -> changes.Change:
    """What `edit` would change.

    Raises: IdentityError: a name that is taken, or that nsc could not store.
    """

    def apply(claims: Claims[AccountBody]) -> Claims[AccountBody]:
        body = replace(claims.nats, description=edit.description, info_url=edit.info_url, tags=edit.tags)
        return replace(claims, name=edit.name, exp=edit.expires, nbf=edit.not_before, nats=body)

    if edit.name != changes.claims_of(account).name:
        names.check_name(edit.name)
        _refuse_taken_name(account.operator, edit.name, other_than=account)
    return changes.plan(account, apply, now=clock.unix())


@guarded
def update_limits(
    *, principal: Principal, account: Account, limits: OperatorLimits, version: int, signer: str = ""
) -> Account:
    """Replace the account's limits, JetStream included.

    Raises:
        StaleWrite: somebody else changed it meanwhile. InvalidClaims: what the Go library or nats-server refuses.
        IdentityError: JetStream on the system account; forbidding bearer users while there are some.
    """
    return rewrite(
        principal=principal,
        account=account,
        plan=lambda row: plan_limits(row, limits),
        version=version,
        done="Edited limits of account",
        action=Action.ACCOUNT_LIMITS_EDIT,
        signer=signer,
    )


def plan_limits(account: Account, limits: OperatorLimits) -> changes.Change:
    """What `limits` would change.

    Raises: IdentityError: JetStream on the system account; forbidding bearer users while there are some.
    """
    if limits.jetstream_enabled and account.operator.system_account == account.public_key:
        raise IdentityError(
            "The system account can't have JetStream: nats-server refuses it. Leave its storage limits at 0.",
            field="mem_storage",
        )
    if limits.disallow_bearer:
        _refuse_while_bearer_users(account)
    change = changes.plan(account, changes.edit_body(limits=limits), now=clock.unix())
    lines = limit_effects.of(account, change.before.nats.limits, limits)
    return replace(change, consequences=lines)


def rewrite(
    *,
    principal: Principal,
    account: Account,
    plan: Callable[[Account], changes.Change],
    version: int,
    done: str,
    action: Action = Action.ACCOUNT_EDIT,
    signer: str = "",
) -> Account:
    """Carry out one planned edit of an account's claims: what every editor of an account ends in.

    `plan` is asked again for the locked row. `done` begins the audit's summary: "Edited limits of account". `signer`
    is the key that was chosen to sign it, "" for `account.chosen_signer` or else the issuer.

    Raises: StaleWrite: somebody else changed it meanwhile. InvalidClaims: what the Go library or nats-server refuses.
        NoSigner: the issuer can't sign, and no other key was chosen.
    """
    decisions.require(principal, action, scope(account))
    with changes.transaction_of_one():
        row = changes.locked(account, version)
        row.chosen_signer = signer or row.chosen_signer
        return commit(row, plan(row), principal=principal, done=done, action=action)


def commit(
    row: Account,
    change: changes.Change,
    *,
    principal: Principal,
    done: str,
    action: Action = Action.ACCOUNT_EDIT,
) -> Account:
    """Sign and audit a planned edit of a locked account, in the caller's transaction; nothing for an empty one.

    Raises: NoSigner: the issuer can't sign, and no other key was chosen.
    """
    if change.is_empty:
        return row
    row = changes.commit(row, change, principal=principal, key=signers.of_edit(row), reason=done)
    audit.record(principal, action, [target(row)], changes.said(done, row.name, change), changes=change.diff)
    return row


@exempted("it locks somebody out, which must not wait")
def revoke(
    *, principal: Principal, account: Account, entries: Mapping[str, int], reason: str = "Revoked users"
) -> Account:
    """Revoke users (or `*`) by time: every JWT of the key issued at or before that second is refused.

    Never blocked by what else is wrong with the account; an entry that is already later stays.
    """
    decisions.require(principal, Action.USER_REVOKE, scope(account))
    with transaction.atomic():
        row = revoke_unaudited(principal=principal, account=account, entries=entries, reason=reason)
        revoked = ", ".join(sorted(entries))
        audit.record(principal, Action.USER_REVOKE, [target(row)], f"{reason} in “{row.name}”: {revoked}")
    return row


def revoke_unaudited(
    *, principal: Principal, account: Account, entries: Mapping[str, int], reason: str
) -> Account:
    """The work of `revoke`, for a service that audits a larger whole; runs in its transaction."""
    row = changes.locked(account, None)
    held = changes.claims_of(row).nats.revocations
    merged = {**held, **{key: max(at, held.get(key, 0)) for key, at in entries.items()}}
    kept_out.remember(row, entries)
    return commit_revocations(row, plan_revocations(row, merged), principal=principal, reason=reason)


def plan_revocations(account: Account, revocations: Mapping[str, int], **fields: Any) -> changes.Change:
    """What other revocations (and `fields` of the body that go with them) would change; what else is wrong with the
    account is not asked.
    """
    change = changes.plan(account, changes.edit_body(revocations=revocations, **fields), now=clock.unix())
    return replace(change, report=type(change.report)())


def commit_revocations(row: Account, change: changes.Change, *, principal: Principal, reason: str) -> Account:
    """Sign planned revocations of a locked account; runs unaudited in the caller's transaction."""
    return changes.commit(row, change, principal=principal, key=signer(row), reason=reason, urgent=True)


@guarded
def delete(*, principal: Principal, account: Account, version: int) -> None:
    """Delete an account with its users; tombstones keep key, name and last JWT.

    The servers go on with the account until its JWT is deleted there, or until they get a configuration without it.

    Raises: IdentityError: it is the operator's system account.
    """
    decisions.require(principal, Action.ACCOUNT_DELETE, scope(account))
    with transaction.atomic():
        row = changes.locked(account, version)
        if row.operator.system_account == row.public_key:
            raise IdentityError(
                f"“{row.name}” is the system account of “{row.operator.name}”: its servers can't do without it."
            )
        moment = clock.now()
        gone = {"deleted_at": moment, "updated_at": moment, "updated_by": principal.name}
        user_rows = list(User.objects.live().filter(account=row).only("public_key", "name"))
        User.objects.live().filter(account=row).update(**gone, has_seed=False)
        Key.objects.filter(account=row, deleted_at=None).update(deleted_at=moment)
        Key.objects.filter(account=row, user__isnull=False).update(sealed=None)
        Account.objects.filter(pk=row.pk).update(user_count=0, **gone)
        operator_key = row.operator.public_key
        users = [
            audit.Target(kind="user", key=user.public_key, name=user.name, operator_key=operator_key)
            for user in user_rows
        ]
        audit.record(
            principal,
            Action.ACCOUNT_DELETE,
            [target(row), *users],
            f"Deleted account “{row.name}” with {len(user_rows)} users",
        )


def scope(account: Account) -> Scope:
    """Where an account stands, for policy."""
    return Scope(operator=account.operator_id, account=account.pk)


def target(account: Account) -> audit.Target:
    """How the audit names an account."""
    return audit.Target(
        kind="account", key=account.public_key, name=account.name, operator_key=account.operator.public_key
    )


def signer(row: Account) -> Key:
    """The key that signs this account where nobody can be asked: its issuer, or the first one that can."""
    return signing.account_signer(row.operator, changes.claims_of(row.operator), previous=row.issuer)


def _refuse_taken_name(operator: Operator, name: str, other_than: Account | None = None) -> None:
    others = Account.objects.live().filter(operator=operator, name_fold=columns.folded(name))
    if other_than is not None:
        others = others.exclude(pk=other_than.pk)
    if others.exists():
        raise IdentityError(
            f"“{operator.name}” already has an account named “{name}” (case is ignored, as in nsc). "
            "Choose another name.",
            field="name",
        )


def _refuse_while_bearer_users(row: Account) -> None:
    bearer = User.objects.live().filter(account=row, bearer=True).first()
    if bearer is not None:
        raise IdentityError(
            f"User “{bearer.name}” is a bearer user: make it a normal user or delete it, then forbid bearer users.",
            field="disallow_bearer",
        )
