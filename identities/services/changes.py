"""Plan, then commit: what every edit of an operator, account or user stands on.

`plan` shows what an edit would do (claims before and after, validation report, field-by-field diff) and writes
nothing. `commit` locks the row, refuses a stale version, signs, and writes row, ledger and permission rows; the
service that called it records the audit event last, in the same transaction.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from django.db import IntegrityError, transaction

from identities.claims import codec, diff, report, stricter, validate
from identities.claims.common import Claims
from identities.claims.permissions import UserPermissionLimits
from identities.errors import IdentityError
from identities.models import (
    Account,
    Cluster,
    IssuedToken,
    Key,
    Operator,
    Purpose,
    SignOnProvider,
    User,
    WorkloadRule,
)
from identities.policy.principal import Principal
from identities.services import (
    clock,
    columns,
    four_eyes,
    granted,
    handovers,
    kept_out,
    lockouts,
    outbox,
    signing,
)

Row = TypeVar("Row", Operator, Account, User)
AnyClaims = Claims[Any]
_INDEX = re.compile(r"\[\d+\]")
_CLASH = re.compile(r"\b(?:\w+_)?(name|key)_unique\b")


class StaleWrite(IdentityError):
    """Somebody else changed the object after this person's page was loaded."""

    code = "stale"

    def __init__(self, current: Operator | Account | User | Cluster | SignOnProvider | WorkloadRule) -> None:
        super().__init__(
            f"“{current.name}” was changed by {current.updated_by} meanwhile. Compare both values below, "
            "then save again."
        )
        self.current = current


class InvalidClaims(IdentityError):
    """The claims would not be accepted by nats-server or by our stricter rules."""

    code = "invalid-claims"

    def __init__(self, found: report.Report) -> None:
        super().__init__(
            " ".join(
                dict.fromkeys(issue.message for issue in found if issue.grade is not report.Grade.WARNING)
            )
        )
        self.report = found


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an edit would do. `after` still carries the old `iat`, `iss` and `jti`; signing sets them."""

    before: AnyClaims
    after: AnyClaims
    report: report.Report
    diff: tuple[diff.FieldChange, ...]
    consequences: tuple[str, ...] = ()
    """What it does beyond this JWT, in words: whose connections drop, what stops working."""

    @property
    def is_empty(self) -> bool:
        """True when the edit changes nothing."""
        return not self.diff

    def new_warnings(self, *, now: int) -> tuple[str, ...]:
        """What the edit brings in that NATS takes, but that somebody should have meant: accepted before saving."""
        held = {_finding(issue) for issue in check(self.before, self.before, now=now).warnings}
        fresh = (issue.message for issue in self.report.warnings if _finding(issue) not in held)
        return tuple(dict.fromkeys(fresh))


def claims_of(row: Operator | Account | User) -> AnyClaims:
    """The typed claims of a row's current document."""
    return row.document()


def document(claims: AnyClaims) -> dict[str, object]:
    """The payload of claims, parsed: what diffs compare."""
    parsed: dict[str, object] = json.loads(codec.payload_text(claims))
    return parsed


def difference(before: AnyClaims, after: AnyClaims) -> tuple[diff.FieldChange, ...]:
    """What differs between two claims, field by field."""
    return diff.diff(document(before), document(after))


def plan(row: Operator | Account | User, edit: Callable[[AnyClaims], AnyClaims], *, now: int) -> Change:
    """Work out what `edit` would change on `row`; writes nothing."""
    before = claims_of(row)
    after = edit(before)
    return Change(
        before=before,
        after=after,
        report=check(after, before, now=now),
        diff=difference(before, after),
    )


def check(after: AnyClaims, before: AnyClaims | None, *, now: int) -> report.Report:
    """All findings on `after`: the Go library's, ours, and a time in the past that was just typed in as an error."""
    found = [*validate.validate(after, now=now), *stricter.stricter_issues(after, before)]
    if after.exp and after.exp <= now and (before is None or before.exp != after.exp):
        found.append(_error("exp", "The expiry is in the past: choose a later one, or none."))
    if (
        after.exp
        and after.nbf
        and after.exp <= after.nbf
        and (before is None or (before.exp, before.nbf) != (after.exp, after.nbf))
    ):
        found.append(_error("exp", "The expiry is before the start: nobody could ever use it."))
    return report.Report.of(found)


def _error(path: str, message: str) -> report.Issue:
    return report.Issue(report.Grade.ERROR, path, message, ours=True)


def refuse_invalid(found: report.Report) -> None:
    """Raise `InvalidClaims` when the report holds an error."""
    if found.blocking:
        raise InvalidClaims(found)


