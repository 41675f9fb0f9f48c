"""Activations over the API: what opens a private export to one account."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Query
from pydantic import Field

from identities.api import editing, finding, paging
from identities.api.accounts import ONE as ACCOUNT
from identities.api.exports import ONE as EXPORT
from identities.api.exports import TAG
from identities.api.operations import Answer, operation
from identities.api.schemas import (
    AccountKey,
    Given,
    HandleParameter,
    Line,
    Number,
    OperatorKey,
    Page,
    Taken,
    Unix,
)
from identities.claims.drafts import ActivationDraft
from identities.models import IssuedToken
from identities.policy.actions import Action
from identities.queries import activations as ledger
from identities.services import activations, exports, sharing

PATH = ACCOUNT + "/activations"
ONE = PATH + "/{int:number}"


class ActivationOut(Given):
    """One activation. Its JWT opens nothing to any other account than `target`."""

    number: int
    target: str
    subject: str
    issuer: str
    issued: int
    expires: int
    by: str
    jwt: str


class ActivationIn(Taken):
    """For which account (name or public key), and on which subject, which may be narrower than the export's."""

    target: Annotated[Line, Field(min_length=1)]
    subject: Line = ""
    expires: Unix = 0
    not_before: Unix = 0


@operation("list-activations", "GET", PATH, Page[ActivationOut], tag=TAG)
def listed(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, wanted: Query[paging.Paging]
) -> Answer:
    """List the activations that an account has issued, the newest first"""
    _, account = finding.account(request, operator_key, account_key)
    return Answer(body=paging.page(ledger.issued_by(account), wanted, _shown, by="pk", descending=True))


@operation("issue-activation", "POST", EXPORT + "/activations", ActivationOut, tag=TAG, status=201)
def issue(
    request: HttpRequest,
    operator_key: OperatorKey,
    account_key: AccountKey,
    export_handle: HandleParameter,
    sent: ActivationIn,
) -> Answer:
    """Open a private export to one account"""
    principal, account = finding.account(request, operator_key, account_key, Action.ACTIVATION_ISSUE)
    _, export = sharing.export_of(account, export_handle)
    draft = ActivationDraft(
        target=sharing.account_named(principal, account.operator, sent.target, field="target"),
        subject=sent.subject or export.subject,
        expires=sent.expires,
        not_before=sent.not_before,
    )

    def make() -> IssuedToken:
        return activations.issue(principal=principal, account=account, handle=export_handle, draft=draft)

    return editing.tried(
        request,
        lambda: Answer(body=_shown(make()), status=201),
        [f"An activation of {draft.subject} is issued to {draft.target}."],
    )


@operation("get-activation", "GET", ONE, ActivationOut, tag=TAG)
def get(request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, number: Number) -> Answer:
    """Read an activation"""
    _, account = finding.account(request, operator_key, account_key, Action.JWT_DOWNLOAD)
    return Answer(body=_shown(activations.issued(account, number)))


@operation("revoke-activation", "DELETE", ONE, None, tag=TAG, versioned=True)
def revoke(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, number: Number
) -> Answer:
    """Revoke an activation: all of its account that were issued until now"""
    principal, account = finding.account(request, operator_key, account_key, Action.ACTIVATION_REVOKE)
    handle, target, at = activations.revocation_of(account, activations.issued(account, number))
    return editing.part(
        request,
        account,
        plan=lambda: exports.plan_revoke(principal, account, handle, target, at),
        save=lambda version: exports.revoke(
            principal=principal, account=account, handle=handle, target=target, at=at, version=version
        ),
        answer=lambda row: Answer(version=row.version),
    )


def _shown(token: IssuedToken) -> ActivationOut:
    return ActivationOut(
        number=token.pk,
        target=token.subject,
        subject=token.name,
        issuer=token.issuer,
        issued=token.iat,
        expires=token.exp,
        by=token.by_name,
        jwt=token.text,
    )
