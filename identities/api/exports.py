"""Exports of an account over the API, and the activations that open private ones."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from pydantic import Field

from identities.api import editing, finding
from identities.api.accounts import ONE as ACCOUNT
from identities.api.claims import ExportPatch, over
from identities.api.operations import Answer, operation
from identities.api.schemas import AccountKey, Given, HandleParameter, Line, OperatorKey, plain
from identities.claims import sharing
from identities.claims.account import AccountBody
from identities.claims.exports import Export
from identities.models import Account
from identities.policy.actions import Action
from identities.services import exports
from identities.services import sharing as entries

TAG = "Exports and imports"
PATH = ACCOUNT + "/exports"
ONE = PATH + "/{handle:export_handle}"


class ExportOut(Given):
    """One export; `export` is null for an entry that holds nothing."""

    handle: str
    export: dict[str, Any] | None


class Exports(Given):
    """All exports of an account."""

    items: list[ExportOut]


class ExportIn(ExportPatch):
    """A new export."""

    subject: Line = Field(min_length=1)


@operation("list-exports", "GET", PATH, Exports, tag=TAG)
def listed(request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey) -> Answer:
    """List an account's exports"""
    _, account = finding.account(request, operator_key, account_key)
    held = _held(account)
    items = [_shown(*pair) for pair in zip(sharing.export_handles(held), held, strict=True)]
    return Answer(body=Exports(items=items), version=account.version)


@operation("add-export", "POST", PATH, ExportOut, tag=TAG, status=201, versioned=True)
def add(request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, sent: ExportIn) -> Answer:
    """Offer a stream or service to other accounts"""
    principal, account = finding.account(request, operator_key, account_key, Action.EXPORT_EDIT)
    export = over(Export(type="stream"), sent)
    return editing.part(
        request,
        account,
        plan=lambda: exports.plan_add(account, export),
        save=lambda version: exports.add(
            principal=principal, account=account, export=export, version=version
        ),
        answer=lambda row: _saved(row, export, request.path, 201),
    )


@operation("get-export", "GET", ONE, ExportOut, tag=TAG)
def get(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, export_handle: HandleParameter
) -> Answer:
    """Read an export"""
    _, account = finding.account(request, operator_key, account_key)
    _, export = entries.export_at(account, export_handle)
    return Answer(body=_shown(export_handle, export), version=account.version)


@operation("edit-export", "PATCH", ONE, ExportOut, tag=TAG, versioned=True)
def edit(
    request: HttpRequest,
    operator_key: OperatorKey,
    account_key: AccountKey,
    export_handle: HandleParameter,
    sent: ExportPatch,
) -> Answer:
    """Edit an export

    Another subject or type gives it another handle: `Location` says which.
    """
    principal, account = finding.account(request, operator_key, account_key, Action.EXPORT_EDIT)
    _, before = entries.export_of(account, export_handle)
    export = over(before, sent)
    return editing.part(
        request,
        account,
        plan=lambda: exports.plan_edit(principal, account, export_handle, export),
        save=lambda version: exports.edit(
            principal=principal, account=account, handle=export_handle, export=export, version=version
        ),
        answer=lambda row: _saved(row, export, request.path.rpartition("/")[0]),
    )


@operation("delete-export", "DELETE", ONE, None, tag=TAG, versioned=True)
def delete(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, export_handle: HandleParameter
) -> Answer:
    """Take an export back"""
    principal, account = finding.account(request, operator_key, account_key, Action.EXPORT_EDIT)
    entries.export_at(account, export_handle)
    return editing.part(
        request,
        account,
        plan=lambda: exports.plan_delete(principal, account, export_handle),
        save=lambda version: exports.delete(
            principal=principal, account=account, handle=export_handle, version=version
        ),
        answer=lambda row: Answer(version=row.version),
    )


def _held(account: Account) -> tuple[Export | None, ...]:
    body: AccountBody = account.document().nats
    return body.exports


def _saved(account: Account, export: Export, path: str, status: int | None = None) -> Answer:
    """The export as it stands now; the last of those with its type and subject, should there be several."""
    held = _held(account)
    found = [
        (handle, one)
        for handle, one in zip(sharing.export_handles(held), held, strict=True)
        if one is not None and (one.type, one.subject) == (export.type, export.subject)
    ]
    handle, one = found[-1]
    return Answer(
        body=_shown(handle, one), version=account.version, status=status, location=f"{path}/{handle}"
    )


def _shown(handle: str, export: Export | None) -> ExportOut:
    return ExportOut(handle=handle, export=None if export is None else plain(export))
