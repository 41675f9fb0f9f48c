"""Signing keys of an account: plain ones, and scoped ones, called roles, whose template says what their users may do.

A plain key is never turned into a role, nor a role into a plain key: see ADR 0004.
"""

from __future__ import annotations

from dataclasses import replace

from identities.claims.account import AccountBody
from identities.claims.diff import FieldChange
from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.errors import IdentityError
from identities.models import Account, IssuedToken, Key, Purpose
from identities.nkeys import KeyKind, PublicKey
from identities.nkeys.encoding import encode_public
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, changes, clock, dependents, signing, spares
from identities.services.proposing import guarded

NOT_MADE = encode_public(KeyKind.ACCOUNT, bytes(32))
"""Stands in a plan for a key that is made when the plan is carried out."""


@guarded
def add(*, principal: Principal, account: Account, draft: SigningKeyDraft, version: int) -> Key:
    """Give an account a signing key: a plain one or a role, made here or with its public half only.

    Raises:
        StaleWrite: somebody else changed it meanwhile. InvalidClaims: a template that nats-server would refuse.
        IdentityError: a key that is somebody's already, a name that another role has.
    """
    decisions.require(principal, Action.SIGNING_KEY_EDIT, accounts.scope(account))
    with changes.transaction_of_one():
        row = changes.locked(account, version)
        key = row_of(row, draft)
        change = plan_add(row, replace(draft, public_key=key.public_key))
        key.save()
        done = "Added a role to account" if draft.role else "Added a signing key to account"
        accounts.commit(row, change, principal=principal, done=done, action=Action.SIGNING_KEY_EDIT)
        key.refresh_from_db()
    return key


def plan_add(account: Account, draft: SigningKeyDraft) -> changes.Change:
    """What a new signing key would change; a key that is still to be made is called so in the diff.

    Raises:
        IdentityError: see `add`.
    """
    public_key = draft.public_key or NOT_MADE
    refuse_taken(account, public_key)
    entry = SigningKey(key=public_key)
    if draft.role is not None:
        entry = filled(account, replace(entry, kind=USER_SCOPE), draft.role)
    held = _entries(account)
    change = changes.plan(account, changes.edit_body(signing_keys=(*held, entry)), now=clock.unix())
    told = dependents.told_of_addition(account, public_key)
    return replace(change, diff=tuple(map(_readable, change.diff)), consequences=told)


@guarded
def edit(
    *, principal: Principal, account: Account, public_key: str, draft: RoleDraft, version: int
) -> Account:
    """Replace a role's name, description and template.

    Raises:
        StaleWrite: somebody else changed it meanwhile. InvalidClaims: a template that nats-server would refuse.
        IdentityError: no such role, a name that another one has, bearer users where they can't be.
    """
    decisions.require(principal, Action.SIGNING_KEY_EDIT, accounts.scope(account))
    with changes.transaction_of_one():
        row = changes.locked(account, version)
        change = plan_edit(row, public_key, draft)
        row = accounts.commit(
            row, change, principal=principal, done="Edited a role of account", action=Action.SIGNING_KEY_EDIT
        )
        if not draft.template.bearer_token:
            no_longer_bearer(row, public_key)
    return row


def no_longer_bearer(account: Account, public_key: str) -> None:
    """No JWT of this role's users logs in alone any more."""
    dependents.users_of(account, public_key).filter(bearer=True).update(bearer=False)


def plan_edit(account: Account, public_key: str, draft: RoleDraft) -> changes.Change:
    """What `draft` would change on a role.

    Raises:
        IdentityError: see `edit`.
    """
    before = entry_of(account, public_key)
    if not before.is_scoped:
        raise IdentityError("A plain signing key holds nothing to edit. Add a role, and move users to it.")
    after = filled(account, before, draft)
    entries = tuple(after if entry.key == public_key else entry for entry in _entries(account))
    change = changes.plan(account, changes.edit_body(signing_keys=entries), now=clock.unix())
    if change.is_empty:
        return change
    return replace(change, consequences=dependents.told_of_change(change.after, account, after))


@guarded
def remove(*, principal: Principal, account: Account, public_key: str, version: int) -> Account:
    """Take a signing key away from its account; whatever it signed is worthless from then on.

    Raises:
        StaleWrite: somebody else changed it meanwhile. IdentityError: no such key.
    """
    return accounts.rewrite(
        principal=principal,
        account=account,
        plan=lambda row: plan_remove(row, public_key),
        version=version,
        done="Removed a signing key of account",
        action=Action.SIGNING_KEY_EDIT,
    )


