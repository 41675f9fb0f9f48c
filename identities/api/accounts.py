"""Accounts over the API."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated

from django.http import HttpRequest
from ninja import Query
from pydantic import Field

from identities.api import editing, finding, paging
from identities.api.claims import LimitsIn, over
from identities.api.operations import Answer, operation
from identities.api.schemas import (
    AccountKey,
    Document,
    Line,
    Name,
    OperatorKey,
    Page,
    PublicKey,
    Stamped,
    Tags,
    Taken,
    Text,
    Unix,
)
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.drafts import AccountDraft, AccountEdit
from identities.claims.limits import OperatorLimits
from identities.models import Account
from identities.policy.actions import Action
from identities.services import accounts

TAG = "Accounts"
PATH = "operators/{key:operator_key}/accounts"
ONE = PATH + "/{key:account_key}"


class AccountListed(Stamped):
    """An account in a list."""

    key: str
    name: str
    operator: str
    issuer: str
    description: str
    user_count: int
    jetstream: bool
    expires: int
    not_before: int


class AccountOut(AccountListed):
    """An account with its claims."""

    claims: Document


class AccountsWanted(paging.Paging):
    """Which accounts, and which page of them."""

    q: Annotated[Line, Field(description="A part of the name, ignoring case.")] = ""


class AccountIn(Taken):
    """A new account; `public_key` brings one whose seed stays elsewhere."""

    name: Name
    public_key: PublicKey = ""
    description: Text = ""
    info_url: Text = ""
    limits: LimitsIn = LimitsIn()
    tags: Tags = []
    expires: Unix = 0
    not_before: Unix = 0


class AccountPatch(Taken):
    """Name, texts, tags and times; only what is sent is changed."""

    name: Name = ""
    description: Text = ""
    info_url: Text = ""
    tags: Tags = []
    expires: Unix = 0
    not_before: Unix = 0


@operation("list-accounts", "GET", PATH, Page[AccountListed], tag=TAG)
def listed(request: HttpRequest, operator_key: OperatorKey, wanted: Query[AccountsWanted]) -> Answer:
    """List the accounts of an operator by name"""
    principal, operator = finding.operator(request, operator_key)
    rows = Account.objects.visible_to(principal).live().filter(operator=operator).select_related("operator")
    if wanted.q.strip():
        rows = rows.filter(name_fold__contains=wanted.q.strip().casefold())
    return Answer(body=paging.page(rows, wanted, _listed))


@operation("create-account", "POST", PATH, AccountOut, tag=TAG, status=201)
def create(request: HttpRequest, operator_key: OperatorKey, sent: AccountIn) -> Answer:
    """Create an account

    Its key is made here, unless you bring one.
    """
    principal, operator = finding.operator(request, operator_key, Action.ACCOUNT_CREATE)
    draft = over(AccountDraft(name=sent.name, limits=OperatorLimits.unlimited()), sent)
    return editing.made(
        request,
        lambda: accounts.create(principal=principal, operator=operator, draft=draft),
        lambda row: new(row, request),
    )


@operation("get-account", "GET", ONE, AccountOut, tag=TAG)
def get(request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey) -> Answer:
    """Read an account"""
    return shown(finding.account(request, operator_key, account_key)[1])


@operation("edit-account", "PATCH", ONE, AccountOut, tag=TAG, versioned=True)
def edit(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, sent: AccountPatch
) -> Answer:
    """Edit an account's name, texts, tags and times"""
    principal, account = finding.account(request, operator_key, account_key, Action.ACCOUNT_EDIT)
    wanted = over(edit_of(account), sent)
    return editing.written(
        request,
        account,
        plan=lambda: accounts.plan_edit(account, wanted),
        save=lambda version: shown(
            accounts.update(principal=principal, account=account, edit=wanted, version=version)
        ),
    )


@operation("delete-account", "DELETE", ONE, None, tag=TAG, versioned=True)
def delete(request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey) -> Answer:
    """Delete an account with all its users

    Servers go on with it until its JWT is deleted there.
    """
    principal, account = finding.account(request, operator_key, account_key, Action.ACCOUNT_DELETE)
    version = editing.version_of(request, account)
    return editing.gone(
        request,
        lambda: accounts.delete(principal=principal, account=account, version=version),
        [f"All {account.user_count:,} users of the account are deleted with it; their seeds are erased."],
    )


def edit_of(account: Account) -> AccountEdit:
    """What stands there now."""
    claims: Claims[AccountBody] = account.document()
    return AccountEdit(
        name=claims.name,
        description=claims.nats.description,
        info_url=claims.nats.info_url,
        tags=claims.nats.tags,
        expires=claims.exp,
        not_before=claims.nbf,
    )


def new(account: Account, request: HttpRequest) -> Answer:
    """A just made account."""
    return replace(shown(account, 201), location=f"{request.path}/{account.public_key}")


def shown(account: Account, status: int | None = None) -> Answer:
    """An account as operations give it."""
    body = AccountOut(**_listed(account).model_dump(), claims=json.loads(account.claims))
    return Answer(body=body, version=account.version, status=status)


def _listed(account: Account) -> AccountListed:
    return AccountListed(
        key=account.public_key,
        name=account.name,
        operator=account.operator.public_key,
        issuer=account.issuer,
        description=account.description,
        user_count=account.user_count,
        jetstream=account.jetstream,
        expires=account.expires,
        not_before=account.not_before,
        version=account.version,
        created_at=account.created_at,
        updated_at=account.updated_at,
        updated_by=account.updated_by,
    )
