"""What stands where: deliveries, the ledger of signed JWTs, search, and who is asking."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Query
from pydantic import BaseModel, Field

from identities.api import editing, finding, paging
from identities.api.accounts import ONE as ACCOUNT
from identities.api.operations import Answer, operation
from identities.api.operators import ONE as OPERATOR
from identities.api.schemas import AccountKey, Given, Line, OperatorKey, Page, PublicKey
from identities.lookup import principal_for
from identities.models import IssuedToken, Key, Operator
from identities.policy.actions import Action
from identities.queries import deliveries, search
from identities.queries.deliveries import Line as ServerLine
from identities.queries.deliveries import Stand
from identities.services import choosing

TAG = "What stands where"
FEW = 50


class HoldingOut(Given):
    """What one server was last seen to hold of the account; `said` is its own words."""

    server: str
    state: str = Field(
        description="same, waiting, missing, older, newer, different, …; unknown: never asked."
    )
    issued: int
    jti: str
    said: str
    at: datetime | None


class DeliveryOut(Given):
    """Where the delivery to one cluster stands."""

    cluster: int
    cluster_name: str
    cluster_state: str
    state: str = Field(
        description="waiting, done, refused, held (newer there); empty: nothing was to deliver."
    )
    attempts: int
    problem: str
    servers: list[HoldingOut]


class Deliveries(Given):
    """Where the delivery of an account stands, by cluster."""

    items: list[DeliveryOut]


class LedgerEntry(Given):
    """One JWT of the ledger, without its text."""

    number: int
    kind: str
    subject: str
    name: str
    issuer: str
    jti: str
    issued: int
    expires: int
    origin: str = Field(description="signed here, or imported.")
    is_secret: bool = Field(description="Whether the JWT alone logs in.")
    by: str
    reason: str
    at: datetime


class LedgerWanted(paging.Paging):
    """Which JWTs, and which page of them."""

    kind: Literal["", "operator", "account", "user", "activation"] = ""
    subject: Annotated[PublicKey, Field(description="Only those for this key.")] = ""


class FoundOut(Given):
    """One thing that fits: keys from the operator down to it, empty below it."""

    kind: str
    name: str
    key: str
    operator: str
    account: str
    user: str


class Results(Given):
    """What fits, the best first."""

    items: list[FoundOut]


class SearchWanted(BaseModel):
    """What to look for."""

    q: Annotated[
        Line, Field(min_length=1, description="A part of a name, or of a public key from its beginning.")
    ]


class RoleHeld(Given):
    """One role and its scope, in numbers of this installation."""

    role: str
    scope: str
    operator: int | None
    account: int | None
    signing_key: int | None
    team: str


class Me(Given):
    """Who the token belongs to, and what is left of its holder's roles by the token's own bounds."""

    key: str
    name: str
    is_service_account: bool
    roles: list[RoleHeld]


@operation("get-delivery", "GET", ACCOUNT + "/delivery", Deliveries, tag=TAG)
def delivery(request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey) -> Answer:
    """Read which servers hold which JWT of an account"""
    _, account = finding.account(request, operator_key, account_key)
    stands = deliveries.of_account(account.operator_id, account.public_key)
    return Answer(body=Deliveries(items=[_delivery(stand) for stand in stands]))


@operation("deliver-account", "POST", ACCOUNT + "/delivery", None, tag=TAG)
def deliver(request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey) -> Answer:
    """Deliver an account again to every cluster at once"""
    principal, account = finding.account(request, operator_key, account_key, Action.ACCOUNT_DELIVER)
    return editing.gone(request, lambda: choosing.deliver_now(principal=principal, account=account), [])


@operation("list-ledger", "GET", OPERATOR + "/ledger", Page[LedgerEntry], tag=TAG)
def ledger(request: HttpRequest, operator_key: OperatorKey, wanted: Query[LedgerWanted]) -> Answer:
    """List every JWT that was signed or imported under an operator, the newest first"""
    _, operator = finding.operator(request, operator_key, Action.LEDGER_VIEW)
    return _ledger(IssuedToken.objects.filter(operator=operator), wanted)


@operation("list-account-ledger", "GET", ACCOUNT + "/ledger", Page[LedgerEntry], tag=TAG)
def account_ledger(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, wanted: Query[LedgerWanted]
) -> Answer:
    """List every JWT of an account and its users, the newest first"""
    _, account = finding.account(request, operator_key, account_key, Action.LEDGER_VIEW)
    keys = Key.objects.filter(account=account).values("public_key")
    rows = IssuedToken.objects.filter(operator=account.operator_id, subject__in=keys)
    return _ledger(rows, wanted)


@operation("search", "GET", "search", Results, tag=TAG)
def found(request: HttpRequest, wanted: Query[SearchWanted]) -> Answer:
    """Find operators, accounts and users by name, and whose a key is"""
    principal, text = principal_for(request), wanted.q.strip()
    part = search.key_part(text)
    rows = tuple(Operator.objects.visible_to(principal).live().order_by("name", "pk")[:500])
    items = [
        FoundOut(
            kind=one.kind,
            name=one.role or one.user or one.account or one.operator,
            key=one.key,
            operator=one.operator_key,
            account=one.account_key,
            user=one.user_key,
        )
        for one in (search.keys(principal, part, size=FEW) if part else ())
    ]
    items += [
        FoundOut(
            kind="operator",
            name=row.name,
            key=row.public_key,
            operator=row.public_key,
            account="",
            user="",
        )
        for row in search.operators(rows, text)[:FEW]
    ]
    for kind, named in (
        ("account", search.accounts(principal, text, None, size=FEW)),
        ("user", search.users(principal, text, rows, size=FEW) if rows else ()),
    ):
        items += [
            FoundOut(
                kind=kind,
                name=one.name,
                key=one.key,
                operator=one.operator_key,
                account=one.account_key,
                user=one.key if kind == "user" else "",
            )
            for one in named
        ]
    return Answer(body=Results(items=items))


@operation("get-me", "GET", "me", Me, tag=TAG)
def me(request: HttpRequest) -> Answer:
    """Read who the token belongs to, and what it may do"""
    principal = principal_for(request)
    roles = [
        RoleHeld(
            role=held.role,
            scope=held.kind,
            operator=held.operator,
            account=held.account,
            signing_key=held.signing_key,
            team=held.team,
        )
        for held in principal.roles
    ]
    machine = principal.service_account_id is not None
    return Answer(body=Me(key=principal.key, name=principal.name, is_service_account=machine, roles=roles))


def _ledger(rows: QuerySet[IssuedToken], wanted: LedgerWanted) -> Answer:
    if wanted.kind:
        rows = rows.filter(kind=wanted.kind)
    if wanted.subject:
        rows = rows.filter(subject=wanted.subject)
    rows = rows.defer("text")
    return Answer(body=paging.page(rows, wanted, _issued, by="pk", descending=True))


def _issued(row: IssuedToken) -> LedgerEntry:
    return LedgerEntry(
        number=row.pk,
        kind=row.kind,
        subject=row.subject,
        name=row.name,
        issuer=row.issuer,
        jti=row.jti,
        issued=row.iat,
        expires=row.exp,
        origin=row.origin,
        is_secret=row.sealed is not None,
        by=row.by_name,
        reason=row.reason,
        at=row.created_at,
    )


def _delivery(stand: Stand) -> DeliveryOut:
    row = stand.row
    return DeliveryOut(
        cluster=stand.cluster.pk,
        cluster_name=stand.cluster.name,
        cluster_state=stand.cluster.state,
        state=row.state if row is not None else "",
        attempts=row.attempts if row is not None else 0,
        problem=row.problem if row is not None else "",
        servers=[_holding(line) for line in stand.lines],
    )


def _holding(line: ServerLine) -> HoldingOut:
    held = line.holding
    return HoldingOut(
        server=line.server.name,
        state=held.state if held is not None else "unknown",
        issued=held.iat if held is not None else 0,
        jti=held.jti if held is not None else "",
        said=held.said if held is not None else "",
        at=held.at if held is not None else None,
    )
