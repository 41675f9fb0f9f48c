"""Writes the audit chain: one event per change, in the change's own transaction, sealed to the event before."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass

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


def record(principal: Principal, action: Action, targets: Iterable[Target], summary: str) -> AuditEvent:
    """Append one event. Call it last inside the transaction of the change it speaks of; never put a secret in it.

    Raises:
        RuntimeError: called outside a transaction: the event and the change would not stand or fall together.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an audit event is written in the transaction of its change")
    aimed = tuple(targets)
    moment = clock.now()
    head, _ = AuditHead.objects.select_for_update().get_or_create(pk=1)
    canonical = json.dumps(
        {
            "seq": head.seq + 1,
            "at": moment.isoformat(),
            "actor": principal.key,
            "actor_name": principal.name,
            "way": principal.way.value,
            "address": principal.address,
            "action": action.value,
            "summary": summary,
            "targets": [[target.kind, target.key, target.name, target.operator_key] for target in aimed],
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
    event = AuditEvent.objects.create(
        seq=head.seq + 1,
        at=moment,
        actor=principal.key,
        actor_name=principal.name,
        way=principal.way.value,
        address=principal.address,
        action=action.value,
        summary=summary,
        key_id=KEY_ID,
        prev=head.hash,
        hash=_seal(head.hash, canonical),
        canonical=canonical,
    )
    bulk.Table(AuditTarget, "event_id", "seq", "kind", "key", "name", "operator_key").insert(
        [(event.pk, event.seq, t.kind, t.key, t.name, t.operator_key) for t in aimed]
    )
    head.seq, head.hash = event.seq, event.hash
    head.save(update_fields=["seq", "hash"])
    return event


def first_broken() -> int | None:
    """Walk the whole chain; return the number of the first event that does not fit, or None when all fit."""
    prev, expected = "", 1
    for event in AuditEvent.objects.order_by("seq").prefetch_related("targets").iterator(chunk_size=1000):
        if event.seq != expected or event.prev != prev or event.hash != _seal(prev, event.canonical):
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


def _seal(prev: str, canonical: str) -> str:
    installed = Installation.objects.only("audit_key").get()
    with secrets.opened(
        bytes(installed.audit_key), table="installation", public_key="", purpose="audit"
    ) as key:
        return hmac.new(key.reveal(), (prev + canonical).encode(), hashlib.sha256).hexdigest()
