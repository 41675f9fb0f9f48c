"""Requests for activations over the API: what an account asked others for, and what others asked of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Query
from pydantic import Field

from identities.api import editing, finding, paging
from identities.api.accounts import ONE as ACCOUNT
from identities.api.exports import TAG
from identities.api.operations import Answer, operation
from identities.api.schemas import AccountKey, Given, Line, Number, OperatorKey, Page, Taken, Text, Unix
from identities.claims.imports import Import
from identities.models import ActivationRequest
from identities.policy.actions import Action
from identities.services import activation_requests, sharing

PATH = ACCOUNT + "/activation-requests"
ONE = PATH + "/{int:number}"
OF_US = ACCOUNT + "/requested-activations"
ONE_OF_US = OF_US + "/{int:number}"
Words = Annotated[Text, Field(max_length=activation_requests.LONGEST)]


class RequestGiven(Given):
    """What both sides see of one request."""

    number: int
    state: Literal["open", "granted", "declined", "withdrawn"]
    type: str
    subject: str
    reason: str
    by: str
    created_at: datetime
    answered_by: str
    answered_at: datetime | None
    answer: str = Field(description="Words along with the answer.")
    placed: bool = Field(description="Whether the token was put into the import.")


class RequestOut(RequestGiven):
    """One request of the account. Once granted, `jwt` is the token, which opens nothing to any other account."""

    account: str = Field(description="The key that was asked, whether or not an account with it stands here.")
    local_subject: str
    name: str
    obstacle: str = Field(description="Why the import could not be put here with its token.")
    jwt: str


class RequestedOut(RequestGiven):
    """One request that was made of the account."""

    importer: str = Field(description="Public key of the account that asks.")
    importer_name: str = Field(description="What it was called when it asked.")


class RequestIn(Taken):
    """For which import a token is asked for: of `account` (a name that is visible, or any public key)."""

    account: Annotated[Line, Field(min_length=1)]
    type: Literal["stream", "service"] = "stream"
    subject: Annotated[Line, Field(min_length=1)]
    local_subject: Line = ""
    name: Line = ""
    share: bool = False
    allow_trace: bool = False
    reason: Words = ""


class GrantIn(Taken):
    """Until when the token is valid, and words along with it."""

    expires: Unix = 0
    answer: Words = ""


class DeclineIn(Taken):
    """Why not."""

    answer: Words = ""


@operation("list-activation-requests", "GET", PATH, Page[RequestOut], tag=TAG)
def listed(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, wanted: Query[paging.Paging]
) -> Answer:
    """List what an account asked others for, the newest first"""
    _, account = finding.account(request, operator_key, account_key)
    rows = ActivationRequest.objects.asked_by(account).select_related("token")
    return Answer(body=paging.page(rows, wanted, _asked, by="pk", descending=True))


@operation("ask-activation", "POST", PATH, RequestOut, tag=TAG, status=201)
def ask(request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, sent: RequestIn) -> Answer:
    """Ask another account for an activation

    The answer is the same whether or not there is such an account, such an export, or anybody who may grant it.
    """
    principal, account = finding.account(request, operator_key, account_key, Action.ACTIVATION_ASK)
    values = sent.model_dump(exclude={"account", "reason"})
    wanted = Import(
        account=sharing.account_named(principal, account.operator, sent.account, field="account"), **values
    )

    def make() -> Answer:
        made = activation_requests.ask(
            principal=principal, account=account, imported=wanted, reason=sent.reason
        )
        return Answer(body=_asked(made), status=201, location=f"{request.path}/{made.pk}")

    return editing.tried(request, make, [f"{wanted.account} is asked for an activation of {wanted.subject}."])


@operation("get-activation-request", "GET", ONE, RequestOut, tag=TAG)
def get(request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, number: Number) -> Answer:
    """Read what an account asked for"""
    _, account = finding.account(request, operator_key, account_key)
    return Answer(body=_asked(activation_requests.find(account, number, of_us=False)))


@operation("withdraw-activation-request", "DELETE", ONE, None, tag=TAG)
def withdraw(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, number: Number
) -> Answer:
    """Withdraw a request"""
    principal, account = finding.account(request, operator_key, account_key, Action.ACTIVATION_ASK)
    found = activation_requests.find(account, number, of_us=False)

    def act() -> None:
        activation_requests.withdraw(principal=principal, request=found)

    return editing.gone(request, act, [f"Request {number} is withdrawn."])


@operation("list-requested-activations", "GET", OF_US, Page[RequestedOut], tag=TAG)
def requested(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, wanted: Query[paging.Paging]
) -> Answer:
    """List what others asked an account for, the newest first"""
    _, account = finding.account(request, operator_key, account_key, Action.ACTIVATION_ANSWER)
    rows = ActivationRequest.objects.asked_of(account).select_related("importer")
    return Answer(body=paging.page(rows, wanted, _requested, by="pk", descending=True))


@operation("get-requested-activation", "GET", ONE_OF_US, RequestedOut, tag=TAG)
def get_requested(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, number: Number
) -> Answer:
    """Read what was asked of an account"""
    _, account = finding.account(request, operator_key, account_key, Action.ACTIVATION_ANSWER)
    return Answer(body=_requested(activation_requests.find(account, number, of_us=True)))


@operation("grant-activation", "POST", ONE_OF_US + "/grant", RequestedOut, tag=TAG)
def grant(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, number: Number, sent: GrantIn
) -> Answer:
    """Grant what was asked

    The token is issued and put with its import into the account that asked, as the asker's edit; `placed` is false
    where that could not be done, and the token alone is handed over.
    """
    principal, account = finding.account(request, operator_key, account_key, Action.ACTIVATION_ISSUE)
    found = activation_requests.find(account, number, of_us=True)

    def act() -> Answer:
        row = activation_requests.grant(
            principal=principal, account=account, request=found, expires=sent.expires, note=sent.answer
        )
        return Answer(body=_requested(row))

    consequences = [f"An activation of {found.subject} is issued to {found.importer.public_key}."]
    return editing.tried(request, act, consequences)


@operation("decline-activation", "POST", ONE_OF_US + "/decline", RequestedOut, tag=TAG)
def decline(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, number: Number, sent: DeclineIn
) -> Answer:
    """Decline what was asked"""
    principal, account = finding.account(request, operator_key, account_key, Action.ACTIVATION_ANSWER)
    found = activation_requests.find(account, number, of_us=True)

    def act() -> Answer:
        row = activation_requests.decline(
            principal=principal, account=account, request=found, note=sent.answer
        )
        return Answer(body=_requested(row))

    return editing.tried(request, act, [f"Request {number} is declined."])


def _both(row: ActivationRequest) -> dict[str, Any]:
    """What `RequestGiven` holds."""
    return {
        "number": row.pk,
        "state": row.state,
        "type": row.kind,
        "subject": row.subject,
        "reason": row.reason,
        "by": row.by_name,
        "created_at": row.created_at,
        "answered_by": row.decided_by,
        "answered_at": row.decided_at,
        "answer": row.note,
        "placed": row.placed,
    }


def _asked(row: ActivationRequest) -> RequestOut:
    return RequestOut(
        **_both(row),
        account=row.exporter_key,
        local_subject=row.local_subject,
        name=row.name,
        obstacle=row.obstacle,
        jwt=row.token.text if row.token is not None else "",
    )


def _requested(row: ActivationRequest) -> RequestedOut:
    return RequestedOut(**_both(row), importer=row.importer.public_key, importer_name=row.importer_name)
