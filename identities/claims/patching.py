"""Carry an edit over to the document it was read from, so that nothing else in it changes.

Three trees: `source` as it was received, `before` as our dataclasses write what they understood of it, `after` as
they write it now. What `before` and `after` agree on stays as it is in `source`: unknown keys, explicit zeros and
empty lists, order, odd forms.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_IDENTITY = ("key", "subject", "type", "account", "cluster", "start")


def patch(source: Any, before: Any, after: Any) -> Any:
    """Return `source` with the difference between `before` and `after` applied; no argument is changed."""
    if before == after:
        return source
    if type(source) is dict and type(before) is dict and type(after) is dict:
        return _patch_object(source, before, after)
    if type(source) is list and type(before) is list and type(after) is list and len(source) == len(before):
        return _patch_list(source, before, after)
    return after


def _patch_object(source: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    values = {key: value for key, value in source.items() if key in after or key not in before}
    order = list(values)
    place = 0
    for key, value in after.items():
        if key in values:
            values[key] = patch(source[key], before.get(key), value)
            place = order.index(key) + 1
        elif before.get(key) != value:  # what was absent and still means the same stays absent
            values[key] = value
            order.insert(place, key)
            place += 1
    return {key: values[key] for key in order}


def _patch_list(source: list[Any], before: list[Any], after: list[Any]) -> list[Any]:
    result = list(after)
    left = list(range(len(before)))
    for index, old in _pairs(before, after, left):
        result[index] = patch(source[old], before[old], after[index])
    return result


def _pairs(before: list[Any], after: list[Any], left: list[int]) -> Iterator[tuple[int, int]]:
    """Pair the items of `after` with those of `before` that they come from; uses up `left`."""
    changed = []
    for index, item in enumerate(after):
        old = next((old for old in left if before[old] == item), None)
        if old is None:
            changed.append(index)
            continue
        left.remove(old)
        yield index, old
    renamed = []
    for index in changed:
        old = next((old for old in left if _identity(before[old]) == _identity(after[index])), None)
        if old is None:
            renamed.append(index)
            continue
        left.remove(old)
        yield index, old
    if len(renamed) == len(left) == 1:
        yield renamed[0], left[0]


def _identity(item: Any) -> Any:
    return tuple(item.get(key) for key in _IDENTITY) if type(item) is dict else item
