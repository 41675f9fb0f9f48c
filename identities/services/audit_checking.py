"""Walks the audit chain and names every row that does not fit: changed, missing, moved, or cut off at the end.

It trusts nothing that it reads: a column may hold what no version of this program would write. It reads on while
others write, and looks at the end of the chain under the lock that every writer takes last.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, TextField
from django.db.models.functions import Cast

from identities.models import AuditEvent, AuditHead, AuditTarget
from identities.services.audit_sealing import KEY_ID, Seal, sealing

CHUNK = 1000
MOST_FINDINGS = 200
_SAID = ("seq", "actor", "actor_name", "way", "address", "action", "summary")
"""Columns that the canonical text holds as they are."""
_READ = ("pk", "seq", "actor", "actor_name", "way", "address", "action", "summary")
Tick = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What does not fit: the number of the event and, where there is one, the id of its row; `text` is for people."""

    seq: int
    row: int | None
    text: str

    def __str__(self) -> str:
        where = f"event {self.seq:,}" if self.seq else "objects"
        return f"{where}{f' (row {self.row})' if self.row else ''}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What came of a walk: how many events there are, the end of the chain, and all that does not fit, bounded."""

    events: int
    seq: int
    hash: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain as it was noted elsewhere."""

    seq: int
    hash: str


@dataclass(slots=True)
class _Walk:
    seal: Seal
    noted: Head | None
    findings: list[Finding]
    cursor: int | None = None
    last: int = 0
    prev: str = ""
    events: int = 0

    def add(self, seq: int, row: int | None, text: str) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(seq=seq, row=row, text=text))


def check(*, noted: Head | None = None, tick: Tick | None = None) -> Checked:
    """Walk the whole chain; `noted`, an end that was kept elsewhere, finds a chain that was cut off and mended.

    `tick` is told after every thousand events how many were read. Raises: SealedInstallation.
    """
    with sealing() as seal, _bytes_as_text():
        walk = _Walk(seal=seal, noted=noted, findings=[])
        while _chunk(walk):
            if tick is not None:
                tick(walk.events)
        with transaction.atomic():
            held = list(
                AuditHead.objects.select_for_update().values_list("pk", "seq", "hash")
            )  # from here on nobody adds an event
            while _chunk(walk):
                pass
            _end(walk, held)
            _loose(walk)
    return Checked(events=walk.events, seq=walk.last, hash=walk.prev, findings=tuple(walk.findings))


def _chunk(walk: _Walk) -> bool:
    """Read on; False at the end of what is there."""
    rows = AuditEvent.objects.annotate(at_text=Cast("at", TextField()))
    if walk.cursor is not None:
        rows = rows.filter(seq__gt=walk.cursor)
    columns = (*_READ, "key_id", "prev", "hash", "canonical", "at_text")
    found = [
        dict(zip(columns, row, strict=True)) for row in rows.order_by("seq").values_list(*columns)[:CHUNK]
    ]
    numbered = [row for row in found if type(row["seq"]) is int]
    targets = _targets([row["pk"] for row in numbered])
    for row in numbered:
        _event(walk, row, targets[row["pk"]])
    if len(numbered) < len(found):  # what is no number sorts behind all numbers
        for row in found[len(numbered) :]:
            walk.add(walk.last + 1, row["pk"], "its number was changed to something that is none")
        return False
    return len(found) == CHUNK


def _event(walk: _Walk, row: Mapping[str, Any], targets: Sequence[tuple[Any, ...]]) -> None:
    seq, expected = row["seq"], walk.last + 1
    wrong = []
    if seq > expected:
        gap = str(expected) if seq == expected + 1 else f"{expected:,} to {seq - 1:,}"
        walk.add(expected, None, f"missing: there is no event {gap}")
    elif seq < expected:
        wrong.append("its number was changed")
    if row["hash"] != walk.seal(str(row["prev"]), str(row["canonical"])):
        wrong.append("changed: its seal does not fit its text")
    else:
        wrong += _told(row, targets)
    if seq == expected and row["prev"] != walk.prev:
        wrong.append("it is not sealed to the event before: one of the two was put there or exchanged")
    if row["key_id"] != KEY_ID:
        wrong.append("changed: key_id")
    if walk.noted is not None and walk.noted.seq == seq and walk.noted.hash != row["hash"]:
        wrong.append("another seal than the one that was noted: the chain was rewritten up to here")
    for text in wrong:
        walk.add(seq, row["pk"], text)
    walk.cursor = seq
    walk.events += 1
    if seq >= expected:
        walk.last, walk.prev = seq, row["hash"]


def _told(row: Mapping[str, Any], targets: Sequence[tuple[Any, ...]]) -> Iterator[str]:
    """What a row says otherwise than its canonical text, whose seal fits."""
    said = json.loads(row["canonical"])
    if said["seq"] != row["seq"]:
        yield f"moved: this is event {said['seq']:,}, under another number"
        return
    changed = [name for name in _SAID if row[name] != said[name]]
    if _moment(row["at_text"]) != _moment(said["at"]):
        changed.append("at")
    if changed:
        yield f"changed: {', '.join(changed)}"
    told = [tuple(target) for target in said["targets"]]
    held = [tuple(target[2:]) for target in targets]
    if "v" not in said:  # version 1 kept no order
        told, held = sorted(told), sorted(held, key=str)
    if held != told:
        rows = ", ".join(str(target[1]) for target in targets) or "none"
        yield f"changed: the objects that it names (rows {rows} of the table of objects)"
    elif any(target[0] != row["seq"] for target in targets):
        yield "changed: the number that its objects carry"


def _targets(events: Sequence[int]) -> Mapping[int, list[tuple[Any, ...]]]:
    """Number, row and content of the objects of each event."""
    found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    columns = ("event_id", "seq", "pk", "kind", "key", "name", "operator_key")
    rows = AuditTarget.objects.filter(event_id__in=events).order_by("pk").values_list(*columns)
    for event, *rest in rows:
        found[event].append(tuple(rest))
    return found


def _end(walk: _Walk, held: Sequence[tuple[Any, ...]]) -> None:
    """The row that says where the chain ends, and the end that was noted elsewhere."""
    last, found = walk.last, [row for row in held if row[0] == 1]
    if len(held) > len(found):
        walk.add(last, None, "the table of the chain's end holds another row than its one")
    if not found:
        if last:
            walk.add(last + 1, None, "the row that says where the chain ends is missing")
    else:
        _, seq, seal = found[0]
        if type(seq) is not int:
            walk.add(last + 1, None, "the chain's end was changed to something that is no number")
        elif seq > last:
            walk.add(last + 1, None, f"missing: the chain was cut off here, it went on to event {seq:,}")
        elif seq < last:
            walk.add(seq + 1, None, f"the chain's end was set back to event {seq:,}")
        elif seal != (walk.prev):
            walk.add(last, None, "the chain's end holds another seal than its last event")
    if walk.noted is not None and walk.noted.seq > last:
        walk.add(
            last + 1, None, f"missing: event {walk.noted.seq:,} was noted elsewhere, and is not here any more"
        )


def _loose(walk: _Walk) -> None:
    """Objects of an event that is not there; foreign keys allow none, whoever writes past them may."""
    loose = AuditTarget.objects.exclude(Q(event_id__in=AuditEvent.objects.values("pk")))
    for pk, event in loose.order_by("pk").values_list("pk", "event_id")[:MOST_FINDINGS]:
        walk.add(0, pk, f"row {pk} of the table of objects names an event (row {event}) that is not there")


def _moment(text: object) -> datetime | None:
    """A moment as either database writes it; None for what is none."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


@contextmanager
def _bytes_as_text() -> Iterator[None]:
    """SQLite takes any bytes as text: those that are none shall be found, and not end the walk."""
    if connection.vendor != "sqlite":
        yield
        return
    connection.ensure_connection()
    raw: Any = connection.connection
    before = raw.text_factory
    raw.text_factory = lambda held: held.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        raw.text_factory = before
