"""What the pages of imports show, as plain strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from identities.claims import sharing as rules
from identities.claims.account import AccountBody
from identities.claims.imports import Import
from identities.claims.local_subjects import example, local_pattern, remote_subject
from identities.claims.report import Issue
from identities.models import Account
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import sharing as neighbours
from identities.queries.sharing import Known
from identities.services import accounts, changes, sharing
from identities.views import activation_requests_shown as requests_shown
from identities.views import guards, sharing_shown, shown
from identities.views.sharing_shown import Setting

ACTIONS = (Action.IMPORT_EDIT,)
UNKNOWN = shown.State(
    word="Not known here",
    tone="muted",
    icon="circle-dashed",
    title="No account with this key stands here, or you may not see it: what it exports can't be looked at",
)
_MISSING = shown.State(word="Missing", tone="danger", icon="circle-x", title="The export is private")
_UNREAD = shown.State(word="Unreadable", tone="danger", icon="circle-x", title="This is no activation token")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """One import in the list; `url` is "" for an entry that holds nothing, which can only be deleted."""

    name: str
    url: str
    delete_url: str
    renew_url: str
    kind: str
    subject: str
    local: str
    key: shown.Chip | None
    token: shown.State | None
    state: shown.State
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """How one message's subject reads on both sides, in the order in which it goes."""

    before: str
    after: str
    words: str


def table(principal: Principal, account: Account, query: QueryDict, now: int) -> dict[str, Any]:
    """The rows of the list; as many queries as the imports are accounts deep."""
    claims = changes.claims_of(account)
    body: AccountBody = claims.nats
    around = neighbours.around(principal, body.imports, operator=account.operator)
    own = list(changes.check(claims, claims, now=now))
    q = query.get("q", "").strip()[:300]
    found = [
        (index, handle, one)
        for index, (handle, one) in enumerate(
            zip(rules.import_handles(body.imports), body.imports, strict=True)
        )
        if one is None
        or sharing_shown.matches(q, one.name, one.subject, one.local_subject, _who(one, around))
    ]
    return {
        "cut": sharing_shown.cut(len(body.imports), len(found), "import", q),
        "rows": tuple(
            _row(principal, account, handle, one, around, _own(own, index), now)
            for index, handle, one in found[: sharing_shown.MOST_ROWS]
        ),
    }


def _who(one: Import, around: Mapping[str, Known]) -> str:
    return around[one.account].row.name if one.account in around else one.account


def _own(issues: Sequence[Issue], index: int) -> list[Issue]:
    path = f"nats.imports[{index}]"
    return [issue for issue in issues if issue.path == path or issue.path.startswith(f"{path}.")]


def _row(
    principal: Principal,
    account: Account,
    handle: str,
    one: Import | None,
    around: dict[str, Known],
    own: Sequence[Issue],
    now: int,
) -> ImportRow:
    delete_url = sharing_shown.entry_url("import-delete", account, handle)
    if one is None:
        state = sharing_shown.worst(own)
        return ImportRow(
            name="(nothing)", url="", delete_url=delete_url, renew_url="", kind="", subject="", local="", key=None,
            token=None, state=state, said=sharing_shown.said(state),
        )  # fmt: skip
    known = around.get(one.account)
    issues = [*own, *sharing.issues_of(account, one, changes.claims_of(account).nats, around, now=now)]
    renew = may_renew(principal, one, known, now)
    state = UNKNOWN if known is None and not issues else sharing_shown.worst(issues)
    return ImportRow(
        name=one.name or one.subject,
        url=sharing_shown.entry_url("import", account, handle),
        delete_url=delete_url,
        renew_url=sharing_shown.entry_url("import-renew", account, handle) if renew else "",
        kind=one.type,
        subject=remote_subject(one),
        local=local_pattern(one),
        key=shown.chip(one.account, known.row.name if known is not None else ""),
        token=token_state(one, known, now),
        state=state,
        said=sharing_shown.said(state),
    )


def token_state(one: Import, known: Known | None, now: int) -> shown.State | None:
    """What became of an import's token; None where none is needed."""
    asked = known is not None and _asks(one, known)
    if not one.token:
        return _MISSING if asked else None
    activation = rules.activation_of(one)
    if activation is None:
        return _UNREAD
    return sharing_shown.activation_state(activation, known.exporter if known is not None else None, now)


