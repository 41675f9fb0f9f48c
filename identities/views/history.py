"""The history of an operator, an account or a user: every JWT signed for it, what changed, and who did what."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from identities import lookup
from identities.claims import codec, diff
from identities.errors import IdentityError
from identities.models import Account, AuditTarget, IssuedToken, Key, Operator
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.queries import reach
from identities.services import rolling_back
from identities.services.rolling_back import Row
from identities.views import guards, paging, shown
from identities.views.activity_shown import words

TOKENS = 20
EVENTS = 50
_SORTS = {"issued": paging.Sort("iat", "number", descending=True)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeShown:
    """One field that changed."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenShown:
    """One JWT of the ledger. `text` is "" for a bearer user's JWT, which alone logs in: `secret` says so."""

    number: int
    version: str
    version_url: str
    text_id: str
    text_label: str
    changes_label: str
    issued: shown.When
    expires: shown.When
    by: str
    reason: str
    signer: shown.Chip
    jti: str
    text: str
    secret: bool
    current: bool
    imported: bool
    first: bool
    changes: tuple[ChangeShown, ...]
    unread: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventShown:
    """One audit event of the object."""

    seq: str
    at: shown.When
    by: str
    way: str
    action: str
    summary: str


def context(
    request: HttpRequest,
    *,
    principal: Principal,
    row: Row,
    scope: Scope,
) -> dict[str, Any]:
    """What `identities/shared/history.html` shows of an operator, account or user, whatever keys it has or had.

    Seven queries or fewer. Scope decides whether the reader may see audit events.
    """
    operator = row if isinstance(row, Operator) else row.operator
    rows = rolling_back.versions(row).select_related("replaces")
    page = paging.page(rows, request.GET, sorts=_SORTS, size=TOKENS)
    names = shown.key_names(principal, operator, {token.issuer for token in page.rows})
    newest = len(page.rows)
    if page.next or page.previous:
        newest = rolling_back.number_of(row, page.rows[0])
    events = (
        _events(principal, lookup.keys_of(row)) if guards.may(principal, Action.AUDIT_VIEW, scope) else ()
    )
    return {
        "page": page,
        "tokens": tuple(_token(token, names, row, newest - behind) for behind, token in enumerate(page.rows)),
        "events": events,
        "subject": shown.chip(row.public_key),
    }


def url(row: Row, name: str = "history", *more: object) -> str:
    """The URL of the history of an operator, account or user, or of a page of one of its versions."""
    if isinstance(row, Operator):
        return reverse(f"operator-{name}", args=[row.public_key, *more])
    if isinstance(row, Account):
        return shown.account_url(f"account-{name}", row, *more)
    account = row.account
    keys = [account.operator.public_key, account.public_key, row.public_key]
    return reverse(f"user-{name}", args=[*keys, *more])


def page_url(row: Row) -> str:
    """The URL of the page of an operator, account or user itself."""
    if isinstance(row, Operator):
        return shown.operator_url("operator", row)
    return shown.account_url("account", row) if isinstance(row, Account) else shown.user_url("user", row)


def _token(token: IssuedToken, names: dict[str, str], row: Row, version: int) -> TokenShown:
    changes, unread = _changes(token)
    return TokenShown(
        number=token.pk,
        version=f"{version:,}",
        version_url="" if token.sealed is not None else url(row, "version", version),
        text_id=f"jwt-{token.pk}",
        text_label=f"JWT {token.jti[:8]}…",
        changes_label=f"Changes in JWT {token.jti[:8]}…",
        issued=shown.unix(token.iat),
        expires=shown.unix(token.exp),
        by=token.by_name,
        reason=token.reason,
        signer=shown.chip(token.issuer, names.get(token.issuer, "")),
        jti=token.jti,
        text=token.text,
        secret=token.sealed is not None,
        current=token.pk == row.token_id,
        imported=token.origin == "imported",
        first=token.replaces is None,
        changes=changes,
        unread=unread,
    )


def _changes(token: IssuedToken) -> tuple[tuple[ChangeShown, ...], str]:
    """The fields that differ from the JWT before; or why they can't be shown."""
    before = token.replaces
    if before is None:
        return (), ""
    if token.sealed is not None or before.sealed is not None:
        return (), "The JWT of a bearer user alone logs in, so neither it nor what changed in it is shown."
    try:
        found = diff.diff(_payload(before.text), _payload(token.text))
    except IdentityError as unreadable:
        return (), unreadable.user_message
    return tuple(ChangeShown(path=one.path, before=one.before, after=one.after) for one in found), ""


def _payload(text: str) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(codec.payload_text(codec.decode(text).claims))
    return payload


def _events(principal: Principal, keys: QuerySet[Key, Any]) -> tuple[EventShown, ...]:
    """What was done to it. Of an event that names something out of sight as well only the kind is told."""
    seen = reach.audit_events(principal).values("pk")
    held = AuditTarget.objects.filter(key__in=keys, event__in=seen).select_related("event")
    targets = {
        target.seq: target for target in held.order_by("-seq")[:EVENTS]
    }.values()  # an event may be about several of the keys
    hidden = reach.partly_hidden(principal, [target.event_id for target in targets])
    return tuple(
        EventShown(
            seq=str(target.seq),
            at=shown.moment(target.event.at),
            by=target.event.actor_name,
            way=target.event.way,
            action=target.event.action,
            summary=words(target.event.action) if target.event_id in hidden else target.event.summary,
        )
        for target in targets
    )
