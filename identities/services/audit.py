"""Writes the audit chain: one event per change, in the change's own transaction, sealed to the event before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from identities.claims.diff import FieldChange
from identities.models import AuditEvent, AuditHead, AuditTarget
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit_checking, bulk, clock, four_eyes
from identities.services.audit_sealing import KEY_ID, sealing

VERSION = 2
"""Of the canonical text: 2 holds `changes` beside what 1 (which names no version) held."""
MOST_CHANGES = 100
LONGEST_VALUE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One object that an event is about, by its public key (or another stable text key)."""

    kind: str
    key: str
    name: str
    operator_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of many, for `record_all`."""

    action: Action
    targets: tuple[Target, ...]
    summary: str
    changes: tuple[FieldChange, ...] = ()


def record(
    principal: Principal,
    action: Action,
    targets: Iterable[Target],
    summary: str,
    *,
    changes: Iterable[FieldChange] = (),
) -> AuditEvent:
    """Append one event. Call it last inside the transaction of the change it speaks of; never put a secret in it.

    `changes` say in words what was there before and after; they stand in the canonical text alone, cut off where
    they grow long.

    Raises:
        RuntimeError: called outside a transaction: the event and the change would not stand or fall together.
    """
    event = Event(action=action, targets=tuple(targets), summary=summary, changes=tuple(changes))
    return record_all(principal, [event])[-1]


def record_all(principal: Principal, events: Iterable[Event]) -> list[AuditEvent]:
    """Append many events of one transaction in few statements; see `record`."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an audit event is written in the transaction of its change")
    told = list(events)
    for event in told:
        four_eyes.note_event(event.action.value, event.summary)
    moment = clock.now()
    seq, end = _end()
    made: list[AuditEvent] = []
    with sealing() as seal:
        for event in told:
            seq += 1
            canonical = _canonical(principal, event, seq, moment)
            row = AuditEvent(
                seq=seq,
                at=moment,
                actor=principal.key,
                actor_name=principal.name,
                way=principal.way.value,
                address=principal.address,
                action=event.action.value,
                summary=event.summary,
                key_id=KEY_ID,
                prev=end,
                hash=seal(end, canonical),
                canonical=canonical,
            )
            end = row.hash
            made.append(row)
    columns = [field.attname for field in AuditEvent._meta.concrete_fields if not field.primary_key]
    at = bulk.moment(moment)
    rows = [tuple(at if name == "at" else getattr(row, name) for name in columns) for row in made]
    for row, pk in zip(made, bulk.Table(AuditEvent, *columns).insert(rows), strict=True):
        row.pk = pk
    bulk.Table(AuditTarget, "event_id", "seq", "kind", "key", "name", "operator_key").insert(
        [
            (row.pk, row.seq, t.kind, t.key, t.name, t.operator_key)
            for row, event in zip(made, told, strict=True)
            for t in event.targets
        ]
    )
    bulk.update(AuditHead, ("seq", "hash"), [(seq, end, 1)])
    return made


def _end() -> tuple[int, str]:
    """Number and seal of the last event, which stay so until this transaction is over: its row is locked."""
    connection = transaction.get_connection()
    table = connection.ops.quote_name(AuditHead._meta.db_table)
    lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT seq, hash FROM {table} WHERE id = 1{lock}")  # nosec B608  # noqa: S608 - names of the model
        found: tuple[int, str] | None = cursor.fetchone()
    if found is None:
        first, _ = AuditHead.objects.select_for_update().get_or_create(pk=1)
        found = first.seq, first.hash
    return found


def changes_of(canonical: str) -> tuple[FieldChange, ...]:
    """What an event changed, read from its canonical text; nothing for those of version 1."""
    return tuple(FieldChange(*change) for change in json.loads(canonical).get("changes", ()))


def _canonical(principal: Principal, event: Event, seq: int, moment: datetime) -> str:
    """The exact text that an event's hash covers."""
    return json.dumps(
        {
            "v": VERSION,
            "seq": seq,
            "at": moment.isoformat(),
            "actor": principal.key,
            "actor_name": principal.name,
            "way": principal.way.value,
            "address": principal.address,
            "action": event.action.value,
            "summary": event.summary,
            "targets": [
                [target.kind, target.key, target.name, target.operator_key] for target in event.targets
            ],
            "changes": _bounded(event.changes),
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _bounded(changes: Sequence[FieldChange]) -> list[list[str]]:
    """No event grows without end: long values are cut, and of very many changes the last line says how many."""
    told = [[_cut(one.path), _cut(one.before), _cut(one.after)] for one in changes[:MOST_CHANGES]]
    if len(changes) > MOST_CHANGES:
        told.append([f"… and {len(changes) - MOST_CHANGES:,} more", "", ""])
    return told


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def head() -> tuple[int, str]:
    """The number of the last event and its seal; (0, "") while nothing has happened."""
    held = AuditHead.objects.filter(pk=1).first()
    return (held.seq, held.hash) if held is not None else (0, "")


def first_broken() -> int | None:
    """Walk the whole chain; return the number of the first event that does not fit, or None when all fit."""
    found = audit_checking.check().findings
    return min(one.seq for one in found) if found else None
