"""What the pages of activations show, as plain strings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from identities.claims import sharing as rules
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.exports import Export
from identities.claims.sharing import Exporter
from identities.models import Account, IssuedToken
from identities.policy.principal import Principal
from identities.queries import activations as ledger
from identities.services import activations, changes
from identities.views import paging, sharing_shown, shown
from identities.views.handouts_shown import file_name

SORTS = {"issued": paging.Sort("iat", "number", descending=True)}
LOOKED_AT = 300
"""Of an account's latest activations, those that open one export are looked for."""
SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationRow:
    """One activation: for whom, of what, and whether it counts."""

    number: str
    key: shown.Chip
    subject: str
    kind: str
    issued: shown.When
    expires: shown.When
    state: shown.State
    used: str
    jwt_url: str
    revoke_url: str
    again_url: str


def table(principal: Principal, account: Account, query: QueryDict, now: int) -> dict[str, Any]:
    """Page and rows of all that the account has issued: two queries."""
    page = paging.page(ledger.issued_by(account), query, sorts=SORTS)
    return {"page": page, "rows": rows(principal, account, page.rows, now)}


def of_export(principal: Principal, account: Account, export: Export, now: int) -> dict[str, Any]:
    """The latest activations of one export."""
    body = changes.claims_of(account).nats
    found: list[IssuedToken] = []
    for token in ledger.issued_by(account).order_by("-iat", "-pk")[:LOOKED_AT]:
        granted = activations.claims_in(token).nats
        if rules.export_for(body, granted.kind, granted.subject) == export:
            found.append(token)
    return {
        "activations": rows(principal, account, found[:SHOWN], now),
        "activations_text": shown.plural(len(found), "activation")
        + (f", the latest {SHOWN} of them shown" if len(found) > SHOWN else ""),
    }


def rows(
    principal: Principal, account: Account, tokens: Sequence[IssuedToken], now: int
) -> tuple[ActivationRow, ...]:
    """Activations as rows: one query, for the accounts that they are for."""
    claims = changes.claims_of(account)
    ours = Exporter(key=account.public_key, name=account.name, claims=claims, strict=account.operator.strict)
    holders = ledger.holders(principal, account, [token.subject for token in tokens])
    used = ledger.tokens_held(holders.values())
    handles = rules.export_handles(claims.nats.exports)
    return tuple(_row(account, token, ours, handles, holders, used, now) for token in tokens)


def _row(
    account: Account,
    token: IssuedToken,
    ours: Exporter,
    handles: Sequence[str],
    holders: dict[str, Account],
    used: Iterable[str],
    now: int,
) -> ActivationRow:
    read = activations.claims_in(token)
    target = holders.get(token.subject)
    state = sharing_shown.activation_state(read, ours, now)
    return ActivationRow(
        number=str(token.pk),
        key=shown.chip(token.subject, target.name if target is not None else ""),
        subject=read.nats.subject,
        kind=read.nats.kind,
        issued=shown.unix(token.iat),
        expires=shown.unix(token.exp),
        state=state,
        used="in use" if token.text in used else "not in use" if target is not None else "not known",
        jwt_url=token_url("activation-jwt", account, token.pk),
        revoke_url="" if state.icon == "ban" else token_url("activation-revoke", account, token.pk),
        again_url="" if state.tone == "ok" else _again(account, read, ours, handles),
    )


def token_url(name: str, account: Account, number: int) -> str:
    """The URL of something about one activation."""
    return reverse(name, args=[account.operator.public_key, account.public_key, number])


def _again(account: Account, read: Claims[ActivationBody], ours: Exporter, handles: Sequence[str]) -> str:
    """Where the same is issued again; "" where no export covers it any more."""
    exports = ours.claims.nats.exports
    export = rules.export_for(ours.claims.nats, read.nats.kind, read.nats.subject)
    if export is None or not export.token_req:
        return ""
    url = sharing_shown.entry_url("activation-create", account, handles[exports.index(export)])
    return f"{url}?{urlencode({'target': read.sub, 'subject': read.nats.subject})}"


def jwt_name(account: Account, token: IssuedToken) -> str:
    """What the file of an activation is called: exporter, subject, and the end of the account's key."""
    subject = token.name.replace("*", "_").replace(">", "_")
    return file_name(f"{account.name}-{subject}-{token.subject[-4:]}.jwt")
