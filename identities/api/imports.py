"""Imports of an account over the API; a token that one needs is issued along where that may be done."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from pydantic import Field

from identities.api import editing, finding
from identities.api.accounts import ONE as ACCOUNT
from identities.api.claims import ImportPatch, over
from identities.api.exports import TAG
from identities.api.operations import Answer, operation
from identities.api.schemas import AccountKey, Given, HandleParameter, Line, OperatorKey, Unix, plain
from identities.claims import sharing
from identities.claims.account import AccountBody
from identities.claims.drafts import ImportDraft, Minting
from identities.claims.imports import Import
from identities.models import Account
from identities.policy.actions import Action
from identities.services import imports
from identities.services import sharing as entries

PATH = ACCOUNT + "/imports"
ONE = PATH + "/{handle:import_handle}"

Wish = Annotated[
    Literal["no", "if-asked", "yes"],
    Field(description="Whether an activation token is issued: no, if the export asks for one, or anew."),
]


class ImportOut(Given):
    """One import; `imported` is null for an entry that holds nothing."""

    handle: str
    imported: dict[str, Any] | None


class Imports(Given):
    """All imports of an account."""

    items: list[ImportOut]


class ImportEdit(ImportPatch):
    """An import, and whether a token is issued for it; only what is sent is changed."""

    minting: Wish = "no"
    token_expires: Unix = 0


class ImportIn(ImportEdit):
    """A new import."""

    subject: Line = Field(min_length=1)
    account: Line = Field(min_length=1)
    minting: Wish = "if-asked"


@operation("list-imports", "GET", PATH, Imports, tag=TAG)
def listed(request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey) -> Answer:
    """List an account's imports"""
    _, account = finding.account(request, operator_key, account_key)
    held = _held(account)
    items = [_shown(*pair) for pair in zip(sharing.import_handles(held), held, strict=True)]
    return Answer(body=Imports(items=items), version=account.version)


@operation("add-import", "POST", PATH, ImportOut, tag=TAG, status=201, versioned=True)
def add(request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, sent: ImportIn) -> Answer:
    """Import a stream or service of another account"""
    principal, account = finding.account(request, operator_key, account_key, Action.IMPORT_EDIT)
    draft = _draft(Import(type="stream"), sent)
    return editing.part(
        request,
        account,
        plan=lambda: imports.plan_add(principal, account, draft),
        save=lambda version: imports.add(principal=principal, account=account, draft=draft, version=version),
        answer=lambda row: _saved(row, draft.imported, request.path, 201),
    )


@operation("get-import", "GET", ONE, ImportOut, tag=TAG)
def get(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, import_handle: HandleParameter
) -> Answer:
    """Read an import"""
    _, account = finding.account(request, operator_key, account_key)
    _, imported = entries.import_at(account, import_handle)
    return Answer(body=_shown(import_handle, imported), version=account.version)


@operation("edit-import", "PATCH", ONE, ImportOut, tag=TAG, versioned=True)
def edit(
    request: HttpRequest,
    operator_key: OperatorKey,
    account_key: AccountKey,
    import_handle: HandleParameter,
    sent: ImportEdit,
) -> Answer:
    """Edit an import

    Another type, account, subject or local subject gives it another handle: `Location` says which.
    """
    principal, account = finding.account(request, operator_key, account_key, Action.IMPORT_EDIT)
    _, before = entries.import_of(account, import_handle)
    draft = _draft(before, sent)
    return editing.part(
        request,
        account,
        plan=lambda: imports.plan_edit(principal, account, import_handle, draft),
        save=lambda version: imports.edit(
            principal=principal, account=account, handle=import_handle, draft=draft, version=version
        ),
        answer=lambda row: _saved(row, draft.imported, request.path.rpartition("/")[0]),
    )


@operation("delete-import", "DELETE", ONE, None, tag=TAG, versioned=True)
def delete(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, import_handle: HandleParameter
) -> Answer:
    """Take an import out"""
    principal, account = finding.account(request, operator_key, account_key, Action.IMPORT_EDIT)
    entries.import_at(account, import_handle)
    return editing.part(
        request,
        account,
        plan=lambda: imports.plan_delete(account, import_handle),
        save=lambda version: imports.delete(
            principal=principal, account=account, handle=import_handle, version=version
        ),
        answer=lambda row: Answer(version=row.version),
    )


def _draft(before: Import, sent: ImportEdit) -> ImportDraft:
    return ImportDraft(imported=over(before, sent), minting=Minting(sent.minting), expires=sent.token_expires)


def _held(account: Account) -> tuple[Import | None, ...]:
    body: AccountBody = account.document().nats
    return body.imports


def _saved(account: Account, imported: Import, path: str, status: int | None = None) -> Answer:
    held = _held(account)
    wanted = _identity(imported)
    found = [
        (handle, one)
        for handle, one in zip(sharing.import_handles(held), held, strict=True)
        if one is not None and _identity(one) == wanted
    ]
    handle, one = found[-1]
    return Answer(
        body=_shown(handle, one), version=account.version, status=status, location=f"{path}/{handle}"
    )


def _identity(one: Import) -> tuple[str, ...]:
    return one.type, one.account, one.subject, one.local_subject or one.to


def _shown(handle: str, imported: Import | None) -> ImportOut:
    return ImportOut(handle=handle, imported=None if imported is None else plain(imported))
