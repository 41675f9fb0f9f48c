"""Reads a backup into an empty installation: all of it or nothing, in one transaction, then looks whether it fits."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import DatabaseError, connection, transaction

from identities.errors import IdentityError
from identities.formats import sealed_stream
from identities.formats.sealed_stream import Lock, StreamRefused
from identities.models import (
    AuditEvent,
    AuditHead,
    AuditTarget,
    FirstAdminLink,
    Installation,
    SignInFailure,
    WorkerBeat,
    append_only,
)
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit, audit_checking, backup_tables, secrets
from identities.services.audit_checking import Finding
from identities.services.backing_up import FORMAT
from identities.services.backup_tables import Table

OF_A_START = (AuditTarget, AuditEvent, AuditHead, FirstAdminLink, SignInFailure, WorkerBeat, Installation)
"""What an installation holds that was started and never used, in the order in which it can be deleted."""
_STARTED = frozenset({Action.FIRST_ADMINISTRATOR.value, Action.SIGN_IN_FAILED.value})
"""What the audit of such an installation may tell of."""
Tick = Callable[[str, int], None]
"""Told of each table that was read, and of how many rows it had."""


class NotEmpty(IdentityError):
    """There is something already where a backup should go."""

    code = "not-empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it: `sealed` says why nothing can be signed, "" when the master key is here; `broken` is what does
    not fit in the audit, None when that can't be told without the master key."""

    made_at: str
    version: str
    rows: int
    sealed: str
    events: int
    broken: tuple[Finding, ...] | None


def restore(*, principal: Principal, path: Path, lock: Lock, tick: Tick | None = None) -> Outcome:
    """Read the backup at `path` into this installation, which must be empty.

    Where the master key is here, an event says so, as the next of the chain that came with the backup.
    Raises: Forbidden, NotEmpty, StreamRefused, IdentityError, OSError; then nothing has changed.
    """
    decisions.require(principal, Action.RESTORE)
    with path.open("rb") as file:
        lines = _parsed(sealed_stream.lines(file, lock))
        head = _head(lines)
        try:
            with transaction.atomic():
                _make_room()
                rows = _read(lines, tick)
                secrets.forget()
                sealed = secrets.sealed_reason()
                if not sealed:
                    told = f"Restored from a backup of {head['made_at'][:19].replace('T', ' ')} UTC"
                    audit.record(principal, Action.RESTORE, [], told)
        except DatabaseError as refused:
            raise IdentityError(
                f"The database took not all of it, so nothing was restored: {refused}"
            ) from None
        finally:
            secrets.forget()
    checked = None if sealed else audit_checking.check()
    return Outcome(
        made_at=head["made_at"],
        version=head["version"],
        rows=rows,
        sealed=sealed,
        events=checked.events if checked else 0,
        broken=checked.findings if checked else None,
    )


def _parsed(lines: Iterator[bytes]) -> Iterator[Any]:
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            raise _odd() from None


def _head(lines: Iterator[Any]) -> dict[str, Any]:
    """The first line, when its backup fits this version."""
    head = next(lines, None)
    if not isinstance(head, dict) or "format" not in head:
        raise _odd()
    if head["format"] != FORMAT:
        raise IdentityError(
            f"This backup has format {head['format']}, and format {FORMAT} is known here. Take the version of nscweb "
            f"that wrote it ({head.get('version', 'unknown')})."
        )
    here, there = (
        {tuple(one) for one in which} for which in (backup_tables.migrations(connection), head["migrations"])
    )
    if here != there:
        names = [f"{app}.{name}" for app, name in sorted(here ^ there)[:5]]
        raise IdentityError(
            f"This backup was written by nscweb {head['version']}, whose tables are other ones than here (migrations "
            f"that only one of the two has: {', '.join(names)}). Restore it with that version, then upgrade."
        )
    return head


def _make_room() -> None:
    """Clear away what the first start made. Raises: NotEmpty."""
    for table in backup_tables.tables():
        found = table.all()
        if table.model is AuditEvent:
            found = found.exclude(action__in=_STARTED)
        elif table.model in OF_A_START:
            continue
        if count := found.count():
            raise NotEmpty(
                f"This installation is not empty: {count:,} {table.model._meta.verbose_name_plural} are in it. A "
                "backup is restored into a new database only."
            )
    append_only.remove(connection)
    for model in OF_A_START:
        Table(model).empty(connection)
    connection.check_constraints()  # PostgreSQL makes no trigger while some wait to be checked
    append_only.install(connection)


@dataclass(slots=True)
class _Reading:
    """Rows on their way into their tables; those that are still `awaited` have not begun."""

    tick: Tick | None
    awaited: dict[str, Table]
    table: Table | None = None
    last_ids: list[tuple[Table, int]] = field(default_factory=list)
    ready: list[list[Any]] = field(default_factory=list)
    count: int = 0
    total: int = 0

    def row(self, values: list[Any]) -> None:
        """One row of the table that has begun."""
        self.ready.append(values)
        self.count += 1
        if len(self.ready) >= backup_tables.CHUNK:
            self.put()

    def begin(self, name: str, columns: list[str], last_id: int | None) -> None:
        """The rows of another table follow."""
        self.put()
        self.table = self.awaited.pop(name, None)
        if self.table is None or self.table.columns != columns:
            raise _odd()
        if last_id is not None:
            self.last_ids.append((self.table, last_id))

    def put(self) -> None:
        """Write what waits."""
        if self.table is None:
            if self.ready:
                raise _odd()
            return
        if self.ready:
            self.table.insert(connection, self.ready)
            self.ready.clear()

    def end_table(self) -> None:
        """No more rows of the table that had begun."""
        self.put()
        if self.table is not None and self.tick is not None:
            self.tick(self.table.name, self.count)
        self.total, self.count = self.total + self.count, 0


def _read(lines: Iterator[Any], tick: Tick | None) -> int:
    everything = backup_tables.tables()
    reading = _Reading(tick, {table.name: table for table in everything})
    for line in lines:
        if isinstance(line, list):
            reading.row(line)
            continue
        reading.end_table()
        if line.get("end"):
            if line["rows"] != reading.total or reading.awaited:
                raise _odd()
            break
        reading.begin(line["table"], line["columns"], line["last_id"])
    else:
        raise _odd()
    if next(lines, None) is not None:  # and so the file was read to its end, which proves that it is whole
        raise _odd()
    backup_tables.reset_sequences(connection, everything)
    for table, last in reading.last_ids:
        table.go_on_after(connection, last)
    return reading.total


def _odd() -> StreamRefused:
    return StreamRefused("This backup holds something else than its tables; nothing was restored.")
