"""What can be done with operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from django.db import transaction
from django.db.models import F

from identities.claims import names
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.drafts import AccountDraft, OperatorDraft, OperatorEdit, UserDraft
from identities.claims.exports import Export
from identities.claims.operator import OperatorBody
from identities.errors import IdentityError
from identities.models import Account, Cluster, Key, Operator, Purpose, User
from identities.nkeys import KeyKind
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import accounts, audit, changes, clock, columns, signing, users
from identities.services.proposing import guarded

DOCS = "https://docs.nats.io/nats-server/configuration/sys_accounts"
SYSTEM_EXPORTS = (
    Export(
        name="account-monitoring-services",
        subject="$SYS.REQ.ACCOUNT.*.*",
        type="service",
        response_type="Stream",
        account_token_position=4,
        description="Request account specific monitoring services for: SUBSZ, CONNZ, LEAFZ, JSZ and INFO",
        info_url=DOCS,
    ),
    Export(
        name="account-monitoring-streams",
        subject="$SYS.ACCOUNT.*.>",
        type="stream",
        account_token_position=3,
        description="Account specific monitoring stream",
        info_url=DOCS,
    ),
)
"""What nsc exports from a system account it makes (spec §2.11), texts included."""


def create(*, principal: Principal, draft: OperatorDraft) -> Operator:
    """Make an operator with a fresh identity key and, as asked, a signing key and a system account with a user.

    Raises:
        IdentityError: a name that nsc could not store or that is taken; options that exclude each other.
        InvalidClaims: e.g. a service URL that the Go library refuses.
    """
    decisions.require(principal, Action.OPERATOR_CREATE)
    names.check_name(draft.name)
    if draft.require_signing_keys and not draft.generate_signing_key:
        raise IdentityError(
            "Requiring signing keys needs at least one: also generate a signing key.",
            field="require_signing_keys",
        )
    with changes.transaction_of_one():
        _refuse_taken_name(draft.name)
        operator = _create_row(principal, draft)
        if draft.system_account:
            _create_system_account(principal, operator)
        audit.record(
            principal,
            Action.OPERATOR_CREATE,
            [target(operator)],
            f"Created operator “{operator.name}”"
            + (" with a system account" if draft.system_account else ""),
        )
    return operator


def plan_edit(operator: Operator, edit: OperatorEdit) -> changes.Change:
    """What `edit` would change on the operator's claims.

    Raises:
        IdentityError: a taken or impossible name, or requiring signing keys while something is still signed by an
            identity key.
    """

    def apply(claims: Claims[OperatorBody]) -> Claims[OperatorBody]:
        body = replace(
            claims.nats,
            account_server_url=edit.account_server_url,
            operator_service_urls=edit.service_urls,
            strict_signing_key_usage=edit.require_signing_keys,
            assert_server_version=edit.assert_server_version,
            tags=edit.tags,
        )
        return replace(claims, name=edit.name, exp=edit.expires, nbf=edit.not_before, nats=body)

    if edit.name != changes.claims_of(operator).name:
        names.check_name(edit.name)
        _refuse_taken_name(edit.name, other_than=operator)
    change = changes.plan(operator, apply, now=clock.unix())
    if edit.require_signing_keys and not operator.strict:
        _refuse_identity_signed(operator, change.before)
    if edit.assert_server_version and edit.assert_server_version != change.before.nats.assert_server_version:
        line = (
            f"A nats-server older than {edit.assert_server_version} does not start with this operator's JWT."
        )
        return replace(change, consequences=(line,))
    return change


@guarded
def update(*, principal: Principal, operator: Operator, edit: OperatorEdit, version: int) -> Operator:
    """Edit an operator; renaming it re-signs nothing but its own JWT.

    Raises:
        StaleWrite: somebody else changed it meanwhile. IdentityError: a taken or impossible name, or requiring
            signing keys while something is still signed by an identity key.
    """
    return rewrite(
        principal=principal,
        operator=operator,
        plan=lambda row: plan_edit(row, edit),
        version=version,
        done="Edited operator",
    )


def rewrite(
    *,
    principal: Principal,
    operator: Operator,
    plan: Callable[[Operator], changes.Change],
    version: int,
    done: str,
) -> Operator:
    """Carry out one planned edit of an operator's claims: what every editor of an operator ends in.

    `plan` is asked again for the locked row. `done` begins the audit's summary: "Edited operator".

    Raises:
        StaleWrite: somebody else changed it meanwhile. InvalidClaims: what the Go library refuses.
    """
    decisions.require(principal, Action.OPERATOR_EDIT, Scope(operator=operator.pk))
    with changes.transaction_of_one():
        row = changes.locked(operator, version)
        return commit(row, plan(row), principal=principal, done=done)


def commit(row: Operator, change: changes.Change, *, principal: Principal, done: str) -> Operator:
    """Sign and audit a planned edit of a locked operator, in the caller's transaction; nothing for an empty one."""
    if change.is_empty:
        return row
    row = changes.commit(row, change, principal=principal, key=signing.operator_signer(row), reason=done)
    audit.record(
        principal,
        Action.OPERATOR_EDIT,
        [target(row)],
        changes.said(done, row.name, change),
        changes=change.diff,
    )
    return row


