"""Subject mappings of an account over the API."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from pydantic import Field

from identities import lookup
from identities.api import editing, finding
from identities.api.accounts import ONE as ACCOUNT
from identities.api.claims import TargetIn, over
from identities.api.operations import Answer, operation
from identities.api.schemas import AccountKey, Given, HandleParameter, Line, OperatorKey, Taken, plain
from identities.claims.account import AccountBody
from identities.claims.handles import handle
from identities.claims.mappings import WeightedMapping
from identities.models import Account
from identities.policy.actions import Action
from identities.services import mappings

TAG = "Mappings"
PATH = ACCOUNT + "/mappings"
ONE = PATH + "/{handle:mapping}"


class MappingOut(Given):
    """One mapping."""

    handle: str
    source: str
    targets: list[dict[str, Any]]


class Mappings(Given):
    """All mappings of an account."""

    items: list[MappingOut]


class MappingIn(Taken):
    """A mapping, all of it."""

    source: Annotated[Line, Field(min_length=1)]
    targets: Annotated[list[TargetIn], Field(max_length=1000)]


@operation("list-mappings", "GET", PATH, Mappings, tag=TAG)
def listed(request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey) -> Answer:
    """List an account's subject mappings"""
    _, account = finding.account(request, operator_key, account_key)
    items = [_shown(source, account) for source in sorted(_held(account))]
    return Answer(body=Mappings(items=items), version=account.version)


@operation("add-mapping", "POST", PATH, MappingOut, tag=TAG, status=201, versioned=True)
def add(request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, sent: MappingIn) -> Answer:
    """Map a subject"""
    principal, account = finding.account(request, operator_key, account_key, Action.MAPPING_EDIT)
    targets = _targets(sent)
    return editing.part(
        request,
        account,
        plan=lambda: mappings.plan_put(account, sent.source, targets),
        save=lambda version: mappings.put(
            principal=principal, account=account, source=sent.source, targets=targets, version=version
        ),
        answer=lambda row: _saved(row, sent.source, request.path, 201),
    )


@operation("get-mapping", "GET", ONE, MappingOut, tag=TAG)
def get(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, mapping: HandleParameter
) -> Answer:
    """Read a mapping"""
    _, account = finding.account(request, operator_key, account_key)
    return Answer(body=_shown(_source(account, mapping), account), version=account.version)


@operation("replace-mapping", "PUT", ONE, MappingOut, tag=TAG, versioned=True)
def replace(
    request: HttpRequest,
    operator_key: OperatorKey,
    account_key: AccountKey,
    mapping: HandleParameter,
    sent: MappingIn,
) -> Answer:
    """Replace a mapping

    Another source gives it another handle: `Location` says which.
    """
    principal, account = finding.account(request, operator_key, account_key, Action.MAPPING_EDIT)
    before, targets = _source(account, mapping), _targets(sent)
    return editing.part(
        request,
        account,
        plan=lambda: mappings.plan_put(account, sent.source, targets, replaces=before),
        save=lambda version: mappings.put(
            principal=principal,
            account=account,
            source=sent.source,
            targets=targets,
            version=version,
            replaces=before,
        ),
        answer=lambda row: _saved(row, sent.source, request.path.rpartition("/")[0]),
    )


@operation("delete-mapping", "DELETE", ONE, None, tag=TAG, versioned=True)
def delete(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, mapping: HandleParameter
) -> Answer:
    """Delete a mapping"""
    principal, account = finding.account(request, operator_key, account_key, Action.MAPPING_EDIT)
    source = _source(account, mapping)
    return editing.part(
        request,
        account,
        plan=lambda: mappings.plan_remove(account, source),
        save=lambda version: mappings.remove(
            principal=principal, account=account, source=source, version=version
        ),
        answer=lambda row: Answer(version=row.version),
    )


def _held(account: Account) -> dict[str, tuple[WeightedMapping, ...]]:
    body: AccountBody = account.document().nats
    return dict(body.mappings)


def _source(account: Account, wanted: str) -> str:
    found = next((source for source in _held(account) if handle(source) == wanted), None)
    if found is None:
        raise lookup.NotFound(f"“{account.name}” has no mapping {wanted}.")
    return found


def _targets(sent: MappingIn) -> list[WeightedMapping]:
    return [over(WeightedMapping(), one) for one in sent.targets]


def _saved(account: Account, source: str, path: str, status: int | None = None) -> Answer:
    return Answer(
        body=_shown(source, account),
        version=account.version,
        status=status,
        location=f"{path}/{handle(source)}",
    )


def _shown(source: str, account: Account) -> MappingOut:
    targets = [plain(one) for one in _held(account)[source]]
    return MappingOut(handle=handle(source), source=source, targets=targets)
