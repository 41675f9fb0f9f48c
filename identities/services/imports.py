"""What can be done with the imports of an account; a token that one needs is issued along where that may be done."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.conf import settings

from identities.claims import sharing as rules
from identities.claims.account import AccountBody
from identities.claims.diff import FieldChange
from identities.claims.drafts import ActivationDraft, ImportDraft, Minting
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.local_subjects import local_pattern, remote_subject
from identities.claims.report import Issue, Report
from identities.errors import IdentityError
from identities.formats.decorated import bare_jwt
from identities.models import Account, IssuedToken
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import sharing as neighbours
from identities.resolver import fetching
from identities.services import accounts, activations, changes, clock, sharing
from identities.services.proposing import guarded

FOLLOWS = "an activation token, once this is saved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a token is issued: the exporting account's row, and its export."""

    exporter: Account
    export: Export


@guarded
def add(*, principal: Principal, account: Account, draft: ImportDraft, version: int) -> Account:
    """Import a stream or service of another account.

    Raises:
        StaleWrite: somebody else changed the account meanwhile. InvalidClaims: what the Go library or nats-server
            refuses. IdentityError: a token was asked for that can't be issued here, or not by this principal.
    """
    return _write(principal, account, "", draft, version, "Added an import to account")


def plan_add(principal: Principal, account: Account, draft: ImportDraft) -> changes.Change:
    """What one more import would change; a token that follows is named, not issued."""
    follows = _token_follows(principal, account, draft)
    return planned(principal, account, "", draft.imported, token_follows=follows)


@guarded
def edit(*, principal: Principal, account: Account, handle: str, draft: ImportDraft, version: int) -> Account:
    """Put the draft in the place of the import with this handle. Raises: as `add`; NotFound."""
    return _write(principal, account, handle, draft, version, "Edited an import of account")


def plan_edit(principal: Principal, account: Account, handle: str, draft: ImportDraft) -> changes.Change:
    """What that would change; a token that follows is named, not issued."""
    follows = _token_follows(principal, account, draft)
    return planned(principal, account, handle, draft.imported, token_follows=follows)


def renewal(account: Account, handle: str, expires: int) -> ImportDraft:
    """The import with this handle as it is, with a new token. Raises: NotFound."""
    _, imported = sharing.import_of(account, handle)
    return ImportDraft(imported=imported, minting=Minting.YES, expires=expires)


@guarded
def delete(*, principal: Principal, account: Account, handle: str, version: int) -> Account:
    """Take an import out. Raises: StaleWrite, NotFound."""
    return accounts.rewrite(
        principal=principal,
        account=account,
        plan=lambda row: plan_delete(row, handle),
        version=version,
        done="Deleted an import of account",
        action=Action.IMPORT_EDIT,
    )


def plan_delete(account: Account, handle: str) -> changes.Change:
    """What that would change, and what clients no longer get. What else is wrong does not stand in its way."""
    index, imported = sharing.import_at(account, handle)
    held = changes.claims_of(account).nats.imports
    edit = changes.edit_body(imports=(*held[:index], *held[index + 1 :]))
    lines: tuple[str, ...] = ()
    if imported is not None:
        doing = "ask on" if imported.type == "service" else "receive"
        lines = (f"Clients of “{account.name}” can no longer {doing} {local_pattern(imported)}.",)
    return replace(changes.plan(account, edit, now=clock.unix()), report=Report(), consequences=lines)


def found_new(principal: Principal, account: Account, change: changes.Change) -> tuple[Issue, ...]:
    """What is found on the imports that a change of the whole account brings in or alters."""
    before: AccountBody = change.before.nats
    after: AccountBody = change.after.nats
    fresh = [(at, one) for at, one in enumerate(after.imports) if one and one not in before.imports]
    around = neighbours.around(principal, [one for _, one in fresh], operator=account.operator)
    now = clock.unix()
    return tuple(
        replace(issue, path=f"nats.imports[{at}].{issue.path}")
        for at, one in fresh
        for issue in sharing.issues_of(account, one, after, around, now=now)
    )


def fetch_token(*, principal: Principal, account: Account, url: str) -> str:
    """The activation token at an address, fetched now. Call it outside of transactions: it may take seconds.

    Raises:
        AddressRefused, FetchFailed, FormatError: with the field `token_url`. What else stands there is never repeated.
    """
    decisions.require(principal, Action.IMPORT_EDIT, accounts.scope(account))
    address = fetching.parse_web_url(url, field="token_url")
    allow = settings.NSCWEB_ALLOW_LOOPBACK_SERVERS
    token = bare_jwt(fetching.fetch(address, allow_loopback=allow, field="token_url"), field="token_url")
    if rules.activation_of(Import(token=token)) is None:
        raise IdentityError(f"What {address.authority} sent is no activation token.", field="token_url")
    return token


def source(principal: Principal, account: Account, draft: ImportDraft) -> Source | None:
    """Where the token of a draft is issued; None when none is.

    Raises:
        IdentityError: one was asked for and can't be issued, or only by others.
    """
    imported, minting = draft.imported, draft.minting
    if minting in (Minting.NO, Minting.LATER) or (minting is Minting.IF_ASKED and imported.token):
        return None
    found = _opening(principal, account, imported)
    if isinstance(found, str):
        if minting is Minting.YES:
            raise IdentityError(found, field="minting")
        return None
    exporter, name = found.exporter, found.exporter.name
    if isinstance(
        decisions.decide(principal, Action.ACTIVATION_ISSUE, accounts.scope(exporter)), decisions.Denied
    ):
        raise IdentityError(
            f"The export {found.export.subject} of “{name}” is private, and you may not issue its activation tokens. "
            f"An administrator of that account, of the operator “{exporter.operator.name}” or of the installation can: "
            "ask for a token, and give it here.",
            field="minting",
        )
    if 0 < draft.expires <= clock.unix():
        raise IdentityError(
            "The expiry of the token is in the past: choose a later one, or none.", field="token_expires"
        )
    return found