def plan_remove(account: Account, public_key: str) -> changes.Change:
    """What the removal would change, and what depends on the key.

    Raises:
        IdentityError: no such key.
    """
    gone = entry_of(account, public_key)
    body: AccountBody = changes.claims_of(account).nats
    left = tuple(entry for entry in body.signing_keys if entry.key != public_key)
    change = changes.plan(account, changes.edit_body(signing_keys=left), now=clock.unix())
    return replace(change, consequences=dependents.told_of_removal(account, body, gone))


def entry_of(account: Account, public_key: str) -> SigningKey:
    """The account's signing key of that public key.

    Raises:
        IdentityError: it has none.
    """
    entry = next((entry for entry in _entries(account) if entry.key == public_key), None)
    if entry is None:
        raise IdentityError(f"{public_key} is no signing key of “{account.name}” (any more).")
    return entry


def _entries(account: Account) -> tuple[SigningKey, ...]:
    body: AccountBody = changes.claims_of(account).nats
    return body.signing_keys


def filled(account: Account, entry: SigningKey, draft: RoleDraft) -> SigningKey:
    """The role with what `draft` says; unknown fields of it stay.

    Raises:
        IdentityError: a name that another role has, bearer users where they can't be.
    """
    others = (other.role for other in _entries(account) if other.is_scoped and other.key != entry.key)
    if draft.role and draft.role != entry.role and draft.role in others:
        raise IdentityError(
            f"“{account.name}” already has a role named “{draft.role}”. Choose another name.", field="role"
        )
    if draft.template.bearer_token and not (entry.template is not None and entry.template.bearer_token):
        _refuse_bearer(account, entry.key)
    return replace(entry, role=draft.role, description=draft.description, template=draft.template)


def _refuse_bearer(account: Account, public_key: str) -> None:
    """A role turns bearer before it issues anybody: a bearer user's JWT alone logs in, and must never lie open."""
    body: AccountBody = changes.claims_of(account).nats
    if body.limits.disallow_bearer:
        raise IdentityError(
            "The account forbids bearer users, so a role can't make any. Allow them in the account's limits first.",
            field="bearer_token",
        )
    if IssuedToken.objects.filter(issuer=public_key, kind="user", sealed=None).exists():
        raise IdentityError(
            "This role has issued users whose JWTs lie open in their history, and each of them would log in alone. "
            "Add a bearer role, and move the users to it.",
            field="bearer_token",
        )


def refuse_taken(account: Account, public_key: str) -> None:
    """Raise when the key is somebody's already."""
    parsed = PublicKey.parse(public_key, KeyKind.ACCOUNT).text
    taken = (
        Key.objects.filter(operator=account.operator_id, public_key=parsed, deleted_at=None)
        .exclude(purpose=Purpose.SPARE)
        .first()
    )
    if taken is not None:  # whoever adds keys to this account may not see the others
        holder = (
            f"“{account.name}”" if taken.account_id == account.pk else "somebody else under this operator"
        )
        raise IdentityError(f"{parsed} is already a key of {holder}. Use another one.", field="public_key")


def row_of(row: Account, draft: SigningKeyDraft) -> Key:
    """The unsaved row of a new key of the account. One that was removed from it brings its seed back, if that was
    here; one that was generated ahead has its own.
    """
    purpose = Purpose.ROLE if draft.role is not None else Purpose.SIGNING
    spare = spares.one(row.operator_id, KeyKind.ACCOUNT, draft.public_key)
    if spare is not None:
        key = spare
        key.purpose = purpose
    elif draft.public_key:
        former = (
            Key.objects.filter(account=row, user=None, public_key=draft.public_key).order_by("-pk").first()
        )
        key = Key(
            public_key=draft.public_key,
            kind=KeyKind.ACCOUNT.value,
            purpose=purpose,
            sealed=former.sealed if former is not None else None,
            created_at=clock.now(),
        )
    else:
        key, pair = signing.new_key(KeyKind.ACCOUNT, purpose=purpose)
        pair.wipe()
    key.operator_id, key.account = row.operator_id, row
    return key


def _readable(change: FieldChange) -> FieldChange:
    return replace(change, path=change.path.replace(NOT_MADE, "a new key"))
