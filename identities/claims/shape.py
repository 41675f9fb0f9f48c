"""JSON to frozen dataclasses and back by the rules of Go's `encoding/json`, compiled once per class.

Reading: wrong types are refused, `null` and absent are the zero value, a key matches without regard to case when it
does not match exactly, unknown keys go to `extra`. Writing: the order of the dataclass's fields is Go's order, empty
values are left out unless the field is written always, maps are sorted, `extra` comes last.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from operator import attrgetter
from typing import Any, Generic, TypeVar

from identities.claims import gojson

T = TypeVar("T")
_NOT_ON_THE_WIRE = frozenset({"extra", "source"})


class Misfit(Exception):  # never leaves this floor: the codec turns it into a ClaimsError
    """A value does not fit its field; every container puts its key before `path` on the way up."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path: list[str] = []

    def within(self, key: str) -> Misfit:
        """Say that this happened below `key`."""
        self.path.insert(0, key)
        return self

    @property
    def words(self) -> str:
        """The problem, and where it is."""
        where = ".".join(self.path)
        if self.problem.startswith("cannot unmarshal"):
            target = f"Go struct field {where} of type" if where else "Go value of type"
            return f"json: {self.problem.replace('Go value of type', target)}"
        return f"{self.problem} (at {where})" if where else self.problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """How one value is read and written.

    A value of exactly the type `exact` is taken as it is, without a call of `read`; `write` None means as it is.
    `always`: written even when empty. `reads_null`: `read` is called for `null` too, as Go does for its unmarshalers.
    """

    zero: Any
    read: Callable[[Any], Any]
    exact: type | None = None
    write: Callable[[Any], Any] | None = None
    always: bool = False
    reads_null: bool = False


def mismatch(value: object, wanted: str) -> Misfit:
    """Return the problem of a value of the wrong JSON type, in Go's words."""
    return Misfit(f"cannot unmarshal {gojson.kind(value)} into Go value of type {wanted}")


