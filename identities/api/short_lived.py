"""Short-lived creds of roles over the API, and the list of all that was handed out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query
from pydantic import Field

from identities import lookup
from identities.api import paging
from identities.api.accounts import ONE as ACCOUNT
from identities.api.operations import Answer, operation
from identities.api.schemas import KEY, AccountKey, Given, Line, Name, OperatorKey, Page, Taken
from identities.claims.drafts import ShortLivedDraft
from identities.lookup import principal_for
from identities.queries import handed_out
from identities.services import clock, short_lived

TAG = "Short-lived creds"
ROLE = ACCOUNT + "/signing-keys/{key:signing_key}"
RoleKey = Annotated[str, Field(pattern=KEY, description="Public key of the role, A….")]
YEAR = 366 * 86_400


class ShortLivedIn(Taken):
    """For whom creds are issued."""

    name: Annotated[Name, Field(description="Whoever it is for; it stands in the JWT and in the ledger.")]
    tags: Annotated[list[Line], Field(max_length=100, description="Such as `team:blue`.")] = []
    lifetime: Annotated[
        int | None,
        Field(ge=1, le=YEAR, description="Seconds, kept within the role's terms; left out: its usual."),
    ] = None
    public_key: Annotated[
        str,
        Field(
            max_length=56,
            pattern=r"^(U[A-Z2-7]{55})?$",
            description="Your own user key, whose seed stays with you; left out: a key is made, and not kept here.",
        ),
    ] = ""


class ShortLivedOut(Given):
    """What was issued: keep it, as nobody can ask for it again."""

    name: str
    public_key: str
    jwt: str
    creds: str = Field(description="A creds file; empty where the key is your own.")
    expires: int = Field(description="Unix seconds.")
    lifetime: int = Field(description="Seconds, as the role's terms left them.")


class IssuedOut(Given):
    """One credential that was handed out."""

    at: datetime
    kind: str = Field(description="`user` logs in; account, operator and curve are seeds of keys.")
    subject: str = Field(description="The public key that logs in or signs.")
    name: str
    operator: str
    account: str = Field(description="Public key; empty for an operator's own.")
    role: str
    issued: int
    expires: int = Field(description="Unix seconds; 0 is never.")
    way: str
    recipient: str = Field(description="As the audit names them; empty: nobody signed in.")
    recipient_name: str
    by_name: str
    state: str = Field(description="valid, superseded, expired, revoked, key-removed or account-gone.")


class IssuedWanted(paging.Paging):
    """Which credentials, and which page of them."""

    to: Annotated[Line, Field(description="`recipient` of what somebody received.")] = ""
    state: Annotated[Line, Field(description="One of the states; others ask for all.")] = ""
    account: Annotated[Line, Field(description="Public key, or a part of the name.")] = ""
    role: Annotated[Line, Field(description="Public key, or a part of the name.")] = ""
    text: Annotated[Line, Field(description="Public key, or a part of a name.")] = ""


@operation(
    "issue-short-lived-creds",
    "POST",
    ROLE + "/creds",
    ShortLivedOut,
    tag=TAG,
    status=201,
    dry=False,
    secret=True,
)
def issue(
    request: HttpRequest,
    operator_key: OperatorKey,
    account_key: AccountKey,
    signing_key: RoleKey,
    body: ShortLivedIn,
) -> Answer:
    """Issue short-lived creds of a role

    They end by themselves, no user is kept, and they can be revoked by their public key.
    """
    principal = principal_for(request)
    role = lookup.role(principal, operator_key, account_key, signing_key)
    draft = ShortLivedDraft(
        name=body.name, tags=tuple(body.tags), lifetime=body.lifetime, public_key=body.public_key
    )
    made = short_lived.issue(principal=principal, role=role, draft=draft)
    return Answer(
        body=ShortLivedOut(
            name=made.name,
            public_key=made.public_key,
            jwt=made.jwt,
            creds=made.creds,
            expires=made.expires,
            lifetime=made.lifetime,
        )
    )


@operation("list-issued-creds", "GET", "issued-creds", Page[IssuedOut], tag=TAG)
def issued(request: HttpRequest, wanted: Query[IssuedWanted]) -> Answer:
    """List the credentials that were handed out, the latest first"""
    principal = principal_for(request)
    asked = handed_out.Wanted.of(wanted.model_dump())
    rows = handed_out.handovers(principal, asked, now=clock.unix())
    return Answer(body=paging.page(rows, wanted, _issued, by="at", descending=True))


def _issued(row: Any) -> IssuedOut:
    return IssuedOut(
        at=row.at,
        kind=row.kind,
        subject=row.subject,
        name=row.name,
        operator=row.operator.public_key,
        account=row.account.public_key if row.account is not None else "",
        role=row.role,
        issued=row.iat,
        expires=row.exp,
        way=row.way,
        recipient=row.recipient,
        recipient_name=row.recipient_name,
        by_name=row.by_name,
        state=row.state,
    )
