"""What stands beside the form of an import: what it is called here, and what the exporting account says to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from identities.claims.account import AccountBody
from identities.claims.drafts import ImportDraft, Minting
from identities.claims.imports import Import
from identities.claims.local_subjects import local_pattern
from identities.errors import IdentityError
from identities.forms.imports import NONE, ImportForm
from identities.models import Account
from identities.policy.principal import Principal
from identities.queries import sharing as neighbours
from identities.services import changes, imports, sharing
from identities.views import activation_requests_shown as requests_shown
from identities.views import describing, imports_shown, sharing_shown, shown
from identities.views.imports_shown import Example

_NEEDED = ("account", "type", "subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What is shown: the exporter by name where it is known, the local subject, findings, and what token follows."""

    exporter: str
    known: bool
    local: str
    kind: str
    example: Example | None
    findings: tuple[describing.Finding, ...]
    token: str
    ok: bool
    ask_url: str = ""
    """Where a token can be asked for that one may not issue."""


def of_form(principal: Principal, account: Account, form: ImportForm, now: int) -> Check | None:
    """The check of what is typed so far; None as long as that is too little."""
    if not form.is_bound and form.before is not None:
        return _check(principal, account, form.before, now, token="")
    typed = {name: str(form[name].value() or "").strip() for name in _NEEDED}
    if not all(typed.values()):
        return None
    try:
        key = sharing.account_named(principal, account.operator, typed["account"], field="account")
    except IdentityError:
        return None
    if form.errors:  # looked at all the same, as far as it goes
        local = str(form["local_subject"].value() or "").strip()
        refused = replace(
            form.before or Import(),
            account=key,
            type=typed["type"],
            subject=typed["subject"],
            local_subject=local,
        )
        may_follow = form["minting"].value() != NONE
        check = _check(principal, account, refused, now, token="", token_follows=may_follow)
        return replace(check, findings=_with_errors(check.findings, form), ok=False)
    draft = form.to_draft(key) if form.is_bound else _chosen(form, key)
    token, follows = _token(principal, account, draft)
    return _check(principal, account, draft.imported, now, token=token, token_follows=follows)


def _chosen(form: ImportForm, key: str) -> ImportDraft:
    """What a new form was filled with for somebody who has sent nothing yet."""
    kind, subject, local = (str(form[name].value() or "") for name in ("type", "subject", "local_subject"))
    imported = Import(account=key, type=kind, subject=subject, local_subject=local)
    return ImportDraft(imported=imported, minting=Minting.IF_ASKED)


def _with_errors(
    findings: tuple[describing.Finding, ...], form: ImportForm
) -> tuple[describing.Finding, ...]:
    """The findings and, once each, what the fields were refused for: while typing nothing else shows it."""
    known = {finding.message for finding in findings}
    refusals = dict.fromkeys(str(text) for texts in form.errors.values() for text in texts)
    fresh = (
        describing.Finding(tone="danger", word="Error", path="", message=text)
        for text in refusals
        if text not in known
    )
    return (*fresh, *findings)


def _token(principal: Principal, account: Account, draft: ImportDraft) -> tuple[str, bool]:
    """What will be done about a token, in words, and whether one follows."""
    if draft.minting is Minting.LATER:
        return "The token is fetched when this is saved.", True
    try:
        source = imports.source(principal, account, draft)
    except IdentityError as refused:
        return refused.user_message, False
    if source is None:
        return "", False
    return f"“{source.exporter.name}” issues a token for {source.export.subject} when this is saved.", True


def _check(
    principal: Principal,
    account: Account,
    one: Import,
    now: int,
    *,
    token: str,
    token_follows: bool = False,
) -> Check:
    body: AccountBody = changes.claims_of(account).nats
    around = neighbours.around(principal, [one], operator=account.operator)
    known = around.get(one.account)
    issues = sharing.issues_of(account, one, body, around, now=now, token_follows=token_follows)
    return Check(
        exporter=known.row.name if known is not None else shown.short(one.account),
        known=known is not None,
        local=local_pattern(one),
        kind=one.type,
        example=imports_shown.shown_example(one),
        findings=sharing_shown.findings(issues),
        token=token,
        ok=known is not None and not issues,
        ask_url="" if token_follows or one.token else requests_shown.ask_url(principal, account, one),
    )
