"""The ledger of hand-overs as strings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from identities.queries.handed_out import State, Wanted
from identities.views import addresses, shown
from identities.views.activity_shown import Choice

_STATES = {
    State.VALID: shown.State(word="Valid", tone="ok", icon="circle-check"),
    State.SUPERSEDED: shown.State(
        word="Superseded",
        tone="warn",
        icon="history",
        title="The user has a newer JWT, and servers accept this one all the same",
    ),
    State.RETIRED: shown.State(
        word="Key removed", tone="muted", icon="circle-dashed", title="Nobody believes what this key signs"
    ),
    State.EXPIRED: shown.State(word="Expired", tone="muted", icon="clock"),
    State.REVOKED: shown.State(word="Revoked", tone="danger", icon="ban"),
    State.GONE: shown.State(word="Account gone", tone="muted", icon="trash-2"),
}
_WAYS = {
    "creds": "creds file",
    "bearer-jwt": "bearer JWT",
    "new-users": "creds of new users",
    "account-creds": "all creds of the account",
    "store": "store with its seeds",
    "seed": "seed of the key",
    "link": "one-time link",
    "short-lived": "short-lived creds",
}
_DOORS = {"page": "", "token": "by API", "command": "by command", "worker": "by the worker"}
_NO_USER = "not a user"


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverRow:
    """One credential that somebody received."""

    at: shown.When
    name: str
    url: str
    note: str
    key: shown.Chip
    account: str
    account_url: str
    role: str
    to: str
    to_url: str
    by: str
    way: str
    until: shown.When
    never: str
    state: shown.State
    seen: shown.When


def rows(found: Iterable[Any], seen: Mapping[str, datetime]) -> tuple[HandoverRow, ...]:
    """Rows of `handed_out.handovers`, with when servers last told of their keys."""
    return tuple(_row(row, seen.get(row.subject)) for row in found)


def filters(wanted: Wanted, recipients: Sequence[tuple[str, str]], *, whom: str) -> dict[str, Any]:
    """The filter as it was sent; `whom` names the recipient asked for, who need not be among `recipients`."""
    known = {key for key, _ in recipients}
    extra = [(wanted.to, whom)] if wanted.to and wanted.to not in known else []
    return {
        "text": wanted.text,
        "account": wanted.account,
        "role": wanted.role,
        "recipients": tuple(
            Choice(value=key, label=name, selected=key == wanted.to) for key, name in [*recipients, *extra]
        ),
        "states": tuple(
            Choice(value=state, label=shape.word, selected=state == wanted.state)
            for state, shape in _STATES.items()
        ),
    }


def _row(row: Any, seen: datetime | None) -> HandoverRow:
    account, user = row.account, row.user
    operator_key = row.operator.public_key
    gone = account is None or account.deleted_at is not None or row.operator.deleted_at is not None
    url = ""
    if user is not None and not gone and user.deleted_at is None:
        url = addresses.user(operator_key, account.public_key, user.public_key)
    is_user = row.kind == "user"
    by = "" if row.by == row.recipient else row.by_name
    return HandoverRow(
        at=shown.moment(row.at),
        name=row.name,
        url=url,
        note="" if is_user else _NO_USER,
        key=shown.chip(row.subject),
        account=account.name if account is not None else row.operator.name,
        account_url="" if gone else addresses.account(operator_key, account.public_key),
        role=row.role if is_user else "",
        to=row.recipient_name,
        to_url=f"{reverse('handed-out')}?{urlencode({'to': row.recipient})}" if row.recipient else "",
        by=f"from {by}" if by else "",
        way=" ".join(part for part in (_WAYS.get(row.way, row.way), _DOORS.get(row.door, "")) if part),
        until=shown.unix(row.exp),
        never="never" if is_user else "while the key is",
        state=_STATES[State(row.state)],
        seen=shown.moment(seen),
    )
