"""What `manage.py explain compare` says: two users or roles beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError

from identities.claims.comparing import Direction
from identities.policy.principal import Principal
from identities.queries import comparing
from identities.queries.comparing import Compared, Side

WORD = "compare"


def of(principal: Principal, first: str | None, second: str | None) -> Compared:
    """Compare the two that are called so.

    Raises: CommandError: one is missing or unknown, or several are called so.
    """
    if not (first and second):
        raise CommandError("Give two users or roles to compare, each by its public key or name.")
    return comparing.of(_one(principal, first), _one(principal, second))


def told(found: Compared) -> Iterator[str]:
    """Lines to read."""
    for side in (found.comparison.publish, found.comparison.subscribe):
        yield side.said
        yield from (f"  - {one.text}" for one in side.differences)
        if side.more:
            yield f"  … and {side.more:,} more differences"
    for setting in found.comparison.settings:
        if not setting.same:
            yield f"{setting.label}: {found.first.label}: {setting.first}; {found.second.label}: {setting.second}"
    yield from (f"  * {note}" for note in found.notes)


def document(found: Compared) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "first": _side(found.first),
        "second": _side(found.second),
        "publish": _direction(found.comparison.publish),
        "subscribe": _direction(found.comparison.subscribe),
        "settings": [
            {"label": one.label, "first": one.first, "second": one.second, "same": one.same}
            for one in found.comparison.settings
        ],
        "notes": list(found.notes),
    }


def _one(principal: Principal, text: str) -> Side:
    sides = comparing.sides(principal, text)
    if not sides:
        raise CommandError("No user and no role of this name or key is known here.")
    if len(sides) > 1:
        listed = "\n".join(f"  {side.key}  {side.label}" for side in sides)
        raise CommandError(f"Several are called so; give the key of one:\n{listed}")
    return sides[0]


def _side(side: Side) -> dict[str, str]:
    return {"kind": "user" if side.user is not None else "role", "key": side.key, "name": side.name}


def _direction(side: Direction) -> dict[str, Any]:
    return {
        "relation": side.relation.value,
        "said": side.said,
        "differences": [
            {
                "only": "first" if one.by_first else "second",
                "subject": one.subject,
                "queue": one.queue or None,
                "partly": one.partly,
                "said": one.text,
            }
            for one in side.differences
        ],
        "left_out": side.more,
    }
