"""What `manage.py apply` says: a plan in lines to read, or as one JSON document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from identities.services.manifest_plans import Fate, Plan, Planned

_SIGNS = {Fate.CREATE: "+", Fate.CHANGE: "~", Fate.DELETE: "-", Fate.KEEP: " ", Fate.SURPLUS: "?"}
_WORDS = {
    Fate.CREATE: "to create",
    Fate.CHANGE: "to change",
    Fate.DELETE: "to delete",
    Fate.KEEP: "untouched",
    Fate.SURPLUS: "not in the manifest",
}


def told(plan: Plan, *, applied: bool) -> Iterator[str]:
    """Lines to read: every object that changes, field by field, and what else somebody should have meant."""
    for one in plan.objects:
        if one.fate is Fate.KEEP and not one.notes:
            continue
        yield f"{_SIGNS[one.fate]} {one.title}"
        for field in one.diff:
            before = field.before or "(nothing)"
            yield f"    {field.path}: {before} → {field.after or '(nothing)'}"
        for note in one.notes:
            yield f"    ! {note}"
    counts = ", ".join(f"{plan.count(fate):,} {words}" for fate, words in _WORDS.items() if plan.count(fate))
    yield f"{plan.operator}: {counts or 'nothing'}."
    if plan.is_empty:
        yield "Nothing differs."
    elif not applied:
        yield "Nothing was changed: this was the plan."
    else:
        yield "Applied."


def document(plan: Plan, *, applied: bool) -> dict[str, Any]:
    """The same for programs; untouched objects are only counted."""
    return {
        "operator": plan.operator,
        "applied": applied and not plan.is_empty,
        "prune": plan.prune,
        "plan": plan.token,
        "counts": {fate.value: plan.count(fate) for fate in Fate},
        "objects": [_object(one) for one in plan.objects if one.fate is not Fate.KEEP or one.notes],
    }


def _object(one: Planned) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "name": one.name,
        "account": one.account,
        "fate": one.fate.value,
        "changes": [{"path": field.path, "before": field.before, "after": field.after} for field in one.diff],
        "notes": list(one.notes),
    }
