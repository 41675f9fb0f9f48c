"""Writes the audit chain: one event per change, in the change's own transaction, sealed to the event before."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from identities.models import AuditEvent, AuditHead, AuditTarget, Installation
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import bulk, clock, secrets

KEY_ID = "audit-1"
_COLUMNS = ("seq", "actor", "actor_name", "way", "address", "action", "summary")


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


def record(principal: Principal, action: Action, targets: Iterable[Target], summary: str) -> AuditEvent:
    """Append one event. Call it last inside the transaction of the change it speaks of; never put a secret in it.

    Raises:
        RuntimeError: called outside a transaction: the event and the change would not stand or fall together.
    """
    event = Event(action=action, targets=tuple(targets), summary=summary)
    return record_all(principal, [event])[-1]


def record_all(principal: Principal, events: Iterable[Event]) -> list[AuditEvent]:
    """Append many events of one transaction in few statements; see `record`."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an audit event is written in the transaction of its change")
    told = list(events)
    moment = clock.now()
    head, _ = AuditHead.objects.select_for_update().get_or_create(pk=1)
    made: list[AuditEvent] = []
    with _sealing() as seal:
        for event in told:
            canonical = _canonical(principal, event, head.seq + 1, moment)
            row = AuditEvent(
                seq=head.seq + 1,
                at=moment,
                actor=principal.key,
                actor_name=principal.name,
                way=principal.way.value,
                address=principal.address,
                action=event.action.value,
                summary=event.summary,
                key_id=KEY_ID,
                prev=head.hash,
                hash=seal(head.hash, canonical),
                canonical=canonical,
            )
            head.seq, head.hash = row.seq, row.hash
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
    head.save(update_fields=["seq", "hash"])
    return made


def _canonical(principal: Principal, event: Event, seq: int, moment: datetime) -> str:
    """The exact text that an event's hash covers."""
    return json.dumps(
        {
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
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def first_broken() -> int | None:
    """Walk the whole chain; return the number of the first event that does not fit, or None when all fit."""
    prev, expected = "", 1
    with _sealing() as seal:
        for event in AuditEvent.objects.order_by("seq").prefetch_related("targets").iterator(chunk_size=1000):
            if event.seq != expected or event.prev != prev or event.hash != seal(prev, event.canonical):
                return expected
            if not _columns_fit(event):
                return expected
            prev, expected = event.hash, expected + 1
    head = AuditHead.objects.filter(pk=1).first()
    if (head.seq, head.hash) != (expected - 1, prev) if head is not None else expected > 1:
        return expected
    return None


def _columns_fit(event: AuditEvent) -> bool:
    said = json.loads(event.canonical)
    targets = sorted([t.kind, t.key, t.name, t.operator_key] for t in event.targets.all())
    held = {name: getattr(event, name) for name in _COLUMNS}
    return said == {**held, "at": event.at.isoformat(), "targets": said["targets"]} and (
        sorted(said["targets"]) == targets
    )


@contextmanager
def _sealing() -> Iterator[Callable[[str, str], str]]:
    """What seals an event to the one before, for the length of a block."""
    installed = Installation.objects.only("audit_key").get()
    with secrets.opened(
        bytes(installed.audit_key), table="installation", public_key="", purpose="audit"
    ) as key:
        secret = key.reveal()
        yield lambda prev, canonical: hmac.new(
            secret, (prev + canonical).encode(), hashlib.sha256
        ).hexdigest()