def _only(wanted: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        raise mismatch(value, wanted)

    return read


def integer(wanted: str, low: int, high: int) -> Field:
    """A Go integer type and its range."""

    def read(value: Any) -> int:
        if type(value) is int and low <= value <= high:
            return value
        raise mismatch(value, wanted)

    return Field(zero=0, read=read)


TEXT = Field(zero="", exact=str, read=_only("string"))
FLAG = Field(zero=False, exact=bool, read=_only("bool"))
INT64 = integer("int64", -(2**63), 2**63 - 1)
UINT64 = integer("uint64", 0, 2**64 - 1)
UINT8 = integer("uint8", 0, 255)
FREE = Field(zero=None, read=lambda value: value)


def listing(item: Field) -> Field:
    """A Go slice, as a tuple."""
    take, write_item = _taker(item), item.write

    def read(value: Any) -> tuple[Any, ...]:
        if type(value) is not list:
            raise mismatch(value, "array")
        return tuple([take(entry, index) for index, entry in enumerate(value)])

    def write(value: tuple[Any, ...]) -> list[Any]:
        if write_item is None:
            return list(value)
        return [None if entry is None else write_item(entry) for entry in value]

    return Field(zero=(), read=read, write=write)


def mapping(item: Field) -> Field:
    """A Go map with string keys, as a dict."""
    take, write_item = _taker(item), item.write

    def read(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise mismatch(value, "map")
        return {key: take(entry, key) for key, entry in value.items()}

    def write(value: Mapping[str, Any]) -> dict[str, Any]:
        if write_item is None:
            return {key: value[key] for key in sorted(value)}
        return {key: write_item(value[key]) for key in sorted(value)}

    return Field(zero={}, read=read, write=write)


def _taker(item: Field) -> Callable[[Any, object], Any]:
    exact, read, zero, reads_null = item.exact, item.read, item.zero, item.reads_null

    def take(entry: Any, key: object) -> Any:
        if type(entry) is exact:
            return entry
        if entry is None and not reads_null:
            return zero
        try:
            return read(entry)
        except Misfit as misfit:
            raise misfit.within(str(key)) from None

    return take


class Shape(Generic[T]):
    """How one dataclass is read and written.

    `special` gives fields whose Go type says more than the type hint; `always` names scalars without `omitempty`;
    `embedded` is the field whose own fields stand in the same object; `last` is written after all others; `zeros`
    are the values of absent keys where these are not Go's zero.
    """

    def __init__(
        self,
        cls: type[T],
        known: Mapping[type, Shape[Any]],
        *,
        special: Mapping[str, Field] | None = None,
        always: tuple[str, ...] = (),
        embedded: str = "",
        last: str = "",
        zeros: Mapping[str, Any] | None = None,
    ) -> None:
        hints = typing.get_type_hints(cls)
        names = [item.name for item in fields(cls) if item.name not in _NOT_ON_THE_WIRE]  # type: ignore[arg-type]
        names.sort(key=last.__eq__)
        self.cls = cls
        self.fields: dict[str, Field] = {}
        self._embedded = embedded
        self._inner: Shape[Any] | None = known[hints[embedded]] if embedded else None
        plan: list[tuple[bool, str, Field]] = []
        for name in names:
            if self._inner is not None and name == embedded:
                plan += [(True, inner, field) for inner, field in self._inner.fields.items()]
                continue
            field = (special or {}).get(name) or of_hint(hints[name], known)
            self.fields[name] = replace(field, always=True) if name in always else field
            plan.append((False, name, self.fields[name]))
        self.zeros = _zeros(cls, self.fields) | dict(zeros or {})
        self._readers = {
            _key(name): (in_inner, name, field.exact, field.read, field.reads_null)
            for in_inner, name, field in plan
        }
        self._by_fold = {_fold(key): (key, reader) for key, reader in self._readers.items()}
        self._writers = tuple((_key(name), field.write, field.always) for _, name, field in plan)
        self._values = attrgetter(
            *(f"{embedded}.{name}" if in_inner else name for in_inner, name, _ in plan), "extra"
        )

    def read(self, tree: Any) -> T:
        """Return the dataclass of a JSON object.

        Raises:
            Misfit: some value has the wrong type.
        """
        return self.cls(**self.values(tree))

    def values(self, tree: Any) -> dict[str, Any]:
        """Return the arguments for the dataclass; keys of `tree` in the wrong case are renamed in `tree`."""
        if type(tree) is not dict:
            raise mismatch(tree, "object")
        own = self.zeros.copy()
        inner = own if self._inner is None else self._inner.zeros.copy()
        unknown: dict[str, Any] | None = None
        renamed: dict[str, str] | None = None
        readers = self._readers
        for key, value in tree.items():
            reader = readers.get(key)
            if reader is None:
                folded = self._by_fold.get(_fold(key))
                if folded is None:
                    unknown = unknown or {}
                    unknown[key] = value
                    continue
                renamed = renamed or {}
                renamed[key], reader = folded
            in_inner, name, exact, read, reads_null = reader
            if type(value) is exact:
                (inner if in_inner else own)[name] = value
            elif value is not None or reads_null:
                try:
                    (inner if in_inner else own)[name] = read(value)
                except Misfit as misfit:
                    raise misfit.within(key) from None
        if renamed:
            _rename(tree, renamed)
        if self._inner is not None:
            own[self._embedded] = self._inner.cls(**inner)
        if unknown:
            own["extra"] = unknown
        return own

    def write(self, value: T) -> dict[str, Any]:
        """Return the JSON object of a dataclass, keys in Go's order."""
        *items, extra = self._values(value)
        tree = {
            key: item if write is None or item is None else write(item)
            for (key, write, always), item in zip(self._writers, items, strict=True)
            if item or always
        }
        for key, item in extra.items():
            if not self.knows(key):
                tree[key] = item
        return tree

    def knows(self, key: str) -> bool:
        """Tell whether a key would be read, in whatever case it is written."""
        return _fold(key) in self._by_fold

    def field(self) -> Field:
        """Return the field that holds one such object as a Go struct: never absent."""
        return Field(zero=self.read({}), read=self.read, write=self.write, always=True)


def of_hint(hint: Any, known: Mapping[type, Shape[Any]]) -> Field:
    """Return the field that a type hint means."""
    simple = {str: TEXT, bool: FLAG, int: INT64, object: FREE}.get(hint)
    if simple is not None or isinstance(hint, TypeVar):
        return simple or FREE
    if is_dataclass(hint):
        return known[typing.cast(type, hint)].field()
    arguments = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin in {types.UnionType, typing.Union}:
        return replace(of_hint(arguments[0], known), zero=None, always=False)
    if origin is tuple:
        return listing(of_hint(arguments[0], known))
    return mapping(of_hint(arguments[1], known))


def _zeros(cls: type, own: Mapping[str, Field]) -> dict[str, Any]:
    """Return what absent keys mean where the dataclass's default is not Go's zero value."""
    return {
        item.name: own[item.name].zero
        for item in fields(cls)
        if item.name in own and item.default is not MISSING and item.default != own[item.name].zero
    }


def _key(name: str) -> str:
    """Return the JSON key of a field: its name, without the underscore of a name that Python reserves (`pass_`)."""
    return name.removesuffix("_")


def _rename(tree: dict[str, Any], renamed: Mapping[str, str]) -> None:
    names = [renamed.get(key, key) for key in tree]
    if len(set(names)) != len(names):
        raise Misfit(
            f"the key “{next(iter(renamed.values()))}” stands twice in one object, in different cases"
        )
    items = list(zip(names, tree.values(), strict=True))
    tree.clear()
    tree.update(items)


def _fold(key: str) -> str:
    """Return what Go compares when it ignores case: each character folded to one character."""
    if key.isascii():
        return key.lower()
    return "".join(folded if len(folded := letter.casefold()) == 1 else letter for letter in key)
