"""The history of an operator, an account or a user: every JWT signed for it, what changed, and who did what."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from identities.claims import codec, diff
from identities.errors import IdentityError
from identities.models import AuditTarget, IssuedToken, Key, Operator
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.views import guards, paging, shown

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
    operator: Operator,
    key: str,
    current: int | None,
    scope: Scope,
    keys: QuerySet[Key, Any],
) -> dict[str, Any]:
    """What `identities/shared/history.html` shows of the object with public key `key`; `current` is its token's id.
    `keys` are those that it has or had: a reissue does not end its history.

    Six queries or fewer. Scope decides whether the reader may see audit events.
    """
    rows = IssuedToken.objects.of(keys).filter(operator=operator).select_related("replaces")
    page = paging.page(rows, request.GET, sorts=_SORTS, size=TOKENS)
    names = shown.key_names(operator, {token.issuer for token in page.rows})
    return {
        "page": page,
        "tokens": tuple(_token(token, names, current) for token in page.rows),
        "events": _events(keys) if guards.may(principal, Action.AUDIT_VIEW, scope) else (),
        "subject": shown.chip(key),
    }


def _token(token: IssuedToken, names: dict[str, str], current: int | None) -> TokenShown:
    changes, unread = _changes(token)
    return TokenShown(
        number=token.pk,
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
        current=token.pk == current,
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


def _events(keys: QuerySet[Key, Any]) -> tuple[EventShown, ...]:
    held = AuditTarget.objects.filter(key__in=keys).select_related("event").order_by("-seq")[:EVENTS]
    targets = {target.seq: target for target in held}.values()  # an event may be about several of the keys
    return tuple(
        EventShown(
            seq=str(target.seq),
            at=shown.moment(target.event.at),
            by=target.event.actor_name,
            way=target.event.way,
            action=target.event.action,
            summary=target.event.summary,
        )
        for target in targets
    )