@guarded
def delete(*, principal: Principal, operator: Operator, version: int) -> None:
    """Delete an operator with all its accounts, users and clusters; all of them leave tombstones.

    Nothing reaches the servers by this: they trust the operator JWT in their own configuration until that changes.
    """
    decisions.require(principal, Action.OPERATOR_DELETE, Scope(operator=operator.pk))
    with transaction.atomic():
        row = changes.locked(operator, version)
        moment = clock.now()
        gone = {"deleted_at": moment, "updated_at": moment, "updated_by": principal.name}
        below = Account.objects.live().filter(operator=row)
        account_rows = list(below.select_for_update(no_key=True).order_by("pk"))
        user_rows = list(User.objects.live().filter(operator=row).only("public_key", "name"))
        below.update(**gone)
        User.objects.live().filter(operator=row).update(**gone, has_seed=False)
        Key.objects.filter(operator=row, deleted_at=None).update(deleted_at=moment)
        Key.objects.filter(operator=row, user__isnull=False).update(sealed=None)
        Cluster.objects.live().filter(operator=row).update(**gone, client_key=None)
        Operator.objects.filter(pk=row.pk).update(**gone)
        audit.record(
            principal,
            Action.OPERATOR_DELETE,
            [target(row), *_targets_below(row, account_rows, user_rows)],
            f"Deleted operator “{row.name}” with {len(account_rows)} accounts and {len(user_rows)} users",
        )


@guarded
def add_system_account(*, principal: Principal, operator: Operator, version: int) -> Operator:
    """Give an operator that has none a system account and its user.

    The servers take it over with a new configuration and a restart, not before.
    """
    decisions.require(principal, Action.OPERATOR_EDIT, Scope(operator=operator.pk))
    with transaction.atomic():
        row = changes.locked(operator, version)
        if row.system_account:
            raise IdentityError(f"“{row.name}” already has a system account: {row.system_account}.")
        _create_system_account(principal, row)
        audit.record(
            principal, Action.OPERATOR_EDIT, [target(row)], f"Added a system account to “{row.name}”"
        )
    return row


def target(operator: Operator) -> audit.Target:
    """How the audit names an operator."""
    return audit.Target(
        kind="operator", key=operator.public_key, name=operator.name, operator_key=operator.public_key
    )


def _targets_below(operator: Operator, accounts: list[Account], users: list[User]) -> list[audit.Target]:
    named = [("account", row.public_key, row.name) for row in accounts]
    named += [("user", row.public_key, row.name) for row in users]
    return [
        audit.Target(kind=kind, key=key, name=name, operator_key=operator.public_key)
        for kind, key, name in named
    ]


def _create_row(principal: Principal, draft: OperatorDraft) -> Operator:
    moment = clock.now()
    identity, pair = signing.new_key(KeyKind.OPERATOR, purpose=Purpose.IDENTITY)
    pair.wipe()
    signing_keys: list[Key] = []
    if draft.generate_signing_key:
        extra, pair = signing.new_key(KeyKind.OPERATOR, purpose=Purpose.SIGNING)
        pair.wipe()
        signing_keys.append(extra)
    operator = Operator(
        public_key=identity.public_key,
        name=draft.name,
        name_fold=columns.folded(draft.name),
        issuer=identity.public_key,
        last_iat=0,
        version=0,
        created_at=moment,
        updated_at=moment,
        updated_by=principal.name,
    )
    operator.save()
    for key in (identity, *signing_keys):
        key.operator = operator
        key.save()
    body = OperatorBody(
        signing_keys=tuple(key.public_key for key in signing_keys),
        account_server_url=draft.account_server_url,
        operator_service_urls=draft.service_urls,
        strict_signing_key_usage=draft.require_signing_keys,
        tags=draft.tags,
    )
    claims = Claims(
        nats=body, sub=operator.public_key, name=draft.name, exp=draft.expires, nbf=draft.not_before
    )
    return changes.first(operator, claims, principal=principal, key=identity, reason="Created operator")


def _create_system_account(principal: Principal, operator: Operator) -> None:
    account = accounts.create_unaudited(
        principal=principal,
        operator=operator,
        draft=AccountDraft(name=_free_account_name(operator, "SYS")),
        body=AccountBody(exports=SYSTEM_EXPORTS),
        with_signing_key=True,
    )
    users.create_unaudited(principal=principal, account=account, drafts=[UserDraft(name="sys")])
    change = changes.plan(operator, changes.edit_body(system_account=account.public_key), now=clock.unix())
    changes.commit(
        operator,
        change,
        principal=principal,
        key=signing.operator_signer(operator),
        reason="Set the system account",
    )


def _free_account_name(operator: Operator, wanted: str) -> str:
    taken = {
        name.lower()
        for name in Account.objects.live().filter(operator=operator).values_list("name", flat=True)
    }
    free, number = wanted, 1
    while free.lower() in taken:
        number += 1
        free = f"{wanted}-{number}"
    return free


def _refuse_taken_name(name: str, other_than: Operator | None = None) -> None:
    others = Operator.objects.live().filter(name_fold=columns.folded(name))
    if other_than is not None:
        others = others.exclude(pk=other_than.pk)
    if others.exists():
        raise IdentityError(
            f"There is already an operator named “{name}”. Choose another name.", field="name"
        )


def _refuse_identity_signed(operator: Operator, claims: Claims[OperatorBody]) -> None:
    if not claims.nats.signing_keys:
        raise IdentityError(
            "Requiring signing keys needs at least one: add a signing key first.",
            field="require_signing_keys",
        )
    account = Account.objects.live().filter(operator=operator, issuer=operator.public_key).first()
    if account is not None:
        raise IdentityError(
            f"Account “{account.name}” is still signed by the operator's identity key: servers would refuse it. "
            "Re-sign it by a signing key first, by “Sign accounts anew” on the operator's page “Signing keys”.",
            field="require_signing_keys",
        )
    user = (
        User.objects.live()
        .filter(operator=operator, issuer=F("account__public_key"))
        .select_related("account")
        .first()
    )
    if user is not None:
        raise IdentityError(
            f"User “{user.name}” of “{user.account.name}” is still signed by the account's identity key: "
            "servers would refuse it. Move it to a signing key first.",
            field="require_signing_keys",
        )
