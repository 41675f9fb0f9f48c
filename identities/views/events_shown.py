"""Events of clients in plain words: who, what, why, and where that is mended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from identities.formats import denials
from identities.formats.denial_words import MEANINGS
from identities.models import EventKind, Operator, ServerEvent
from identities.queries import server_events
from identities.queries.server_events import Background, Cause, Wanted, Why
from identities.views import live_shown, shown
from identities.views.activity_shown import Choice

KINDS = {
    EventKind.AUTH_FAILED: "logins refused",
    EventKind.CONNECTED: "connected",
    EventKind.DISCONNECTED: "disconnected",
    EventKind.LOST: "events lost",
}
_STATES = {
    EventKind.AUTH_FAILED: shown.State(word="Login refused", tone="danger", icon="circle-x"),
    EventKind.CONNECTED: shown.State(word="Connected", tone="ok", icon="circle-check"),
    EventKind.DISCONNECTED: shown.State(word="Disconnected", tone="muted", icon="circle-dashed"),
    EventKind.LOST: shown.State(word="Not kept", tone="warn", icon="triangle-alert"),
}
_CLOSED = {
    "Client Closed": "The client ended the connection.",
    "Kicked": "It was disconnected by an administrator.",
    "Server Shutdown": "The server was stopped.",
    "Stale Connection": "It did not answer the server's pings.",
    "Authentication Expired": "Its JWT, or the account's, expired.",
    "Authentication Failure": "The account's new JWT shuts it out, or has other rights for it: it has to log in anew.",
    "Credentials Revoked": "It was revoked.",
    "Maximum Account Connections Exceeded": "The account has more connections than its limits allow.",
    "Maximum Connections Exceeded": "The server takes no more connections.",
    "Maximum Subscriptions Exceeded": "It subscribed to more than its limits allow.",
    "Maximum Message Payload Exceeded": "It sent a larger message than its limits allow.",
    "Slow Consumer (Pending Bytes)": "It did not read fast enough: too much waited for it.",
    "Slow Consumer (Write Deadline)": "It did not read fast enough: a write took too long.",
    "Authentication Timeout": "It did not log in in time.",
    "Write Error": "The network failed while the server wrote.",
    "Read Error": "The network failed while the server read.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event. `account_key` is there where nobody here has that key. `remedy` and `remedy_url`: where it is mended,
    "" for nowhere; `server_said` is in its words.
    """

    at: shown.When
    state: shown.State
    name: str
    url: str
    note: str
    key: shown.Chip | None
    account: str
    account_key: shown.Chip | None
    client: str
    server: str
    why: str
    server_said: str
    remedy: str
    remedy_url: str


def rows(operator: Operator, events: Sequence[ServerEvent]) -> tuple[EventRow, ...]:
    """One page of events; three queries."""
    behind = server_events.background(operator, events)
    return tuple(_row(event, behind) for event in events)


def filters(wanted: Wanted) -> dict[str, Any]:
    """The filter as it was sent."""
    return {
        "text": wanted.text,
        "kinds": tuple(
            Choice(value=kind, label=label, selected=kind == wanted.kind) for kind, label in KINDS.items()
        ),
    }


def _row(event: ServerEvent, behind: Background) -> EventRow:
    kind = EventKind(event.kind)
    name, url, note = live_shown.named(event.user_key, behind.known)
    if kind is EventKind.LOST:
        name, note = "", ""
    elif not event.user_key:
        name, note = "somebody", "without a JWT that its issuer signed"
    holder = behind.known.get(event.account_key)
    why, remedy, remedy_url = _why(event, kind, behind)
    client = f"{event.name} ({event.client})" if event.name and event.client else event.name or event.client
    return EventRow(
        at=shown.moment(event.at),
        state=_STATES[kind],
        name=name,
        url=url,
        note=note,
        key=shown.chip(event.user_key) if event.user_key else None,
        account=holder.account if holder is not None else "",
        account_key=shown.chip(event.account_key) if event.account_key and holder is None else None,
        client=" from ".join(text for text in (client, event.address) if text),
        server=event.server or event.cluster.name,
        why=why,
        server_said=event.reason if kind in (EventKind.AUTH_FAILED, EventKind.DISCONNECTED) else "",
        remedy=remedy,
        remedy_url=remedy_url,
    )


