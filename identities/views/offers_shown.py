"""Exports of other accounts to choose from, and the form of an import filled from one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import F, Q, Value
from django.db.models.functions import StrIndex
from django.http import QueryDict

from identities import lookup
from identities.claims import codec, gojson
from identities.claims import sharing as rules
from identities.claims.exports import Export
from identities.models import Account
from identities.models.accounts import AccountQuerySet
from identities.policy.principal import Principal
from identities.queries import sharing as neighbours
from identities.services import changes, columns, sharing
from identities.views import paging, sharing_shown, shown

SORTS = {"name": paging.Sort("name")}
ACCOUNTS = 20
"""Accounts on one page."""
MOST_EXPORTS = 50
"""Exports of one account on a page; a filter finds the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One export that can be imported: whose, what, and where the form for it is."""

    account: str
    account_url: str
    key: shown.Chip
    name: str
    kind: str
    subject: str
    access: str
    description: str
    imported: bool
    import_url: str


def table(principal: Principal, account: Account, query: QueryDict) -> dict[str, Any]:
    """A page of accounts with exports, by name, each with those that the filter fits: one query."""
    q = query.get("q", "").strip()[:300]
    rows = _exporting(principal, account).only("public_key", "name", "claims", "operator")
    if q:
        written = gojson.dumps(q)[1:-1]
        rows = rows.alias(found_at=StrIndex(F("claims"), Value(written))).filter(
            Q(name_fold__contains=columns.folded(q)) | Q(found_at__gt=0)
        )
    page = paging.page(rows, query, sorts=SORTS, size=ACCOUNTS)
    body = changes.claims_of(account).nats
    held = {(one.account, one.type, one.subject) for one in body.imports if one is not None}
    offers = [_offers(account, row, q, held) for row in page.rows]
    return {
        "page": page,
        "rows": tuple(offer for of_account in offers for offer in of_account[:MOST_EXPORTS]),
        "cut": any(len(of_account) > MOST_EXPORTS for of_account in offers),
        "most": MOST_EXPORTS,
    }


def _exporting(principal: Principal, account: Account) -> AccountQuerySet:
    """Other accounts under the operator that export something; no other JSON of an account holds these words."""
    rows: AccountQuerySet = Account.objects.visible_to(principal).live()
    found = rows.filter(operator=account.operator_id).exclude(pk=account.pk)
    return found.filter(Q(claims__contains='"exports":[') | Q(claims__contains='"exports": ['))


def _offers(account: Account, row: Account, q: str, held: set[tuple[str, str, str]]) -> list[Offer]:
    row.operator = account.operator
    exports: tuple[Export | None, ...] = codec.from_payload(row.claims).nats.exports
    whole = sharing_shown.matches(q, row.name)
    found = []
    for handle, export in zip(rules.export_handles(exports), exports, strict=True):
        if export is None or not (whole or sharing_shown.matches(q, export.name, export.subject)):
            continue
        subject = rules.own_subject(export, account.public_key)
        url = shown.account_url("import-create", account)
        found.append(
            Offer(
                account=row.name,
                account_url=shown.account_url("account", row),
                key=shown.chip(row.public_key),
                name=export.name,
                kind=export.type,
                subject=export.subject,
                access=sharing_shown.access(export),
                description=export.description,
                imported=(row.public_key, export.type, subject) in held,
                import_url=f"{url}?{urlencode({'from': row.public_key, 'export': handle})}",
            )
        )
    return found


def chosen(principal: Principal, account: Account, query: QueryDict) -> dict[str, Any]:
    """The values of a form for the export that `from` and `export` name; nothing for none.

    Of an export with an account token position the own key stands in the subject, and is left out of the local one.
    """
    key, handle = query.get("from", ""), query.get("export", "")
    known = neighbours.known(principal, [key], operator=account.operator).get(key) if key and handle else None
    if known is None or known.exporter.deleted:
        return {}
    try:
        _, export = sharing.export_of(known.row, handle)
    except lookup.NotFound:
        return {}
    subject = rules.own_subject(export, account.public_key)
    parts = subject.split(".")
    local = (
        ".".join(part for part in parts if part != account.public_key) if subject != export.subject else ""
    )
    return {
        "account": known.row.name if not known.exporter.operator else key,
        "type": export.type,
        "subject": subject,
        "local_subject": local,
        "name": export.name,
    }
