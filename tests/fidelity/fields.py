"""Every field of the claims, read off the dataclasses: one that somebody adds stands here by itself."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from identities.claims.common import Claims
from tests.fidelity.tokens import BODIES

Path = tuple[str | int, ...]
"""Attributes, positions in lists, and keys of maps (these after a NUL)."""
NOT_EDITED: dict[str, str] = {
    "sub": "the identity: another one is a reissue, which makes another object",
    "iss": "who signs; chosen beside an edit",
    "iat": "set by signing",
    "jti": "set by signing",
    "nats.type": "what the JWT is",
    "nats.version": "set by signing",
    "nats.issuer_account": "set by signing, from who signs",
    "nats.signing_keys[].kind": "a plain key has no template: it becomes a role together with one, by another entry",
    "nats.signing_keys[].template": "a role always has one; every field of it is edited",
}
"""Fields that no edit changes, and why."""


def fields_of(kind: str) -> tuple[str, ...]:
    """Every field of a kind of token, `[]` for the entries of a list, `{}` for those of a map."""
    common = (field.name for field in fields(Claims) if field.name not in {"nats", "extra", "source"})
    return (*common, *(f"nats.{name}" for name in _below(BODIES[kind])))


def _below(cls: type) -> Iterator[str]:
    hints = typing.get_type_hints(cls)
    for field in fields(cls):
        if field.name == "extra":  # what we do not know is kept, never edited
            continue
        hint = hints[field.name]
        inner, mark = _entry(hint)
        if not is_dataclass(hint):
            yield field.name
        if inner is not None:
            yield from (f"{field.name}{mark}.{name}" for name in _below(inner))


def _entry(hint: Any) -> tuple[type | None, str]:
    """The dataclass inside a type hint, and how a path marks that it stands in a list or a map."""
    if is_dataclass(hint):
        return typing.cast(type, hint), ""
    arguments, origin = typing.get_args(hint), typing.get_origin(hint)
    if origin in {types.UnionType, typing.Union}:
        return _entry(arguments[0])
    if origin is tuple:
        inner, mark = _entry(arguments[0])
        return inner, f"[]{mark}"
    if origin is not None:
        inner, mark = _entry(arguments[1])
        return inner, "{}" + mark
    return None, ""


def name_of(path: Path) -> str:
    """The field that an attribute path leads to."""
    name = ""
    for step in path:
        if isinstance(step, int):
            name += "[]"
        elif step.startswith("\0"):
            name += "{}"
        else:
            name += f".{step}" if name else step
    return name
