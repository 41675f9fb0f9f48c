"""What the pages of exports show, as plain strings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from identities.claims import sharing as rules
from identities.claims.account import AccountBody
from identities.claims.describe_text import duration_text
from identities.claims.exports import Export
from identities.claims.local_subjects import local_pattern, remote_subject
from identities.claims.report import Issue
from identities.claims.sharing import Exporter
from identities.models import Account
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import activations as ledger
from identities.queries import sharing as neighbours
from identities.queries.sharing import Importer
from identities.services import changes
from identities.views import activations_shown, sharing_shown, shown
from identities.views.sharing_shown import Setting

ACTIONS = (
    Action.EXPORT_EDIT,
    Action.ACTIVATION_ISSUE,
    Action.ACTIVATION_REVOKE,
    Action.JWT_DOWNLOAD,
)
UNSEEN = "Accounts that you may not see are not named here, and may import it too."
GOES = f"Servers stop these messages as soon as they have the account's new JWT. {UNSEEN}"
_RESPONSES = {
    "": "one answer (not set)",
    "Singleton": "one answer",
    "Stream": "many answers",
    "Chunked": "in parts",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRow:
    """One export in the list; `url` is "" for an entry that holds nothing, which can only be deleted."""

    name: str
    url: str
    delete_url: str
    kind: str
    subject: str
    access: str
    importers: str
    state: shown.State
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImporterRow:
    """One import of an export: by whom, what of it, and whether it works."""

    account: str
    url: str
    subject: str
    local: str
    state: shown.State


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationRow:
    """One revocation of an export's activations."""

    whose: str
    key: shown.Chip | None
    at: shown.When
    clear_url: str


def exporter(account: Account) -> Exporter:
    """The account as its importers meet it."""
    return Exporter(
        key=account.public_key,
        name=account.name,
        claims=changes.claims_of(account),
        strict=account.operator.strict,
    )


def table(principal: Principal, account: Account, query: QueryDict, now: int) -> dict[str, Any]:
    """The rows of the list: one query, for the importers."""
    claims = changes.claims_of(account)
    body: AccountBody = claims.nats
    issues = list(changes.check(claims, claims, now=now))
    imported = _imported(body, neighbours.importers(principal, account))
    q = query.get("q", "").strip()[:300]
    found = [
        (index, handle, export)
        for index, (handle, export) in enumerate(
            zip(rules.export_handles(body.exports), body.exports, strict=True)
        )
        if export is None or sharing_shown.matches(q, export.name, export.subject)
    ]
    return {
        "cut": sharing_shown.cut(len(body.exports), len(found), "export", q),
        "rows": tuple(
            _row(account, handle, export, issues_at(issues, index), imported[handle])
            for index, handle, export in found[: sharing_shown.MOST_ROWS]
        ),
    }


def issues_at(issues: Sequence[Issue], index: int) -> list[Issue]:
    """The findings about the export at `index`."""
    path = f"nats.exports[{index}]"
    return [issue for issue in issues if issue.path == path or issue.path.startswith(f"{path}.")]


def _imported(body: AccountBody, importers: Sequence[Importer]) -> Counter[str]:
    """How many imports each export has, by its handle."""
    handles = rules.export_handles(body.exports)
    counts: Counter[str] = Counter()
    for importer in importers:
        for one in importer.imports:
            if (export := rules.export_for(body, one.type, remote_subject(one))) is not None:
                counts[handles[body.exports.index(export)]] += 1
    return counts


def _row(
    account: Account, handle: str, export: Export | None, issues: Sequence[Issue], imported: int
) -> ExportRow:
    delete_url = sharing_shown.entry_url("export-delete", account, handle)
    state = sharing_shown.worst(issues)
    said = sharing_shown.said(state)
    if export is None:
        return ExportRow(
            name="(nothing)", url="", delete_url=delete_url, kind="", subject="", access="", importers="",
            state=state, said=said,
        )  # fmt: skip
    return ExportRow(
        name=export.name or export.subject,
        url=sharing_shown.entry_url("export", account, handle),
        delete_url=delete_url,
        kind=export.type,
        subject=export.subject,
        access=sharing_shown.access(export),
        importers=f"{imported:,}" if imported else "",
        state=state,
        said=said,
    )


