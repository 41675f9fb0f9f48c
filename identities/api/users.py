"""Users over the API, and what they log in with."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Annotated

from django.http import HttpRequest
from ninja import Query
from pydantic import BaseModel, Field

from identities.api import editing, finding, paging
from identities.api.accounts import ONE as ACCOUNT
from identities.api.claims import RightsIn, over
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
    Unix,
    UserKey,
)
from identities.claims.common import Claims
from identities.claims.drafts import UserDraft, UserEdit
from identities.claims.permissions import UserPermissionLimits
from identities.claims.user import UserBody
from identities.models import User
from identities.policy.actions import Action
from identities.queries import prefixes
from identities.services import users

TAG = "Users"
PATH = ACCOUNT + "/users"
ONE = PATH + "/{key:user_key}"


class UserListed(Stamped):
    """A user in a list."""

    key: str
    name: str
    account: str
    issuer: str
    bearer: bool
    has_seed: bool = Field(description="Whether its creds can be handed out here.")
    suspended_at: datetime | None
    expires: int
    not_before: int


class UserOut(UserListed):
    """A user with its claims."""

    claims: Document


class UsersWanted(paging.Paging):
    """Which users, and which page of them."""

    q: Annotated[Line, Field(description="What the name begins with; case counts.")] = ""
    issuer: Annotated[PublicKey, Field(description="Only those that this key issued.")] = ""


class UserIn(Taken):
    """A new user. `signer` chooses the key that issues it; a role gives its users their rights, so `limits` stays away.

    `public_key` brings a key whose seed stays elsewhere.
    """

    name: Name
    public_key: PublicKey = ""
    limits: RightsIn = RightsIn()
    tags: Tags = []
    expires: Unix = 0
    not_before: Unix = 0
    signer: PublicKey = ""


class UserPatch(Taken):
    """A user's name, rights, tags and times; only what is sent is changed."""

    name: Name = ""
    limits: RightsIn = RightsIn()
    tags: Tags = []
    expires: Unix = 0
    not_before: Unix = 0


class UserGone(BaseModel):
    """How a user is deleted."""

    revoke: Annotated[bool, Field(description="Whether creds that were handed out stop working.")] = True


@operation("list-users", "GET", PATH, Page[UserListed], tag=TAG)
def listed(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, wanted: Query[UsersWanted]
) -> Answer:
    """List the users of an account by name"""
    _, account = finding.account(request, operator_key, account_key)
    rows = User.objects.live().filter(account=account).select_related("account")
    if wanted.q:
        rows = rows.filter(prefixes.begins("name", wanted.q))
    if wanted.issuer:
        rows = rows.filter(issuer=wanted.issuer)
    return Answer(body=paging.page(rows, wanted, _listed))


@operation("create-user", "POST", PATH, UserOut, tag=TAG, status=201)
def create(request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, sent: UserIn) -> Answer:
    """Create a user

    Its key is made here, unless you bring one; `get-creds` hands out what it logs in with.
    """
    principal, account = finding.account(request, operator_key, account_key, Action.USER_CREATE)
    limits = UserPermissionLimits.unlimited() if "limits" in sent.model_fields_set else None
    draft = over(UserDraft(name=sent.name, limits=limits), sent)
    return editing.made(
        request,
        lambda: users.create(principal=principal, account=account, draft=draft),
        lambda row: replace(shown(row, 201), location=f"{request.path}/{row.public_key}"),
    )


@operation("get-user", "GET", ONE, UserOut, tag=TAG)
def get(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, user_key: UserKey
) -> Answer:
    """Read a user"""
    return shown(finding.user(request, operator_key, account_key, user_key)[1])


@operation("edit-user", "PATCH", ONE, UserOut, tag=TAG, versioned=True)
def edit(
    request: HttpRequest,
    operator_key: OperatorKey,
    account_key: AccountKey,
    user_key: UserKey,
    sent: UserPatch,
) -> Answer:
    """Edit a user and issue its JWT anew

    Creds that were handed out go on with their old rights, until they are revoked or expire.
    """
    principal, user = finding.user(request, operator_key, account_key, user_key, Action.USER_EDIT)
    wanted = over(_edit_of(user, limits="limits" in sent.model_fields_set), sent)
    return editing.written(
        request,
        user,
        plan=lambda: users.plan_edit(user, wanted),
        save=lambda version: shown(
            users.update(principal=principal, user=user, edit=wanted, version=version)
        ),
    )


@operation("delete-user", "DELETE", ONE, None, tag=TAG, versioned=True)
def delete(
    request: HttpRequest,
    operator_key: OperatorKey,
    account_key: AccountKey,
    user_key: UserKey,
    wanted: Query[UserGone],
) -> Answer:
    """Delete a user

    Its key is revoked in the account as well, unless `revoke=false`.
    """
    principal, user = finding.user(request, operator_key, account_key, user_key, Action.USER_DELETE)
    version = editing.version_of(request, user)
    told = "Creds that were handed out " + (
        "stop working as soon as servers have the account's new JWT."
        if wanted.revoke
        else "go on working until they expire."
    )
    return editing.gone(
        request,
        lambda: users.delete(principal=principal, user=user, version=version, revoke=wanted.revoke),
        ["Its seed is erased.", told],
    )


def shown(user: User, status: int | None = None) -> Answer:
    """A user as operations give it."""
    body = UserOut(**_listed(user).model_dump(), claims=json.loads(user.claims))
    return Answer(body=body, version=user.version, status=status)


def _edit_of(user: User, *, limits: bool) -> UserEdit:
    """What stands there now, with its rights where they are to be edited."""
    claims: Claims[UserBody] = user.document()
    return UserEdit(
        name=claims.name,
        limits=claims.nats.limits if limits else None,
        tags=claims.nats.tags,
        expires=claims.exp,
        not_before=claims.nbf,
    )


def _listed(user: User) -> UserListed:
    return UserListed(
        key=user.public_key,
        name=user.name,
        account=user.account.public_key,
        issuer=user.issuer,
        bearer=user.bearer,
        has_seed=user.has_seed,
        suspended_at=user.suspended_at,
        expires=user.expires,
        not_before=user.not_before,
        version=user.version,
        created_at=user.created_at,
        updated_at=user.updated_at,
        updated_by=user.updated_by,
    )
