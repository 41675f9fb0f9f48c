"""The parameters of a service's call as JSON and back: rows by their number, drafts by their class and fields.

Only what a person fills in is known; a seed, or anything else that is not, can't be written down.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from enum import Enum
from importlib import import_module
from typing import Any

from django.db.models import Model

from identities.models import Account, ActivationRequest, Cluster, Key, Operator, User, WorkloadRule

_ROWS: Mapping[str, Any] = {
    model.__name__: model
    for model in (Operator, Account, User, Key, Cluster, ActivationRequest, WorkloadRule)
}
_ABOVE = {
    "Account": ("operator",),
    "User": ("account__operator", "operator", "token"),
    "Key": ("operator", "account"),
    "WorkloadRule": ("signing_key__operator", "signing_key__account"),
    "ActivationRequest": ("importer__operator", "person", "service_account"),
}
_HOMES = ("identities.claims.", "identities.policy.", "identities.resolver.", "identities.services.")


class Unwritable(TypeError):
    """A value that must not, or can't, be kept."""


class Gone(Exception):
    """A row that a call was about is not there any more."""


def dumps(values: Mapping[str, Any]) -> str:
    """The parameters as JSON.

    Raises: Unwritable.
    """
    return json.dumps({name: _written(value) for name, value in values.items()}, separators=(",", ":"))


def loads(text: str) -> dict[str, Any]:
    """The parameters again, rows as they are now.

    Raises: Gone.
    """
    return {name: _read(value) for name, value in json.loads(text).items()}


def _written(value: Any) -> Any:
    if isinstance(value, Enum):
        return {"enum": _class(value), "value": value.value}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return {"bytes": value.decode("latin-1")}
    if type(value).__name__ in _ROWS and isinstance(value, Model):
        return {"row": type(value).__name__, "pk": value.pk, "signer": getattr(value, "chosen_signer", "")}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (each for each in dataclasses.fields(value) if each.init)
        return {
            "of": _class(value),
            "fields": {each.name: _written(getattr(value, each.name)) for each in fields},
        }
    if isinstance(value, Mapping):
        return {"map": [[_written(key), _written(each)] for key, each in value.items()]}
    for word, kind in (("tuple", tuple), ("list", list), ("set", frozenset), ("set", set)):
        if isinstance(value, kind):
            return {word: [_written(each) for each in value]}
    raise Unwritable(f"a {type(value).__name__} is not kept")


def _read(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    match value:
        case {"enum": name, "value": held}:
            return _named(name, Enum)(held)
        case {"row": name, "pk": pk}:
            return _row(name, pk, value.get("signer", ""))
        case {"of": name, "fields": fields}:
            return _named(name, object)(**{field: _read(each) for field, each in fields.items()})
        case {"bytes": text}:
            return text.encode("latin-1")
        case {"map": pairs}:
            return {_read(key): _read(each) for key, each in pairs}
        case {"tuple": parts}:
            return tuple(_read(each) for each in parts)
        case {"list": parts}:
            return [_read(each) for each in parts]
        case {"set": parts}:
            return frozenset(_read(each) for each in parts)
    raise Unwritable("not written by this module")


def _row(name: str, pk: int, signer: str) -> Model:
    found: Model | None = _ROWS[name].objects.select_related(*_ABOVE.get(name, ())).filter(pk=pk).first()
    if found is None or getattr(found, "deleted_at", None) is not None:
        raise Gone
    if signer and isinstance(found, Account | User):
        found.chosen_signer = signer
    return found


def _class(value: object) -> str:
    kind = type(value)
    if not kind.__module__.startswith(_HOMES):
        raise Unwritable(f"a {kind.__name__} is not kept")
    return f"{kind.__module__}:{kind.__qualname__}"


def _named(name: str, base: type) -> Any:
    module, _, held = name.partition(":")
    kind = getattr(import_module(module), held) if module.startswith(_HOMES) else None
    if not isinstance(kind, type) or not issubclass(kind, base):
        raise Unwritable(f"{name} is no class of ours")
    if base is object and not dataclasses.is_dataclass(kind):
        raise Unwritable(f"{name} is no class of ours")
    return kind