def described(
    principal: Principal, account: Account, handle: str, index: int, export: Export, now: int
) -> dict[str, Any]:
    """The page of one export: settings, findings, who imports it, and its activations."""
    claims = changes.claims_of(account)
    issues = issues_at(list(changes.check(claims, claims, now=now)), index)
    asks = export.token_req and not export.account_token_position
    routes = {
        "edit": "export-edit",
        "delete": "export-delete",
        "revoke": "export-revoke",
        "activate": "activation-create",
    }
    return {
        "facts": tuple(_facts(export)),
        "findings": sharing_shown.findings(issues),
        "kind": export.type,
        "subject": export.subject,
        "asks_for_activations": asks,
        **_importer_rows(principal, account, export, now),
        "unseen": UNSEEN,
        **(activations_shown.of_export(principal, account, export, now) if asks else {}),
        **_revocations(principal, account, handle, export),
        "urls": {
            **{name: sharing_shown.entry_url(route, account, handle) for name, route in routes.items()},
            "activations": shown.account_url("activations", account),
        },
    }


def _facts(export: Export) -> list[Setting]:
    latency = export.service_latency
    found = [
        Setting(label="Subject", word="subject", code=export.subject),
        Setting(label="Type", word="type", value=export.type),
        Setting(label="Name", word="name", value=export.name),
        Setting(
            label="Who may import it",
            word="token_req, account_token_position",
            value=sharing_shown.access(export),
        ),
    ]
    if export.type == "service":
        answers = _RESPONSES.get(export.response_type, export.response_type)
        threshold = (
            duration_text(export.response_threshold) if export.response_threshold else "2m0s (not set)"
        )
        found += [
            Setting(label="Answers", word="response_type", value=answers),
            Setting(label="Time to answer", word="response_threshold", value=threshold),
            Setting(
                label="Latency sampling",
                word="service_latency.sampling",
                value="" if latency is None else f"{latency.sampling}%" if latency.sampling else "headers",
            ),
            Setting(
                label="Latency results",
                word="service_latency.results",
                code=latency.results if latency else "",
            ),
            Setting(
                label="Message traces", word="allow_trace", value="allowed" if export.allow_trace else ""
            ),
        ]
    return [
        *found,
        Setting(label="Description", word="description", value=export.description),
        Setting(label="Info URL", word="info_url", value=export.info_url),
        Setting(label="Advertised", word="advertise", value="yes" if export.advertise else ""),
    ]


def _importer_rows(principal: Principal, account: Account, export: Export, now: int) -> dict[str, Any]:
    """Who imports an export, as far as it fits."""
    ours = exporter(account)
    rows = []
    for importer in neighbours.importers(principal, account):
        handles = rules.import_handles(importer.imports)
        for handle, one in zip(handles, importer.imports, strict=True):
            if rules.export_for(ours.claims.nats, one.type, remote_subject(one)) != export:
                continue
            issues = rules.import_issues(one, importer.row.public_key, ours, now=now)
            rows.append(
                ImporterRow(
                    account=importer.row.name,
                    url=sharing_shown.entry_url("import", importer.row, handle),
                    subject=remote_subject(one),
                    local=local_pattern(one),
                    state=sharing_shown.worst(issues),
                )
            )
    return {
        "importers": tuple(rows[: sharing_shown.MOST_ROWS]),
        "importers_cut": sharing_shown.cut(len(rows), len(rows), "import", ""),
    }


def _revocations(principal: Principal, account: Account, handle: str, export: Export) -> dict[str, Any]:
    """The latest first; what does not fit is counted."""
    held = sorted(export.revocations.items(), key=lambda entry: (-entry[1], entry[0]))
    part = held[: sharing_shown.MOST_ROWS]
    names = ledger.holders(principal, account, [key for key, _ in part])
    return {
        "revocations": tuple(
            RevocationRow(
                whose="every account" if key == "*" else "",
                key=None if key == "*" else shown.chip(key, names[key].name if key in names else ""),
                at=shown.unix(at),
                clear_url=sharing_shown.entry_url("export-clear", account, handle, key),
            )
            for key, at in part
        ),
        "revocations_cut": sharing_shown.cut(len(held), len(held), "revocation", ""),
    }
