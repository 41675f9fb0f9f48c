"""The plan of a manifest as strings."""

from __future__ import annotations

from dataclasses import dataclass

from identities.claims.diff import FieldChange
from identities.services.manifest_plans import Fate, Plan, Planned
from identities.views import shown

MOST_OBJECTS = 200
"""How many objects a page shows; `manage.py apply --dry-run` tells all."""
MOST_FIELDS = 200
_STATES = {
    Fate.CREATE: shown.State(word="Create", tone="ok", icon="plus"),
    Fate.CHANGE: shown.State(word="Change", tone="warn", icon="pencil"),
    Fate.DELETE: shown.State(word="Delete", tone="danger", icon="trash-2"),
    Fate.KEEP: shown.State(word="Untouched", tone="muted", icon="circle-check"),
    Fate.SURPLUS: shown.State(word="Stays", tone="muted", icon="info"),
}
_COUNTED = ((Fate.CREATE, "created"), (Fate.CHANGE, "changed"), (Fate.DELETE, "deleted"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectShown:
    """One object with what becomes of it."""

    title: str
    state: shown.State
    changes: tuple[FieldChange, ...]
    more: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanShown:
    """A plan: `counts` in words, its first objects, how many more there are, and what the manifest does not name."""

    counts: str
    is_empty: bool
    objects: tuple[ObjectShown, ...]
    more: str
    surplus: tuple[str, ...]
    surplus_more: str


def plan(found: Plan) -> PlanShown:
    """What a page shows of a plan: what changes, or has something to say."""
    told = [
        one
        for one in found.objects
        if one.fate is not Fate.SURPLUS and (one.fate is not Fate.KEEP or one.notes)
    ]
    told.sort(key=lambda one: one.fate is Fate.KEEP)
    surplus = [one.title for one in found.surplus]
    return PlanShown(
        counts=_counts(found) or "nothing",
        is_empty=found.is_empty,
        objects=tuple(_object(one) for one in told[:MOST_OBJECTS]),
        more=_more(len(told) - MOST_OBJECTS),
        surplus=tuple(surplus[:MOST_OBJECTS]),
        surplus_more=_more(len(surplus) - MOST_OBJECTS),
    )


def done(found: Plan) -> str:
    """The message after a plan was applied."""
    return f"The manifest was applied: {_counts(found)}." if not found.is_empty else "Nothing differed."


def _counts(found: Plan) -> str:
    return ", ".join(
        f"{shown.plural(found.count(fate), 'object')} {word}" for fate, word in _COUNTED if found.count(fate)
    )


def _more(number: int) -> str:
    return f"{number:,}" if number > 0 else ""


def _object(one: Planned) -> ObjectShown:
    return ObjectShown(
        title=one.title[:1].upper() + one.title[1:],
        state=_STATES[one.fate],
        changes=one.diff[:MOST_FIELDS],
        more=_more(len(one.diff) - MOST_FIELDS),
        notes=one.notes,
    )
