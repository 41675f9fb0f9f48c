"""An import beside the export that it names: what nats-server would say to it, with what to do (spec §3.5-§3.7, §9.3).

nats-server leaves an import out that is not allowed, and goes on (`accounts.go checkAuth, checkActivation`); here its
reasons are told. What no change elsewhere could mend, or what the one who imports can mend at once, is an error; what
waits for the exporting account is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.describe_text import date_text
from identities.claims.exports import Export
from identities.claims.handles import handles
from identities.claims.imports import Import
from identities.claims.local_subjects import remote_subject
from identities.claims.report import Grade, Issue
from identities.claims.subjects import is_strict_valid, is_subset
from identities.claims.trust import did_sign
from identities.errors import IdentityError

_KINDS = {"stream": "service", "service": "stream"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """An exporting account as far as it is known. `strict`: its operator requires signing keys; `operator`: the name
    of its operator where that is not the importer's; `deleted`: it was deleted here."""

    key: str
    name: str
    claims: Claims[AccountBody]
    strict: bool = False
    operator: str = ""
    deleted: bool = False


def export_handles(exports: Sequence[Export | None]) -> tuple[str, ...]:
    """One handle an export, by type and subject."""
    return handles(("null",) if one is None else (one.type, one.subject) for one in exports)


def import_handles(imports: Sequence[Import | None]) -> tuple[str, ...]:
    """One handle an import, by type, account, subject and local name."""
    return handles(
        ("null",) if one is None else (one.type, one.account, one.subject, one.local_subject or one.to)
        for one in imports
    )


def export_for(body: AccountBody, kind: str, subject: str) -> Export | None:
    """The export by which nats-server judges an import of `subject`: the same subject, or one that covers it."""
    exports = [one for one in body.exports if one is not None and one.type == kind]
    covering = (one for one in exports if is_subset(subject, one.subject))
    return next((one for one in exports if one.subject == subject), None) or next(covering, None)


def activation_of(imported: Import) -> Claims[ActivationBody] | None:
    """The import's activation token, None when it has none or it can't be read."""
    if not imported.token:
        return None
    try:
        claims = codec.decode(imported.token).claims
    except IdentityError:
        return None
    return claims if isinstance(claims.nats, ActivationBody) else None


def is_revoked(export: Export, activation: Claims[ActivationBody]) -> bool:
    """Whether the export's revocations refuse an activation: its account's, or everybody's (spec §3.10)."""
    times = (export.revocations.get(key) for key in (activation.sub, "*"))
    return any(time is not None and time >= activation.iat for time in times)


def is_signed_by(exporter: Exporter, activation: Claims[ActivationBody]) -> bool:
    """Whether a key that the exporter has now signed an activation, as nats-server asks (`isIssuerClaimTrusted`)."""
    if exporter.strict and activation.nats.issuer_account and activation.iss == exporter.key:
        return False
    return did_sign(exporter.claims, activation)


def import_issues(
    imported: Import, importer: str, exporter: Exporter | None, *, now: int, token_follows: bool = False
) -> tuple[Issue, ...]:
    """All that stands between an import of the account `importer` (a key) and the messages; paths are the import's
    own fields. `exporter` None: not known, so only the token's times are judged. `token_follows`: one will be issued.
    """
    return tuple(_issues(imported, importer, exporter, now, token_follows=token_follows))


def _issue(grade: Grade, path: str, message: str) -> Issue:
    return Issue(grade, path, message, ours=True)


def _issues(
    imported: Import, importer: str, exporter: Exporter | None, now: int, *, token_follows: bool
) -> Iterator[Issue]:
    if exporter is None:
        yield from _time_issues(imported, now)
        return
    who = f"“{exporter.name}”"
    if exporter.deleted:
        yield _issue(
            Grade.WARNING,
            "account",
            f"{who} was deleted here: import from another account, or delete this import.",
        )
        return
    if exporter.operator:
        words = (
            f"{who} belongs to the operator “{exporter.operator}”: only servers that trust both know both."
        )
        yield _issue(Grade.WARNING, "account", words)
    subject = remote_subject(imported)
    if imported.type not in _KINDS or not is_strict_valid(subject):
        return
    export = export_for(exporter.claims.nats, imported.type, subject)
    if export is None:
        yield _not_exported(exporter, imported.type, subject)
    elif export.account_token_position:
        yield from _position_issues(who, export, subject, importer)
    elif export.token_req:
        if not imported.token and not token_follows:
            words = (
                f"The export {export.subject} of {who} is private: servers leave this out without a token."
            )
            yield _issue(Grade.WARNING, "token", words)
        yield from _token_issues(imported, export, exporter, now)


def _not_exported(exporter: Exporter, kind: str, subject: str) -> Issue:
    who, other = f"“{exporter.name}”", _KINDS[kind]
    if (found := export_for(exporter.claims.nats, other, subject)) is not None:
        return _issue(
            Grade.ERROR,
            "type",
            f"{who} exports {found.subject} as a {other}, not as a {kind}: import it as such.",
        )
    for one in exporter.claims.nats.exports:
        if one is not None and one.type == kind and is_subset(one.subject, subject):
            words = f"This subject is wider than the export {one.subject} of {who}: import that, or a part."
            return _issue(Grade.ERROR, "subject", words)
    words = f"{who} exports no {kind} that covers {subject}: servers leave this import out until it does."
    return _issue(Grade.WARNING, "subject", words)


def own_subject(export: Export, importer: str) -> str:
    """What the account `importer` must import of an export with an account token position: its own key stands there."""
    parts = export.subject.split(".")
    if not 0 < export.account_token_position <= len(parts):
        return export.subject
    parts[export.account_token_position - 1] = importer
    return ".".join(parts)


def _position_issues(who: str, export: Export, subject: str, importer: str) -> Iterator[Issue]:
    parts, position = subject.split("."), export.account_token_position
    if subject == export.subject or position > len(parts) or parts[position - 1] != importer:
        wanted = own_subject(export, importer)
        words = f"{who} gives each account only the subjects with its own key as token {position}: import {wanted}."
        yield _issue(Grade.ERROR, "subject", words)


def _token_issues(imported: Import, export: Export, exporter: Exporter, now: int) -> Iterator[Issue]:
    """What Go's library can't know of a token: who has signed it, and whether it was revoked."""
    activation = activation_of(imported)
    if activation is None or exporter.key not in (activation.iss, activation.nats.issuer_account):
        return
    who = f"“{exporter.name}”"
    if not is_signed_by(exporter, activation):
        words = (
            f"The activation token is signed by {activation.iss}, no key of {who} (any more): get a new one."
        )
        yield _issue(Grade.ERROR, "token", words)
    if is_revoked(export, activation):
        words = f"{who} has revoked this activation token, of {date_text(activation.iat)}: get a new one."
        yield _issue(Grade.ERROR, "token", words)
    yield from _time_issues(imported, now)


def _time_issues(imported: Import, now: int) -> Iterator[Issue]:
    activation = activation_of(imported)
    if activation is None:
        return
    if 0 < activation.exp <= now:
        words = f"The activation token expired on {date_text(activation.exp)}: get a new one."
        yield _issue(Grade.ERROR, "token", words)
    elif activation.nbf > now:
        words = f"The activation token is valid only from {date_text(activation.nbf)}."
        yield _issue(Grade.WARNING, "token", words)