def _asks(one: Import, known: Known) -> bool:
    export = rules.export_for(known.exporter.claims.nats, one.type, remote_subject(one))
    return export is not None and export.token_req and not export.account_token_position


def may_renew(principal: Principal, one: Import, known: Known | None, now: int) -> bool:
    """Whether a new token is offered: it is asked for, this one is none or not for long, and may be issued here."""
    if known is None or known.exporter.deleted or not _asks(one, known):
        return False
    state = token_state(one, known, now)
    stale = state is not None and state.tone != "ok"
    return stale and guards.may(principal, Action.ACTIVATION_ISSUE, accounts.scope(known.row))


def described(principal: Principal, account: Account, handle: str, now: int) -> dict[str, Any]:
    """The page of one import: settings, what the exporter says to it, and its token."""
    index, one = sharing.import_of(account, handle)
    claims = changes.claims_of(account)
    around = neighbours.around(principal, claims.nats.imports, operator=account.operator)
    known = around.get(one.account)
    own = _own(list(changes.check(claims, claims, now=now)), index)
    issues = [*own, *sharing.issues_of(account, one, claims.nats, around, now=now)]
    routes = {"edit": "import-edit", "delete": "import-delete", "renew": "import-renew"}
    activation, state = rules.activation_of(one), token_state(one, known, now)
    return {
        "one": one.name or one.subject,
        "facts": tuple(_facts(one)),
        "example": shown_example(one),
        "findings": sharing_shown.findings(issues),
        "exporter": shown.chip(one.account, known.row.name if known is not None else ""),
        "exporter_url": ""
        if known is None or known.exporter.deleted
        else shown.account_url("exports", known.row),
        "exporter_known": known is not None,
        "state": UNKNOWN if known is None and not issues else sharing_shown.worst(issues),
        "token": state,
        "token_expires": shown.unix(activation.exp) if activation is not None else None,
        "token_subject": activation.nats.subject if activation is not None else "",
        "token_issuer": shown.chip(activation.iss) if activation is not None else None,
        "ask_url": requests_shown.ask_url(principal, account, one)
        if state is None or state.tone != "ok"
        else "",
        "may_renew": known is not None
        and _asks(one, known)
        and guards.may(principal, Action.ACTIVATION_ISSUE, accounts.scope(known.row)),
        "urls": {name: sharing_shown.entry_url(route, account, handle) for name, route in routes.items()},
    }


def shown_example(one: Import) -> Example | None:
    """One message's subject on both sides; None where nothing is renamed, or it would be refused."""
    pair = example(one)
    if pair is None:
        return None
    theirs, ours = pair
    if one.type == "service":
        return Example(before=ours, after=theirs, words="A request on this subject is asked there on")
    return Example(before=theirs, after=ours, words="A message on this subject arrives here on")


def _facts(one: Import) -> list[Setting]:
    shared = "share" if one.type == "service" else "allow_trace"
    found = [
        Setting(label="Type", word="type", value=one.type),
        Setting(
            label="Subject there",
            word="to" if one.to and one.type == "service" else "subject",
            code=remote_subject(one),
        ),
        Setting(label="Subject here", word="local_subject", code=local_pattern(one)),
        Setting(label="Name", word="name", value=one.name),
    ]
    if one.local_subject and one.local_subject != local_pattern(one):
        found.append(Setting(label="Written as", word="local_subject", code=one.local_subject))
    if one.to:
        found.append(Setting(label="Old form", word="to", code=one.to))
    if shared == "share":
        found.append(Setting(label="Shares who asks", word="share", value="yes" if one.share else "no"))
    else:
        value = "allowed" if one.allow_trace else "not allowed"
        found.append(Setting(label="Message traces", word="allow_trace", value=value))
    return found


def held_token(one: Import, known: Known | None, now: int) -> str:
    """The state of an import's token in a few words, for the choice to keep it."""
    state = token_state(one, known, now)
    if state is None:
        return "none"
    return f"{state.word.lower()}{f' ({state.title})' if state.title else ''}"
