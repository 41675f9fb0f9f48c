"""The audit goes out as JSON Lines, as far as somebody may see it; that it did is an event itself, written before.

One object a line, oldest first: `seq`, `at` (ISO 8601, UTC), `actor`, `actor_name`, `way`, `address`, `action`,
`summary`, `objects`, `changes`, `prev` and `hash` (hex).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence

from django.db import transaction

from identities.models import AuditEvent
from identities.policy.actions import Action
from identities.policy.decisions import Denied, Forbidden
from identities.policy.principal import Principal
from identities.queries import activity, reach
from identities.queries.activity import Wanted
from identities.services import audit

CHUNK = 500
_SAME = ("actor", "actor_name", "way", "address", "action", "summary", "prev", "hash")


def export(*, principal: Principal, wanted: Wanted) -> Iterator[bytes]:
    """Lines of all events so far that fit; the export is audited here, before the first of them.

    Raises: Forbidden.
    """
    decision = reach.anywhere(principal, Action.AUDIT_EXPORT)
    if isinstance(decision, Denied):
        raise Forbidden(decision.reason)
    with transaction.atomic():
        told = ", ".join(f"{name} “{value}”" for name, value in wanted.query().items())
        said = f"Exported the audit{f' where {told}' if told else ''}"
        event = audit.record(principal, Action.AUDIT_EXPORT, [], said)
    return _lines(principal, wanted, event.seq)


def _lines(principal: Principal, wanted: Wanted, end: int) -> Iterator[bytes]:
    last = 0
    rows = activity.events(principal, wanted).defer(None).filter(seq__lt=end).order_by("seq")
    while chunk := list(rows.filter(seq__gt=last)[:CHUNK]):
        yield b"".join(_chunk(principal, chunk))
        last = chunk[-1].seq


def _chunk(principal: Principal, events: Sequence[AuditEvent]) -> Iterator[bytes]:
    for line in told(principal, events):
        yield json.dumps(line, ensure_ascii=False).encode() + b"\n"


def told(principal: Principal, events: Sequence[AuditEvent]) -> Iterator[dict[str, object]]:
    """Events as far as the principal may see them, as the lines of an export have it."""
    ids = [event.pk for event in events]
    whole = activity.whole(principal, ids)
    objects = defaultdict(list)
    for target in reach.audit_targets(principal).filter(event_id__in=ids).order_by("pk"):
        objects[target.event_id].append(
            {
                "kind": target.kind,
                "key": target.key,
                "name": target.name,
                "operator_key": target.operator_key,
            }
        )
    for event in events:
        changes = audit.changes_of(event.canonical) if event.pk in whole else ()
        yield {
            "seq": event.seq,
            "at": event.at.isoformat(),
            **{name: getattr(event, name) for name in _SAME},
            "summary": event.summary if event.pk in whole else "",
            "objects": objects[event.pk],
            "changes": [{"path": one.path, "before": one.before, "after": one.after} for one in changes],
        }
