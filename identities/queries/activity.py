"""The audit chain as people ask for it: by actor, action, object, way and time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Exists, F, OuterRef, QuerySet, Window
from django.db.models.functions import RowNumber

from identities.models import AuditEvent, AuditTarget, Key, Person, Purpose
from identities.nkeys import kind_of
from identities.policy.actions import Action
from identities.policy.principal import Principal, Way
from identities.queries import reach

TARGETS_SHOWN = 3
MOST_PEOPLE = 200
LONGEST = 300
CLASSES = frozenset(f"{action.value.partition('.')[0]}." for action in Action)
"""What actions are about, as the beginning of their names: "account.", "user."."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A filter; "" and None ask for all.

    `actor` is an audit key, `action` an action's name or the class of many ("account."), `object` a public key or a
    part of a name, `way` a door, `q` a part of the summary; `since` and `until` are days (UTC), both included.
    """

    actor: str = ""
    action: str = ""
    object: str = ""
    way: str = ""
    q: str = ""
    since: date | None = None
    until: date | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Wanted:
        """From a query string; an unknown action, way or day asks for all."""
        action, way = query.get("action", ""), query.get("way", "")
        return cls(
            actor=_text(query, "actor"),
            action=action if action in CLASSES or action in set(Action) else "",
            object=_text(query, "object").strip(),
            way=way if way in set(Way) else "",
            q=_text(query, "q").strip(),
            since=_day(query.get("since", "")),
            until=_day(query.get("until", "")),
        )

    def __bool__(self) -> bool:
        return self != Wanted()

    def query(self) -> dict[str, str]:
        """As the query string that `of` reads."""
        return {name: str(value) for name, value in asdict(self).items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The first objects of one event, whether there are more, and the keys of those that were deleted since.

    `hidden`: it names something that the reader may not see as well.
    """

    first: tuple[AuditTarget, ...]
    more: bool
    gone: frozenset[str] = frozenset()
    hidden: bool = False


def events(principal: Principal, wanted: Wanted) -> QuerySet[AuditEvent]:
    """The events that the principal may see and that fit."""
    found = reach.audit_events(principal).defer("canonical")
    if wanted.actor:
        found = found.filter(actor=wanted.actor)
    if wanted.action in CLASSES:
        found = found.filter(action__startswith=wanted.action)
    elif wanted.action:
        found = found.filter(action=wanted.action)
    if wanted.way:
        found = found.filter(way=wanted.way)
    if wanted.q:  # a summary that names something out of sight is not found by that name
        hidden = AuditTarget.objects.filter(reach.out_of_sight(principal), event=OuterRef("pk"))
        found = found.filter(~Exists(hidden), summary__icontains=wanted.q)
    if wanted.since:
        found = found.filter(at__gte=_midnight(wanted.since))
    if wanted.until:
        found = found.filter(at__lt=_midnight(wanted.until + timedelta(days=1)))
    if wanted.object:
        seen = reach.audit_targets(principal)
        if kind_of(wanted.object) is not None:
            found = found.filter(seq__in=seen.filter(key=wanted.object).values("seq"))
        else:
            found = found.filter(Exists(seen.filter(event=OuterRef("pk"), name__icontains=wanted.object)))
    return found


def event(principal: Principal, seq: int) -> AuditEvent | None:
    """One event with its canonical text; None when there is none that the principal may see."""
    return reach.audit_events(principal).filter(seq=seq).first()


def targets(
    principal: Principal, event_ids: Sequence[int], *, most: int = TARGETS_SHOWN
) -> Mapping[int, Targets]:
    """The first few objects of each event that the principal may see: deleting an account may have named thousands.

    Two queries, three for a narrow grant. Whatever lives has a live identity key.
    """
    numbered = (
        reach.audit_targets(principal)
        .filter(event_id__in=event_ids)
        .annotate(number=Window(RowNumber(), partition_by=F("event_id"), order_by="pk"))
    )
    found = defaultdict(list)
    for target in numbered.filter(number__lte=most + 1).order_by("event_id", "pk"):
        found[target.event_id].append(target)
    named = {target.key for rows in found.values() for target in rows if target.kind in reach.IDENTITIES}
    held = Key.objects.filter(
        reach.keys(principal), public_key__in=named, purpose=Purpose.IDENTITY, deleted_at=None
    )
    gone = frozenset(named.difference(held.values_list("public_key", flat=True)))
    hidden = reach.partly_hidden(principal, event_ids)
    return {
        event: Targets(first=tuple(rows[:most]), more=len(rows) > most, gone=gone, hidden=event in hidden)
        for event, rows in found.items()
    }


def whole(principal: Principal, event_ids: Sequence[int]) -> frozenset[int]:
    """Those of the events of whose objects the principal may see each: what changed is told of these alone."""
    return frozenset(event_ids) - reach.partly_hidden(principal, event_ids)


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


def _text(query: Mapping[str, str], name: str) -> str:
    return query.get(name, "").replace("\x00", "")[:LONGEST]


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return None
    return day if 1970 <= day.year < 9999 else None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