def with_token(
    *, principal: Principal, account: Account, draft: ImportDraft
) -> tuple[Import, IssuedToken | None]:
    """A draft's import with the token that it needs, issued and audited in the caller's transaction, where `account`
    and the exporting account are locked.

    Raises: as `add`.
    """
    wanted = source(principal, account, draft)
    if wanted is None:
        return draft.imported, None
    exporter = changes.locked(wanted.exporter, None)
    token = _minted(principal, exporter, wanted, account, draft)
    activations.record(principal=principal, exporter=exporter, token=token)
    return replace(draft.imported, token=token.text), token


def _token_follows(principal: Principal, account: Account, draft: ImportDraft) -> bool:
    return draft.minting is Minting.LATER or source(principal, account, draft) is not None


def _opening(principal: Principal, account: Account, imported: Import) -> Source | str:
    """The private export that a token would open; or why there is none."""
    known = neighbours.known(principal, [imported.account], operator=account.operator).get(imported.account)
    if known is None or known.exporter.deleted or imported.account == account.public_key:
        return "No account with this key stands here (that you may see), so its token can't be issued here."
    name, subject = known.row.name, remote_subject(imported)
    export = rules.export_for(known.exporter.claims.nats, imported.type, subject)
    if export is None:
        return f"“{name}” has no {imported.type} that covers {subject}: there is nothing to open."
    if not export.token_req or export.account_token_position:
        return f"The export {export.subject} of “{name}” asks for no token."
    return Source(exporter=known.row, export=export)


def _write(
    principal: Principal, account: Account, handle: str, draft: ImportDraft, version: int, done: str
) -> Account:
    decisions.require(principal, Action.IMPORT_EDIT, accounts.scope(account))
    if draft.minting is Minting.LATER:
        raise IdentityError(
            "The token of this import is not here yet: give it, or its address.", field="token"
        )
    with changes.transaction_of_one():
        row, exporter = _locked(account, version, source(principal, account, draft))
        imported, token = draft.imported, None
        if exporter is not None:
            token = _minted(principal, exporter, source(principal, row, draft), row, draft)
            imported = replace(imported, token=token.text)
        change = planned(principal, row, handle, imported)
        saved = accounts.commit(row, change, principal=principal, done=done, action=Action.IMPORT_EDIT)
        if exporter is not None and token is not None:
            activations.record(principal=principal, exporter=exporter, token=token)
    return saved


def _locked(account: Account, version: int, wanted: Source | None) -> tuple[Account, Account | None]:
    """The importing account, and the exporting one where a token is issued; always in the same order."""
    if wanted is None:
        return changes.locked(account, version), None
    if wanted.exporter.pk < account.pk:
        exporter = changes.locked(wanted.exporter, None)
        return changes.locked(account, version), exporter
    row = changes.locked(account, version)
    return row, changes.locked(wanted.exporter, None)


def _minted(
    principal: Principal, exporter: Account, wanted: Source | None, row: Account, draft: ImportDraft
) -> IssuedToken:
    if wanted is None:  # the export was opened to everybody at this moment
        raise IdentityError(
            "The export has just changed. Look at it again, then save again.", field="minting"
        )
    ask = ActivationDraft(
        target=row.public_key, subject=remote_subject(draft.imported), expires=draft.expires
    )
    try:
        return activations.mint(principal=principal, exporter=exporter, export=wanted.export, draft=ask)
    except changes.InvalidClaims as invalid:
        raise IdentityError(invalid.user_message, field="token_expires") from None
    except IdentityError as refused:
        refused.field = "minting"
        raise


def planned(
    principal: Principal, account: Account, handle: str, imported: Import, *, token_follows: bool = False
) -> changes.Change:
    """The import with this handle replaced, or with none one more; findings that it did not have before are added."""
    held = changes.claims_of(account).nats.imports
    before: Import | None = None
    index, rest = len(held), ()
    if handle:
        index, before = sharing.import_at(account, handle)
        rest = held[index + 1 :]
    if token_follows:
        imported = replace(imported, token="")
    edit = changes.edit_body(imports=(*held[:index], imported, *rest))
    now = clock.unix()
    change = changes.plan(account, edit, now=now)
    around = neighbours.around(principal, [before, imported], operator=account.operator)
    known = sharing.issues_of(account, before, change.before.nats, around, now=now) if before else ()
    found = sharing.issues_of(
        account, imported, change.after.nats, around, now=now, token_follows=token_follows
    )
    fresh = (
        replace(issue, path=f"nats.imports[{index}].{issue.path}") for issue in found if issue not in known
    )
    change = replace(change, report=Report.of([*change.report, *fresh]))
    return replace(change, diff=_named(change.diff, imported)) if token_follows else change


def _named(diff: tuple[FieldChange, ...], imported: Import) -> tuple[FieldChange, ...]:
    """The diff with the token that will be issued named in it."""
    words = " ".join(filter(None, (imported.subject, imported.type, imported.account)))
    entry = f"nats.imports[{words}]"
    shown = []
    for one in diff:
        if one.path == entry:
            shown.append(replace(one, after=f"{one.after}, token {FOLLOWS}"))
        elif one.path != f"{entry}.token":
            shown.append(one)
    before = next((one.before for one in diff if one.path == f"{entry}.token"), "")
    if not any(one.path == entry for one in diff):
        shown.append(FieldChange(f"{entry}.token", before, FOLLOWS))
    return tuple(sorted(shown, key=lambda one: one.path))
