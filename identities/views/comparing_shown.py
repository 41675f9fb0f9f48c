"""A comparison of two users or roles, as strings."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import QueryDict

from identities.claims.comparing import Difference, Direction, Relation, Setting
from identities.queries.comparing import Compared, Side
from identities.queries.situations import MOST_NAMESAKES
from identities.views import shown, signing_keys_shown

_SAME = shown.State(word="Same", tone="ok", icon="circle-check")
_STATES = {
    Relation.SAME: _SAME,
    Relation.NOTHING: _SAME,
    Relation.UNKNOWN: shown.State(word="Not told exactly", tone="warn", icon="triangle-alert"),
}
_DIFFERENT = shown.State(word="Different", tone="warn", icon="triangle-alert")


@dataclass(frozen=True, slots=True, kw_only=True)
class SideShown:
    """One of the two, with its page."""

    label: str
    url: str
    key: shown.Chip


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionShown:
    """What each may publish, or subscribe to, that the other may not."""

    id: str
    title: str
    state: shown.State
    said: str
    first: tuple[Difference, ...]
    second: tuple[Difference, ...]
    more: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedShown:
    """All that the page says."""

    first: SideShown
    second: SideShown
    directions: tuple[DirectionShown, ...]
    settings: tuple[Setting, ...]
    settings_state: shown.State
    notes: tuple[str, ...]


def compared(found: Compared) -> ComparedShown:
    """A comparison in words."""
    comparison = found.comparison
    return ComparedShown(
        first=_side(found.first),
        second=_side(found.second),
        directions=(
            _direction("Publishing", comparison.publish),
            _direction("Subscribing", comparison.subscribe),
        ),
        settings=comparison.settings,
        settings_state=_SAME if all(each.same for each in comparison.settings) else _DIFFERENT,
        notes=found.notes,
    )


def candidates(query: QueryDict, name: str, sides: list[Side]) -> list[shown.Crumb]:
    """Links that choose one of several namesakes."""
    found = []
    for side in sides[:MOST_NAMESAKES]:
        chosen = query.copy()
        chosen[name] = side.key
        label = f"{side.label} ({shown.short(side.key)})"
        found.append(shown.Crumb(label=label, url=f"?{chosen.urlencode()}"))
    return found


def _side(side: Side) -> SideShown:
    if side.user is not None:
        url = shown.user_url("user", side.user)
    else:
        url = signing_keys_shown.url("signing-key", side.account, side.key)
    return SideShown(label=side.label, url=url, key=shown.chip(side.key))


def _direction(title: str, found: Direction) -> DirectionShown:
    return DirectionShown(
        id=found.verb.value,
        title=title,
        state=_STATES.get(found.relation, _DIFFERENT),
        said=found.said,
        first=tuple(one for one in found.differences if one.by_first),
        second=tuple(one for one in found.differences if not one.by_first),
        more=f"{found.more:,} more differences are not shown." if found.more else "",
    )
