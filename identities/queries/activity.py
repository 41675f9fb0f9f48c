"""The audit chain as people ask for it: by actor, action and object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from identities.models import AuditEvent, AuditTarget, Key, Person, Purpose
from identities.nkeys import kind_of
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import reach

TARGETS_SHOWN = 3
IDENTITIES = frozenset({"operator", "account", "user"})
MOST_PEOPLE = 200
LONGEST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A filter: an actor's audit key, an action's name, and an object's public key or name; "" asks for all."""

    actor: str = ""
    action: str = ""
    object: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Wanted:
        """From a query string; an unknown action asks for all."""
        action = query.get("action", "")
        return cls(
            actor=query.get("actor", "").replace("\x00", "")[:LONGEST],
            action=action if action in set(Action) else "",
            object=query.get("object", "").replace("\x00", "").strip()[:LONGEST],
        )

    def __bool__(self) -> bool:
        return bool(self.actor or self.action or self.object)


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The first objects of one event, whether there are more, and the keys of those that were deleted since."""

    first: tuple[AuditTarget, ...]
    more: bool
    gone: frozenset[str] = frozenset()


def events(principal: Principal, wanted: Wanted) -> QuerySet[AuditEvent]:
    """The events that the principal may see and that fit."""
    found = reach.audit_events(principal).defer("canonical")
    if wanted.actor:
        found = found.filter(actor=wanted.actor)
    if wanted.action:
        found = found.filter(action=wanted.action)
    if wanted.object:
        about = AuditTarget.objects.filter(event=OuterRef("pk"))
        if kind_of(wanted.object) is not None:
            found = found.filter(seq__in=AuditTarget.objects.filter(key=wanted.object).values("seq"))
        else:
            found = found.filter(Exists(about.filter(Q(name__icontains=wanted.object))))
    return found


def targets(event_ids: Sequence[int]) -> Mapping[int, Targets]:
    """The first few objects of each event, in two queries: deleting an account may have named thousands.

    Whatever lives has a live identity key.
    """
    numbered = AuditTarget.objects.filter(event_id__in=event_ids).annotate(
        number=Window(RowNumber(), partition_by=F("event_id"), order_by="pk")
    )
    found = defaultdict(list)
    for target in numbered.filter(number__lte=TARGETS_SHOWN + 1).order_by("event_id", "pk"):
        found[target.event_id].append(target)
    named = {target.key for rows in found.values() for target in rows if target.kind in IDENTITIES}
    held = Key.objects.filter(public_key__in=named, purpose=Purpose.IDENTITY, deleted_at=None)
    gone = frozenset(named.difference(held.values_list("public_key", flat=True)))
    return {
        event: Targets(first=tuple(rows[:TARGETS_SHOWN]), more=len(rows) > TARGETS_SHOWN, gone=gone)
        for event, rows in found.items()
    }


def actors(principal: Principal) -> Sequence[tuple[str, str]]:
    """Audit key and name of everybody who may have done something; of a narrow grant, who did what it may see."""
    if not reach.everything(principal):
        seen = reach.audit_events(principal).order_by("actor_name", "actor")
        return list(seen.values_list("actor", "actor_name").distinct()[:MOST_PEOPLE])
    people = Person.objects.order_by("username")[:MOST_PEOPLE]
    return [
        *((person.audit_key, str(person)) for person in people),
        ("worker", "worker"),
        ("nobody", "a visitor"),
        ("link", "the one-time link"),
    ]