@contextmanager
def transaction_of_one() -> Iterator[None]:
    """A transaction in which a name or key that somebody else takes at the same moment is a refusal, not a fault.

    Services look first whether it is free; two at once both find it so, and the database's constraint decides.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as broken:
        clash = _CLASH.search(str(broken))
        if clash is None:
            raise
        field, what = ("name", "name") if clash[1] == "name" else ("public_key", "key")
        raise IdentityError(
            f"Somebody else has just taken this {what}. Load the page again and choose another one.",
            field=field,
        ) from None


def locked(row: Row, version: int | None) -> Row:
    """The row as it is now, locked until the transaction ends. Lock from the top down: operator, account, user.

    Whom somebody chose to sign it stays chosen. Rows that point to it may still be inserted meanwhile (`no_key`), so
    that two who lock apart never wait in a ring.

    Raises:
        StaleWrite: `version` is not the row's any more, or the row was deleted.
    """
    current = type(row).objects.select_for_update(no_key=True).get(pk=row.pk)
    if current.deleted_at is not None or (version is not None and current.version != version):
        raise StaleWrite(current)
    current.chosen_signer = row.chosen_signer
    return current


def commit(
    row: Row,
    change: Change,
    *,
    principal: Principal,
    key: Key,
    reason: str,
    unchanged: bool = False,
    urgent: bool = False,
) -> Row:
    """Sign `change.after` with `key` and store it on the locked `row`: document, columns, ledger, permission rows, and
    for an account the note that servers have to learn of it.

    With nothing changed and `unchanged` false the row stays as it is: no new token for no change. `urgent`: it locks
    somebody out, and may be dated further ahead (`signing.next_iat`).

    Raises:
        SecondPersonNeeded: the operator asks for four eyes. Suspended: the user is, or the account's change would let a
            suspended one in. Forbidden: the account's change touches what only its operator grants.
    """
    refuse_invalid(change.report)
    if change.is_empty and not unchanged:
        return row
    four_eyes.refuse(principal, row if isinstance(row, Operator) else row.operator)
    if isinstance(row, User):
        kept_out.refuse(row)
    elif isinstance(row, Account):
        granted.require(principal, row, change.before, change.after)
        kept_out.refuse_freed(row, change.before.nats.revocations, change.after.nats.revocations)
    now = clock.unix()
    iat = signing.next_iat(row.last_iat, now, urgent=urgent)
    with signing.signer_for(key) as signer:
        token = codec.encode_checked(change.after, signer, iat)
    credential = columns.is_credential(token.claims, _template(row, key))
    columns.fill(row, token, scoped=key.purpose == Purpose.ROLE, credential=credential)
    row.token = _into_ledger(row, token, principal=principal, reason=reason, credential=credential)
    row.version += 1
    row.updated_at = clock.at(now)
    row.updated_by = principal.name
    row.save()
    columns.write_permissions(row, token.claims)
    if isinstance(row, Account):
        outbox.wake(principal=principal, operator=row.operator_id, keys=[row.public_key])
        handovers.follow(row.pk, change.before.nats.revocations, token.claims.nats.revocations)
        lockouts.note(
            principal=principal, account=row, before=change.before, after=token.claims, reason=reason
        )
    note(row, None if row.version == 1 else change.before, token.claims, change.consequences)
    return row


def note(
    row: Operator | Account | User,
    before: AnyClaims | None,
    after: AnyClaims,
    consequences: Iterable[str] = (),
) -> None:
    """Tell whoever tries this out that a JWT was signed; `before` is None for something new."""
    if four_eyes.is_watched():
        fields = diff.diff(document(before) if before is not None else None, document(after))
        kind = type(row).__name__.lower()
        seen = four_eyes.SeenChange(kind=kind, key=row.public_key, name=row.name, fields=fields)
        four_eyes.note_change(seen, consequences)


def first(row: Row, claims: AnyClaims, *, principal: Principal, key: Key, reason: str) -> Row:
    """Sign the first claims of a just inserted `row` and store them: `commit` for something that had none yet."""
    change = Change(before=claims, after=claims, report=check(claims, None, now=clock.unix()), diff=())
    return commit(row, change, principal=principal, key=key, reason=reason, unchanged=True)


def said(done: str, name: str, change: Change) -> str:
    """An audit summary that names what was edited, by path, without the values."""
    return f"{done} “{name}”: " + ", ".join(dict.fromkeys(field.path for field in change.diff))


def _finding(issue: report.Issue) -> tuple[str, str]:
    """The same for the same finding, wherever in its list the value stands now."""
    return _INDEX.sub("[]", issue.path), issue.message


def _template(row: Operator | Account | User, key: Key) -> UserPermissionLimits | None:
    """What the role `key` gives to its users; None for any other key."""
    if not isinstance(row, User) or key.purpose != Purpose.ROLE:
        return None
    return signing.template_of(claims_of(row.account), key)


def _into_ledger(
    row: Operator | Account | User, token: codec.Token, *, principal: Principal, reason: str, credential: bool
) -> IssuedToken:
    operator = row if isinstance(row, Operator) else row.operator
    entry = signing.ledger_row(
        token,
        principal=principal,
        operator=operator,
        reason=reason,
        replaces=row.token_id,
        credential=credential,
    )
    entry.save()
    return entry


def edit_body(**fields: Any) -> Callable[[AnyClaims], AnyClaims]:
    """An edit that replaces fields of the `nats` body."""
    return lambda claims: replace(claims, nats=replace(claims.nats, **fields))
