"""The rules of jwt/v2 for the imports of an account, activation tokens included (`imports.go Validate`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from identities.claims import codec
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.imports import Import
from identities.claims.subjects import is_contained_in, reference, renamed, wildcard_count
from identities.claims.validate_activation import check_activation
from identities.claims.validate_findings import Findings
from identities.claims.validate_text import quote
from identities.errors import IdentityError

KINDS = ("stream", "service")


def validate_imports(found: Findings, imports: Sequence[Import | None], account_key: str) -> None:
    """Each import of the account `account_key`, and whether services of one exporter overlap locally."""
    local_names: dict[str, _LocalNames] = {}
    for index, imported in enumerate(imports):
        path = f"nats.imports[{index}]"
        if imported is None:
            found.error(path, "null import is not allowed")
            continue
        if imported.type == "service":
            taken = local_names.setdefault(imported.account, _LocalNames())
            _check_local_name(found, path, imported, taken)
        _validate_import(found, path, imported, account_key)


def local_name(imported: Import) -> str:
    """The subject by which this account knows the import: `to`, `local_subject` with `$N` as `*`, or the subject."""
    return imported.to or renamed(imported.local_subject) or imported.subject


class _LocalNames:
    """Local names of the services of one exporting account; literal ones are found without comparing them all."""

    __slots__ = ("literal", "wide")

    def __init__(self) -> None:
        self.literal: dict[str, None] = {}
        self.wide: dict[str, None] = {}

    def overlapping(self, name: str) -> Iterable[str]:
        if _is_wide(name):
            yield from (other for other in self.literal if is_contained_in(other, name))
            yield from (
                other for other in self.wide if is_contained_in(name, other) or is_contained_in(other, name)
            )
            return
        if name in self.literal:
            yield name
        yield from (other for other in self.wide if is_contained_in(name, other))

    def add(self, name: str) -> None:
        (self.wide if _is_wide(name) else self.literal)[name] = None

    def __contains__(self, name: str) -> bool:
        return name in self.literal or name in self.wide


def _is_wide(name: str) -> bool:
    return "*" in name or ">" in name


def _check_local_name(found: Findings, path: str, imported: Import, taken: _LocalNames) -> None:
    name, account = local_name(imported), imported.account
    where = f"{path}.{'to' if imported.to else 'local_subject' if imported.local_subject else 'subject'}"
    for other in taken.overlapping(name):
        found.error(
            where,
            f"overlapping subject namespace for {quote(name)} and {quote(other)} in same account {quote(account)}",
        )
    if name in taken:
        found.error(where, f"overlapping subject namespace for {quote(name)} in account {quote(account)}")
    taken.add(name)


def _validate_import(found: Findings, path: str, imported: Import, account_key: str) -> None:
    if imported.type not in KINDS:
        found.error(f"{path}.type", 'invalid import type: "unknown"')
    if imported.type == "service" and imported.allow_trace:
        found.error(f"{path}.allow_trace", "AllowTrace only valid for stream import")
    if not imported.account:
        found.error(f"{path}.account", "account to import from is not specified")
    if imported.to:
        found.warning(f"{path}.to", "the field to has been deprecated (use LocalSubject instead)")
    found.subject(f"{path}.subject", imported.subject)
    if imported.local_subject:
        _check_renaming(found, f"{path}.local_subject", imported.local_subject, imported.subject)
        if imported.to:
            found.error(f"{path}.to", "Local Subject replaces To")
    if imported.share and imported.type != "service":
        subject = quote(imported.subject)
        message = f"sharing information (for latency tracking) is only valid for services: {subject}"
        found.error(f"{path}.share", message)
    if imported.token:
        _check_token(found, f"{path}.token", imported, account_key)


def _check_renaming(found: Findings, path: str, local: str, subject: str) -> None:
    """Go's `RenamingSubject.Validate`; a space is reported twice, as there."""
    found.subject(path, local)
    if not subject:
        found.error(path, "subject cannot be empty")
    if " " in local:
        found.error(path, f"subject {quote(local)} cannot have spaces")
    if _is_open(local) != _is_open(subject):
        found.error(path, "both, renaming subject and subject, need to end or not end in >")
    wildcards, referenced = wildcard_count(subject), 0
    for part in local.split("."):
        if part == "*":
            referenced += 1
        elif (number := reference(part)) is not None:
            if number > wildcards:
                found.error(
                    path,
                    f"Reference ${number} in {quote(local)} reference * in {quote(subject)} that do not exist",
                )
            else:
                referenced += 1
    if referenced != wildcards:
        found.error(path, "subject does not contain enough * or reference wildcards $[0-9]")


def _is_open(subject: str) -> bool:
    return subject == ">" or subject.endswith(".>")


def _check_token(found: Findings, path: str, imported: Import, account_key: str) -> None:
    subject = quote(imported.subject)
    activation = _activation(imported.token)
    if activation is None:
        found.error(path, f"import {subject} contains an invalid activation token")
        return
    granted = activation.nats
    if imported.account not in (activation.iss, granted.issuer_account):
        found.error(path, f"activation token doesn't match account for import {subject}")
    if activation.sub != account_key:
        found.error(path, f"activation token doesn't match account it is being included in, {subject}")
    if granted.kind != imported.type:
        kinds = [kind if kind in KINDS else "unknown" for kind in (granted.kind, imported.type)]
        found.error(path, f"mismatch between token import type {kinds[0]} and type of import {kinds[1]}")
    check_activation(found, path, granted)
    wanted = imported.to if imported.type == "service" and imported.to else imported.subject
    if not is_contained_in(wanted, granted.subject):
        found.error(
            path, f"activation token import subject {quote(granted.subject)} doesn't match import {subject}"
        )


def _activation(token: str) -> Claims[ActivationBody] | None:
    try:
        claims = codec.decode(token).claims
    except IdentityError:
        return None
    return claims if isinstance(claims.nats, ActivationBody) else None
