"""Signing keys of an account over the API: plain ones, and roles with what their users may do."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from pydantic import Field

from identities import lookup
from identities.api import editing, finding
from identities.api.accounts import ONE as ACCOUNT
from identities.api.claims import RightsIn, over
from identities.api.operations import Answer, operation
from identities.api.schemas import (
    AccountKey,
    Given,
    Line,
    OperatorKey,
    PublicKey,
    SigningKeyParameter,
    Taken,
    Text,
    plain,
)
from identities.claims.account import AccountBody
from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.permissions import UserPermissionLimits
from identities.claims.scopes import SigningKey
from identities.models import Account, Key
from identities.policy.actions import Action
from identities.services import signing_keys

TAG = "Roles and signing keys"
PATH = ACCOUNT + "/signing-keys"
ONE = PATH + "/{key:signing_key}"


class SigningKeyOut(Given):
    """One signing key; a role has a template, which says what its users may do."""

    key: str
    is_role: bool
    role: str
    description: str
    has_seed: bool = Field(description="Whether it can sign here.")
    template: dict[str, Any] | None


class SigningKeys(Given):
    """All signing keys of an account."""

    items: list[SigningKeyOut]


class RoleIn(Taken):
    """A role: a name, and what its users may do."""

    role: Line = ""
    description: Text = ""
    template: RightsIn = RightsIn()


class SigningKeyIn(Taken):
    """A new signing key, a plain one without `role`; `public_key` brings one whose seed stays elsewhere."""

    public_key: PublicKey = ""
    role: RoleIn | None = None


@operation("list-signing-keys", "GET", PATH, SigningKeys, tag=TAG)
def listed(request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey) -> Answer:
    """List an account's signing keys and roles"""
    _, account = finding.account(request, operator_key, account_key)
    body: AccountBody = account.document().nats
    held = _here(account)
    items = [_shown(entry, held) for entry in body.signing_keys]
    return Answer(body=SigningKeys(items=items), version=account.version)


@operation("add-signing-key", "POST", PATH, SigningKeyOut, tag=TAG, status=201, versioned=True)
def add(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, sent: SigningKeyIn
) -> Answer:
    """Add a signing key or a role"""
    principal, account = finding.account(request, operator_key, account_key, Action.SIGNING_KEY_EDIT)
    role = None if sent.role is None else over(RoleDraft(), sent.role)
    draft = SigningKeyDraft(public_key=sent.public_key, role=role)

    def save(version: int) -> Answer:
        key = signing_keys.add(principal=principal, account=account, draft=draft, version=version)
        account.refresh_from_db()
        answer = _answer(account, key.public_key, 201)
        return Answer(
            body=answer.body,
            version=answer.version,
            status=201,
            location=f"{request.path}/{key.public_key}",
        )

    return editing.written(request, account, plan=lambda: signing_keys.plan_add(account, draft), save=save)


@operation("get-signing-key", "GET", ONE, SigningKeyOut, tag=TAG)
def get(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, signing_key: SigningKeyParameter
) -> Answer:
    """Read a signing key or a role"""
    _, account = finding.account(request, operator_key, account_key)
    return _answer(account, signing_key)


@operation("edit-role", "PATCH", ONE, SigningKeyOut, tag=TAG, versioned=True)
def edit(
    request: HttpRequest,
    operator_key: OperatorKey,
    account_key: AccountKey,
    signing_key: SigningKeyParameter,
    sent: RoleIn,
) -> Answer:
    """Edit a role

    All its users have the new rights as soon as servers have the account's new JWT.
    """
    principal, account = finding.account(request, operator_key, account_key, Action.SIGNING_KEY_EDIT)
    held = _entry(account, signing_key)
    before = RoleDraft(
        role=held.role, description=held.description, template=held.template or UserPermissionLimits()
    )
    draft = over(before, sent)
    return editing.part(
        request,
        account,
        plan=lambda: signing_keys.plan_edit(account, signing_key, draft),
        save=lambda version: signing_keys.edit(
            principal=principal, account=account, public_key=signing_key, draft=draft, version=version
        ),
        answer=lambda row: _answer(row, signing_key),
    )


@operation("remove-signing-key", "DELETE", ONE, None, tag=TAG, versioned=True)
def remove(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, signing_key: SigningKeyParameter
) -> Answer:
    """Remove a signing key

    Whatever it signed is worthless from then on.
    """
    principal, account = finding.account(request, operator_key, account_key, Action.SIGNING_KEY_EDIT)
    _entry(account, signing_key)
    return editing.part(
        request,
        account,
        plan=lambda: signing_keys.plan_remove(account, signing_key),
        save=lambda version: signing_keys.remove(
            principal=principal, account=account, public_key=signing_key, version=version
        ),
        answer=lambda row: Answer(version=row.version),
    )


def _entry(account: Account, key: str) -> SigningKey:
    body: AccountBody = account.document().nats
    found = next((entry for entry in body.signing_keys if entry.key == key), None)
    if found is None:
        raise lookup.NotFound(f"{key} is no signing key of “{account.name}”.")
    return found


def _here(account: Account) -> set[str]:
    rows = Key.objects.filter(account=account, user=None, deleted_at=None, sealed__isnull=False)
    return set(rows.values_list("public_key", flat=True))


def _answer(account: Account, key: str, status: int | None = None) -> Answer:
    body = _shown(_entry(account, key), _here(account))
    return Answer(body=body, version=account.version, status=status)


def _shown(entry: SigningKey, held: set[str]) -> SigningKeyOut:
    return SigningKeyOut(
        key=entry.key,
        is_role=entry.is_scoped,
        role=entry.role,
        description=entry.description,
        has_seed=entry.key in held,
        template=plain(entry.template) if entry.template is not None else None,
    )