def _why(event: ServerEvent, kind: EventKind, behind: Background) -> tuple[str, str, str]:
    if kind is EventKind.LOST:
        return f"{event.reason} events came at once that were too many to be kept.", "", ""
    if kind is EventKind.DISCONNECTED or (
        kind is EventKind.AUTH_FAILED and event.reason in _CLOSED and event.reason not in _OF_THE_JWT
    ):
        route, label = _REMEDIES.get(event.reason, ("", ""))
        url = _url(route, event, behind)
        return _closed(event.reason), label if url else "", url
    if kind is EventKind.CONNECTED:
        return "", "", ""
    cause = server_events.cause(event, behind)
    words, route, label = _WORDS[cause.why]
    if cause.newer:
        words = f"{words} It has had a newer JWT since: its client goes on with the old creds."
        route, label = "user", "Hand out its creds"
    return words.format(when=_when(cause, event)), label, _url(route, event, behind)


def _closed(reason: str) -> str:
    if reason in _CLOSED:
        return _CLOSED[reason]
    found = denials.parse(reason)
    return f"{MEANINGS[found[0].kind].title}." if found else ""


def _when(cause: Cause, event: ServerEvent) -> str:
    if not cause.at:
        return ""
    apart = abs(int(event.at.timestamp()) - cause.at)
    return f"{shown.span(apart)} before" if cause.why in _BEFORE else shown.unix(cause.at).text


def _url(route: str, event: ServerEvent, behind: Background) -> str:
    if not route:
        return ""
    if route == "whose":
        return reverse(route)
    holder = behind.known.get(event.user_key) or behind.known.get(event.account_key)
    if holder is None:
        return ""
    if route in _OF_ACCOUNT:
        return reverse(route, args=[holder.operator_key, holder.account_key])
    return reverse(route, args=[holder.operator_key, holder.account_key, holder.user_key])


_OF_THE_JWT = frozenset({"Authentication Failure", "Authentication Expired", "Credentials Revoked"})
_BEFORE = frozenset({Why.EXPIRED, Why.ACCOUNT_EXPIRED})
_OF_ACCOUNT = frozenset({"account", "account-edit", "account-limits", "revocations", "signing-keys"})
_REMEDIES = {"Maximum Account Connections Exceeded": ("account-limits", "Look at the account's limits")}
_WORDS: dict[Why, tuple[str, str, str]] = {
    Why.NO_JWT: (
        "The client showed no JWT that can be believed: none at all, a password, or one that its issuer did not sign.",
        "",
        "",
    ),
    Why.STRANGE_ACCOUNT: ("The account of its JWT is not known here.", "whose", "What is this key?"),
    Why.ACCOUNT_DELETED: ("Its account was deleted here.", "", ""),
    Why.EXPIRED: ("Its JWT had expired {when}.", "user-edit", "Give it a later expiry"),
    Why.NOT_YET: ("Its JWT is valid from {when} on.", "user-edit", "Edit the user"),
    Why.STRANGE_USER: (
        "The user is not known here: its JWT was signed elsewhere, or by somebody who has the account's key.",
        "account",
        "Look at the account",
    ),
    Why.DELETED: ("The user was deleted.", "", ""),
    Why.SUSPENDED: ("The user is suspended since {when}.", "user-lift", "Lift the suspension"),
    Why.FORMER_KEY: (
        "The client uses creds from before the user's key was replaced.", "user", "Hand out the new creds"
    ),
    Why.REVOKED: ("The account revokes what was issued to it up to {when}.", "revocations", "Look at the revocations"),
    Why.ACCOUNT_EXPIRED: ("The account's JWT had expired {when}.", "account-edit", "Give the account a later expiry"),
    Why.ISSUER_GONE: ("No key of the account stands behind its JWT any more.", "user-move", "Move it to another key"),
    Why.RESTRICTED: (
        "Look whether the client fits the networks, hours and kinds of connection that the user is bound to.",
        "user",
        "Look at its limits",
    ),
    Why.UNKNOWN: (
        "By what stands here the JWT is good. Its seed may not fit, or the server has not the account's current JWT.",
        "user-explain",
        "May it …?",
    ),
}  # fmt: skip
