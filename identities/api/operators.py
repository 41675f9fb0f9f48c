"""Operators over the API."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated

from django.http import HttpRequest
from ninja import Query
from pydantic import Field

from identities.api import editing, finding, paging
from identities.api.claims import over
from identities.api.operations import Answer, operation
from identities.api.schemas import (
    Document,
    Line,
    Name,
    OperatorKey,
    Page,
    Stamped,
    Tags,
    Taken,
    Text,
    Unix,
    Urls,
)
from identities.claims.common import Claims
from identities.claims.drafts import OperatorDraft, OperatorEdit
from identities.claims.operator import OperatorBody
from identities.lookup import principal_for
from identities.models import Operator
from identities.policy import decisions
from identities.policy.actions import Action
from identities.services import operators

TAG = "Operators"
PATH = "operators"
ONE = PATH + "/{key:operator_key}"


class OperatorListed(Stamped):
    """An operator in a list."""

    key: str
    name: str
    system_account: str
    require_signing_keys: bool
    expires: int
    not_before: int


class OperatorOut(OperatorListed):
    """An operator with its claims."""

    claims: Document


class OperatorsWanted(paging.Paging):
    """Which operators, and which page of them."""

    q: Annotated[Line, Field(description="A part of the name, ignoring case.")] = ""


class OperatorIn(Taken):
    """A new operator, with the options of `nsc add operator`."""

    name: Name
    generate_signing_key: bool = True
    system_account: bool = True
    require_signing_keys: bool = False
    account_server_url: Text = ""
    service_urls: Urls = []
    tags: Tags = []
    expires: Unix = 0
    not_before: Unix = 0


class OperatorPatch(Taken):
    """An operator's own fields; only what is sent is changed."""

    name: Name = ""
    account_server_url: Text = ""
    service_urls: Urls = []
    require_signing_keys: bool = False
    assert_server_version: Line = ""
    tags: Tags = []
    expires: Unix = 0
    not_before: Unix = 0


@operation("list-operators", "GET", PATH, Page[OperatorListed], tag=TAG)
def listed(request: HttpRequest, wanted: Query[OperatorsWanted]) -> Answer:
    """List the operators by name"""
    rows = Operator.objects.visible_to(principal_for(request)).live()
    if wanted.q.strip():
        rows = rows.filter(name_fold__contains=wanted.q.strip().casefold())
    return Answer(body=paging.page(rows, wanted, _listed))


@operation("create-operator", "POST", PATH, OperatorOut, tag=TAG, status=201)
def create(request: HttpRequest, sent: OperatorIn) -> Answer:
    """Create an operator

    With a signing key and a system account, unless you say otherwise.
    """
    principal = principal_for(request)
    decisions.require(principal, Action.OPERATOR_CREATE)
    draft = over(OperatorDraft(name=sent.name), sent)
    return editing.made(
        request,
        lambda: operators.create(principal=principal, draft=draft),
        lambda row: replace(shown(row, 201), location=f"{request.path}/{row.public_key}"),
    )


@operation("get-operator", "GET", ONE, OperatorOut, tag=TAG)
def get(request: HttpRequest, operator_key: OperatorKey) -> Answer:
    """Read an operator"""
    return shown(finding.operator(request, operator_key)[1])


@operation("edit-operator", "PATCH", ONE, OperatorOut, tag=TAG, versioned=True)
def edit(request: HttpRequest, operator_key: OperatorKey, sent: OperatorPatch) -> Answer:
    """Edit an operator's name, addresses, tags and times"""
    principal, operator = finding.operator(request, operator_key, Action.OPERATOR_EDIT)
    wanted = over(_edit_of(operator), sent)
    return editing.written(
        request,
        operator,
        plan=lambda: operators.plan_edit(operator, wanted),
        save=lambda version: shown(
            operators.update(principal=principal, operator=operator, edit=wanted, version=version)
        ),
    )


@operation("delete-operator", "DELETE", ONE, None, tag=TAG, versioned=True)
def delete(request: HttpRequest, operator_key: OperatorKey) -> Answer:
    """Delete an operator with its accounts, users and clusters"""
    principal, operator = finding.operator(request, operator_key, Action.OPERATOR_DELETE)
    version = editing.version_of(request, operator)
    return editing.gone(
        request,
        lambda: operators.delete(principal=principal, operator=operator, version=version),
        [
            "All its accounts, users and clusters are deleted with it. Servers that trust it go on until they stop."
        ],
    )


def shown(operator: Operator, status: int | None = None) -> Answer:
    """An operator as operations give it."""
    body = OperatorOut(**_listed(operator).model_dump(), claims=json.loads(operator.claims))
    return Answer(body=body, version=operator.version, status=status)


def _edit_of(operator: Operator) -> OperatorEdit:
    claims: Claims[OperatorBody] = operator.document()
    return OperatorEdit(
        name=claims.name,
        account_server_url=claims.nats.account_server_url,
        service_urls=claims.nats.operator_service_urls,
        require_signing_keys=claims.nats.strict_signing_key_usage,
        assert_server_version=claims.nats.assert_server_version,
        tags=claims.nats.tags,
        expires=claims.exp,
        not_before=claims.nbf,
    )


def _listed(operator: Operator) -> OperatorListed:
    return OperatorListed(
        key=operator.public_key,
        name=operator.name,
        system_account=operator.system_account,
        require_signing_keys=operator.strict,
        expires=operator.expires,
        not_before=operator.not_before,
        version=operator.version,
        created_at=operator.created_at,
        updated_at=operator.updated_at,
        updated_by=operator.updated_by,
    )
