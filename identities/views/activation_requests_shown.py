"""Requests for activations as strings, for the side that asked and for the side that answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from identities.claims import sharing as rules
from identities.claims.imports import Import
from identities.claims.local_subjects import local_pattern, remote_subject
from identities.models import Account, ActivationRequest, RequestState
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import activations as ledger
from identities.queries import sharing as neighbours
from identities.services import accounts, activation_requests, changes
from identities.views import guards, sharing_shown, shown
from identities.views.sharing_shown import Setting

STATES = {
    RequestState.OPEN: shown.State(word="Waits", tone="warn", icon="clock"),
    RequestState.GRANTED: shown.State(word="Granted", tone="ok", icon="circle-check"),
    RequestState.DECLINED: shown.State(word="Declined", tone="muted", icon="ban"),
    RequestState.WITHDRAWN: shown.State(word="Withdrawn", tone="muted", icon="x"),
}
MOST_ROWS = 100
"""So many of each side are listed; more than that come up as those are answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """One request in a list; `key` is the account on the other side."""

    number: str
    url: str
    key: shown.Chip
    kind: str
    subject: str
    by: str
    at: shown.When
    state: shown.State


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The requests of one side: the latest `MOST_ROWS`, and how many there are."""

    title: str
    key: str
    rows: tuple[RequestRow, ...]
    number: str
    more: bool
    empty: str


def sides(principal: Principal, account: Account, *, everything: bool) -> tuple[Side, ...]:
    """What was asked of an account, for those who may answer, and what it asked; four queries at most."""
    found = [_asked_by(principal, account, everything=everything)]
    if guards.may(principal, Action.ACTIVATION_ANSWER, accounts.scope(account)):
        found.insert(0, _asked_of(principal, account, everything=everything))
    return tuple(found)


def _asked_by(principal: Principal, account: Account, *, everything: bool) -> Side:
    rows = ActivationRequest.objects.asked_by(account)
    rows = rows if everything else rows.waiting()
    held = list(rows.order_by("-pk")[: MOST_ROWS + 1])
    known = neighbours.known(principal, {one.exporter_key for one in held}, operator=account.operator)
    names = {key: one.row.name for key, one in known.items()}
    return _side("Asked by us", "Account asked", account, held, names, rows.count(), everything=everything)


def _asked_of(principal: Principal, account: Account, *, everything: bool) -> Side:
    rows = ActivationRequest.objects.asked_of(account)
    rows = rows if everything else rows.waiting()
    held = list(rows.select_related("importer").order_by("-pk")[: MOST_ROWS + 1])
    return _side("Asked of us", "Account", account, held, None, rows.count(), everything=everything)


def _side(
    title: str,
    key: str,
    account: Account,
    held: list[ActivationRequest],
    names: dict[str, str] | None,
    number: int,
    *,
    everything: bool,
) -> Side:
    """`names` are the exporters' that may be seen; None: these were asked of `account`."""
    rows = []
    for one in held[:MOST_ROWS]:
        chip = (
            shown.chip(one.importer.public_key, one.importer_name)
            if names is None
            else shown.chip(one.exporter_key, names.get(one.exporter_key, ""))
        )
        rows.append(
            RequestRow(
                number=f"{one.pk:,}",
                url=url(account, one),
                key=chip,
                kind=one.kind,
                subject=one.subject,
                by=one.by_name,
                at=shown.moment(one.created_at),
                state=STATES[RequestState(one.state)],
            )
        )
    empty = "Nothing was asked yet." if everything else "Nothing waits."
    return Side(
        title=title,
        key=key,
        rows=tuple(rows),
        number=f"{number:,}",
        more=len(held) > MOST_ROWS,
        empty=empty,
    )


def waiting(number: int) -> str:
    """How many requests wait, in words; "" for none."""
    return f"{shown.plural(number, 'request')} {'waits' if number == 1 else 'wait'}" if number else ""


def url(account: Account, request: ActivationRequest, name: str = "activation-request") -> str:
    """The address of a request at one of its accounts, or of what is done there."""
    return shown.account_url(name, account, request.pk)


