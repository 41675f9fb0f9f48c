"""Revocations of an account over the API."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Query
from pydantic import BaseModel, Field

from identities import lookup
from identities.api import editing, finding
from identities.api.accounts import ONE as ACCOUNT
from identities.api.operations import Answer, operation
from identities.api.schemas import AccountKey, Given, Line, OperatorKey, Page, Taken, Unix
from identities.claims.account import AccountBody
from identities.models import Account
from identities.policy.actions import Action
from identities.services import accounts, revocations

TAG = "Revocations"
PATH = ACCOUNT + "/revocations"
ONE = PATH + "/{revoked:revoked}"

RevokedParameter = Annotated[
    str, Field(pattern=r"^([A-Za-z0-9]{1,200}|\*)$", description="The key of the user, or `*` for all.")
]


class RevocationOut(Given):
    """Whose JWTs are refused: those issued at that second or before."""

    key: str = Field(description="The key of a user, or `*` for all.")
    at: int = Field(description="Unix seconds.")


class RevocationsWanted(BaseModel):
    """Which page of them."""

    cursor: Annotated[str, Field(max_length=250, description="`next` of the page before.")] = ""
    limit: Annotated[int, Field(ge=1, le=1000)] = 200


class RevocationIn(Taken):
    """Whom to revoke: a user's name or key, or `*` for all; up to now, or to another second."""

    user: Annotated[Line, Field(min_length=1)]
    at: Unix = 0


class ClearWanted(BaseModel):
    """How the entry for all users is cleared."""

    keep_deleted: Annotated[
        bool, Field(description="Deleted users that it shut out get entries of their own.")
    ] = True


@operation("list-revocations", "GET", PATH, Page[RevocationOut], tag=TAG)
def listed(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, wanted: Query[RevocationsWanted]
) -> Answer:
    """List who is revoked in an account, by key"""
    _, account = finding.account(request, operator_key, account_key)
    keys = [key for key in sorted(_held(account)) if key > wanted.cursor]
    held, shown = _held(account), keys[: wanted.limit]
    page = Page[RevocationOut](
        items=[RevocationOut(key=key, at=held[key]) for key in shown],
        next=shown[-1] if len(keys) > len(shown) else None,
    )
    return Answer(body=page, version=account.version)


@operation("revoke", "POST", PATH, Page[RevocationOut], tag=TAG)
def revoke(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, sent: RevocationIn
) -> Answer:
    """Revoke a user, or all users

    Needs no `If-Match`, and is never held up by what else is wrong with the account. Answers with the entries made.
    """
    principal, account = finding.account(request, operator_key, account_key, Action.USER_REVOKE)
    user = "" if sent.user == "*" else sent.user
    entries = revocations.entries_for(account, user=user, at=sent.at)

    def save(_: int) -> Answer:
        row = accounts.revoke(principal=principal, account=account, entries=entries)
        held = _held(row)
        items = [RevocationOut(key=key, at=held[key]) for key in sorted(entries)]
        return Answer(body=Page[RevocationOut](items=items, next=None), version=row.version)

    plan = revocations.plan_revoke
    return editing.unconditional(
        request, account, plan=lambda: plan(account, entries, asked=sent.at), save=save
    )


@operation("clear-revocation", "DELETE", ONE, None, tag=TAG, versioned=True)
def clear(
    request: HttpRequest,
    operator_key: OperatorKey,
    account_key: AccountKey,
    revoked: RevokedParameter,
    wanted: Query[ClearWanted],
) -> Answer:
    """Clear a revocation

    JWTs that it refused work again, unless the entry for all users covers them.
    """
    principal, account = finding.account(request, operator_key, account_key, Action.REVOCATION_EDIT)
    if revoked not in _held(account):
        raise lookup.NotFound(f"Nothing is revoked for {revoked} in “{account.name}”.")
    keep = wanted.keep_deleted
    return editing.part(
        request,
        account,
        plan=lambda: revocations.plan_clear(account, revoked, keep_deleted=keep),
        save=lambda version: revocations.clear(
            principal=principal, account=account, key=revoked, version=version, keep_deleted=keep
        ),
        answer=lambda row: Answer(version=row.version),
    )


@operation("compact-revocations", "POST", ACCOUNT + "/revocation-compaction", None, tag=TAG, versioned=True)
def compact(request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey) -> Answer:
    """Drop the entries whose going lets nobody in again"""
    principal, account = finding.account(request, operator_key, account_key, Action.REVOCATION_EDIT)
    return editing.part(
        request,
        account,
        plan=lambda: revocations.plan_compact(account).change,
        save=lambda version: revocations.compact(principal=principal, account=account, version=version),
        answer=lambda row: Answer(version=row.version),
    )


def _held(account: Account) -> dict[str, int]:
    body: AccountBody = account.document().nats
    return dict(body.revocations)
