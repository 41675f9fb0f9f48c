"""What the JSON of a token must look like after an edit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.bodies import CLAIMS, SHAPES
from identities.claims.common import Claims
from identities.claims.permissions import UserPermissionLimits
from identities.claims.user import UserBody
from tests.fidelity.fields import Path


def expected(tree: Any, before: Any, after: Any, path: Path, shape: Any = CLAIMS) -> Any:
    """The JSON object `tree` with nothing but the field at `path` as `after` has it; parents that were absent come
    whole, as Go writes them. Lists that Go sorts are sorted once something in them is edited.
    """
    key, rest = str(path[0]), path[1:]
    if key == "limits" and isinstance(after, UserBody):  # embedded: no object of its own
        return expected(tree, before.limits, after.limits, rest, SHAPES[UserPermissionLimits])
    was, written = shape.write(before).get(key), shape.write(after)
    made = dict(tree)
    if key not in written:
        made.pop(key, None)
    elif made.get(key) is None or not (rest or isinstance(written[key], list | dict)):
        made[key] = written[key]
    elif rest:
        made[key] = _inside(made[key], getattr(before, key), getattr(after, key), written[key], rest)
    else:
        made[key] = _entries(made[key], was, written[key])
    if key in _SORTED and key in made and isinstance(after, AccountBody):
        made[key] = sorted(made[key], key=_SORTED[key])
    return made


_SORTED: Mapping[str, Callable[[Any], str]] = {
    "exports": lambda entry: str(entry["subject"]),
    "imports": lambda entry: str(entry["subject"]),
    "signing_keys": lambda entry: str(entry if isinstance(entry, str) else entry["key"]),
}


def _inside(tree: Any, before: Any, after: Any, written: Any, path: Path) -> Any:
    """An object, list or map in JSON with only what is at `path` within it edited."""
    if isinstance(tree, str):  # a plain signing key
        return written
    if is_dataclass(after):
        return expected(tree, before, after, path, SHAPES[type(after)])
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        made = list(tree)
        made[step] = _inside(tree[step], before[step], after[step], written[step], rest)
        return made
    key = step[1:]
    return {**tree, key: _inside(tree[key], before[key], after[key], written[key], rest)}


def _entries(tree: Any, was: Any, written: Any) -> Any:
    """A whole list or map as it is written now, whose entries that are still the same stay as they stood in JSON."""
    if isinstance(tree, dict):
        return {
            key: tree[key] if key in tree and was[key] == entry else entry for key, entry in written.items()
        }
    if not isinstance(tree, list):  # `src` as a text
        return written
    left = list(zip(was, tree, strict=True))
    made = []
    for entry in written:
        same = next((pair for pair in left if pair[0] == entry), None)
        if same is not None:
            left.remove(same)
        made.append(entry if same is None else same[1])
    return made


def without_unknown(value: Any) -> Any:
    """Claims as if nobody had put unknown fields into them."""
    if is_dataclass(value) and not isinstance(value, type):
        kept = {field.name: without_unknown(getattr(value, field.name)) for field in fields(value)}
        return replace(value, **kept | ({"extra": {}} if "extra" in kept else {}))
    if isinstance(value, tuple):
        return tuple(without_unknown(item) for item in value)
    return {key: without_unknown(item) for key, item in value.items()} if isinstance(value, dict) else value


def sown(tree: Any) -> Any:
    """The JSON without the fields that `sprinkled` put there."""
    if isinstance(tree, dict):
        return {key: sown(value) for key, value in tree.items() if not key.startswith("x_")}
    return [sown(item) for item in tree] if isinstance(tree, list) else tree


def as_go_writes(claims: Claims[Any]) -> str:
    """The payload as Go would write these claims."""
    return codec.payload_text(without_unknown(replace(claims, source=None)))


def same_order(old: Any, new: Any, where: str = "") -> None:
    """Keys that stayed are in the order they had."""
    if isinstance(old, dict) and isinstance(new, dict):
        assert [key for key in new if key in old] == [key for key in old if key in new], where
        for key in old.keys() & new.keys():
            same_order(old[key], new[key], f"{where}.{key}")