def asked_by(principal: Principal, account: Account, request: ActivationRequest) -> dict[str, Any]:
    """One request as the side that asked sees it."""
    key = request.exporter_key
    known = neighbours.known(principal, [key], operator=account.operator).get(key)
    may_edit = guards.may(principal, Action.IMPORT_EDIT, accounts.scope(account))
    granted = request.state == RequestState.GRANTED
    may_take = guards.may(principal, Action.JWT_DOWNLOAD, accounts.scope(account))
    return {
        **_common(request),
        "side": "by",
        "other": shown.chip(key, known.row.name if known is not None else ""),
        "other_label": "Asked of",
        "other_url": shown.account_url("account", known.row)
        if known is not None and not known.exporter.deleted
        else "",
        "can_withdraw": request.state == RequestState.OPEN
        and guards.may(principal, Action.ACTIVATION_ASK, accounts.scope(account)),
        "obstacle": request.obstacle if granted else "",
        "placed_url": shown.account_url("imports", account) if granted and request.placed else "",
        "jwt_url": url(account, request, "activation-request-jwt") if granted and may_take else "",
        "import_url": shown.account_url("import-create", account)
        if granted and not request.placed and may_edit
        else "",
    }


def asked_of(principal: Principal, account: Account, request: ActivationRequest) -> dict[str, Any]:
    """One request as the side that answers sees it: what it discloses, and what is exported now."""
    importer = request.importer
    seen = importer.public_key in ledger.holders(principal, account, [importer.public_key])
    export = activation_requests.opens(account, request)
    handle = ""
    if export is not None:
        exports = changes.claims_of(account).nats.exports
        handle = rules.export_handles(exports)[exports.index(export)]
    is_open = request.state == RequestState.OPEN
    opens = export is not None and export.token_req and not export.account_token_position
    return {
        **_common(request),
        "side": "of",
        "other": shown.chip(importer.public_key, request.importer_name),
        "other_label": "For account",
        "other_url": shown.account_url("account", importer) if seen else "",
        "export_subject": export.subject if export is not None else "",
        "export_access": sharing_shown.access(export) if export is not None else "",
        "export_url": sharing_shown.entry_url("export", account, handle) if handle else "",
        "can_grant": is_open
        and opens
        and guards.may(principal, Action.ACTIVATION_ISSUE, accounts.scope(account)),
        "can_decline": is_open,
        "handed_over": request.state == RequestState.GRANTED and not request.placed,
        "placed": request.state == RequestState.GRANTED and request.placed,
    }


def _common(request: ActivationRequest) -> dict[str, Any]:
    decided = ""
    if request.decided_at is not None:
        decided = f"by {request.decided_by}, {shown.moment(request.decided_at).text}"
    return {
        "state": STATES[RequestState(request.state)],
        "is_open": request.state == RequestState.OPEN,
        "by": request.by_name,
        "at": shown.moment(request.created_at),
        "decided": decided,
        "reason": request.reason,
        "note": request.note,
        "facts": (
            Setting(label="Type", word="type", value=request.kind),
            Setting(label="Subject", word="subject", code=request.subject),
            Setting(label="Local subject", word="local_subject", code=request.local_subject),
        )[: 3 if request.local_subject else 2],
    }


def ask_url(principal: Principal, account: Account, one: Import) -> str:
    """Where a token for this import can be asked for; "" where it needs none or may be issued right away."""
    if not guards.may(principal, Action.ACTIVATION_ASK, accounts.scope(account)):
        return ""
    known = neighbours.known(principal, [one.account], operator=account.operator).get(one.account)
    subject = remote_subject(one)
    if known is not None:
        export = rules.export_for(known.exporter.claims.nats, one.type, subject)
        if known.exporter.deleted or export is None or not export.token_req or export.account_token_position:
            return ""
        if guards.may(principal, Action.ACTIVATION_ISSUE, accounts.scope(known.row)):
            return ""
    local = local_pattern(one)
    values = {
        "account": one.account,
        "type": one.type,
        "subject": subject,
        "local_subject": local if local != subject else "",
        "name": one.name,
    }
    query = urlencode({name: value for name, value in values.items() if value})
    return f"{shown.account_url('activation-request-create', account)}?{query}"
