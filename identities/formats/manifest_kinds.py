"""What can stand in a manifest's fields: texts, flags, sizes, durations, moments, and records of them.

A kind reads a node and writes a value back as plain data. Reading goes on after a problem, so that all of them are
told at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from identities.claims.describe_text import exact_bytes
from identities.errors import IdentityError
from identities.formats.durations import format_duration, parse_duration
from identities.formats.sizes import NO_LIMIT, parse_number
from identities.formats.yaml_nodes import Node, Problem

_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_SPAN = re.compile(r"[0-9]{1,9}[smhdwMy]", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_UNIX = re.compile(r"[0-9]{1,18}", re.ASCII)
_LAST = 253_402_300_799  # 9999-12-31T23:59:59Z
NONE = "none"

Found = list[Problem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of value: `words` for people, how it is read and written, and what it is when it can't be read."""

    words: str
    read: Callable[[Node, Found], Any]
    write: Callable[[Any], Any] = lambda value: value
    fields: Mapping[str, Kind] | None = None
    """The fields of a record, or of the records in a list or map."""


def _scalar(words: str, parse: Callable[[str], Any], zero: Any, write: Callable[[Any], Any]) -> Kind:
    def read(node: Node, found: Found) -> Any:
        if node.text is None or node.is_nothing:
            found.append(node.problem(_misfit(node, words)))
            return zero
        try:
            return parse(node.text)
        except IdentityError as refused:
            found.append(node.problem(f"can't be read: {refused.user_message}"))
            return zero

    return Kind(words=words, read=read, write=write)


def _misfit(node: Node, words: str) -> str:
    if node.is_nothing:
        return f"has no value. Write {words}, or leave the line out: what is not written stays as it is."
    return f"is {node.kind}. Write {words}."


def _flag(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise IdentityError(f"“{text[:40]}” is neither. Write true or false.")


def _number(text: str) -> int:
    if text.strip().lower() in ("", NONE):
        raise IdentityError("Write digits: 0 for none, unlimited for no limit.")
    return parse_number(text)


def _written_size(value: int) -> int | str:
    if value == NO_LIMIT:
        return "unlimited"
    text = exact_bytes(value) if value > 0 else ""
    return value if not text or text.endswith(" B") else text.replace(" ", "")


def _duration(text: str) -> int:
    return parse_duration(text.strip())


def _moment(text: str) -> int:
    value = text.strip()
    if value in ("never", "0"):
        return 0
    if _UNIX.fullmatch(value):
        return int(value)
    if _SPAN.fullmatch(value):
        raise IdentityError(
            f"“{value}” is a span, which would mean another moment each time. Write a date: 2027-06-30."
        )
    try:
        if _DATE.fullmatch(value):
            day = date.fromisoformat(value)
            return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        moment = datetime.fromisoformat(value.replace(" UTC", "+00:00"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.timestamp() < 0:
        raise IdentityError(f"“{value[:40]}” is no moment. Write 2027-06-30, 2027-06-30T12:00:00Z, or never.")
    return int(moment.timestamp())


def moment_text(value: int) -> int | str:
    """Unix seconds as a manifest has them."""
    if value == 0:
        return "never"
    if not 0 < value <= _LAST:
        return value
    return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _sampling(text: str) -> int:
    if text.strip().lower() == "headers":
        return 0
    number = text.strip().removesuffix("%")
    if not number.isascii() or not number.isdigit() or not 1 <= int(number[:9]) <= 100:
        raise IdentityError(f"“{text[:40]}” is no rate. Write a percentage from 1 to 100, or headers.")
    return int(number)


TEXT = _scalar("a text", str, "", str)
FLAG = _scalar("true or false", _flag, False, bool)
COUNT = _scalar(
    "a number, or unlimited", _number, 0, lambda value: "unlimited" if value == NO_LIMIT else value
)
WHOLE = _scalar("a number", _number, 0, int)
SIZE = _scalar("a size (512MiB, 10GB, unlimited)", _number, 0, _written_size)
DURATION = _scalar("a duration (500ms, 2m, 1h30m)", _duration, 0, format_duration)
MOMENT = _scalar("a moment (2027-06-30, 2027-06-30T12:00:00Z, never)", _moment, 0, moment_text)
SAMPLING = _scalar("a percentage, or headers", _sampling, 0, lambda value: value if value else "headers")


def choice(*options: str) -> Kind:
    """One of a few words; what is written must be one of them, in this spelling."""

    def parse(text: str) -> str:
        if text in options:
            return text
        near = _nearest(text, options)
        raise IdentityError(f"“{text[:40]}” is not known{near}. Write {' or '.join(options)}.")

    return _scalar(" or ".join(options), parse, "", str)


def listing(item: Kind, words: str) -> Kind:
    """A list of values of one kind."""

    def read(node: Node, found: Found) -> tuple[Any, ...]:
        if node.items is None:
            one = "" if node.text is None or node.is_nothing else f": [{node.text[:40]}]"
            said = _misfit(node, f"{words} ([] for none)") if not one else f"is one value. Write a list{one}."
            found.append(node.problem(said))
            return ()
        return tuple(item.read(entry, found) for entry in node.items)

    return Kind(
        words=words,
        read=read,
        write=lambda values: [item.write(value) for value in values],
        fields=item.fields,
    )


def keyed(item: Kind, words: str) -> Kind:
    """A map from names to values of one kind."""

    def read(node: Node, found: Found) -> dict[str, Any]:
        if node.entries is None:
            found.append(node.problem(_misfit(node, f"{words} ({{}} for none)")))
            return {}
        return {name: item.read(entry, found) for name, entry in node.entries.items()}

    def write(values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: item.write(values[name]) for name in sorted(values)}

    return Kind(words=words, read=read, write=write, fields=item.fields)


def optional(kind: Kind) -> Kind:
    """The kind, or the word none for no such thing."""

    def read(node: Node, found: Found) -> Any:
        return None if node.text == NONE else kind.read(node, found)

    def write(value: Any) -> Any:
        return NONE if value is None else kind.write(value)

    return Kind(words=f"{kind.words}, or none", read=read, write=write, fields=kind.fields)


def fields_of(
    node: Node, fields: Mapping[str, Kind], found: Found, *, needs: Iterable[str] = ()
) -> dict[str, Any]:
    """The fields that are written in a block; an unknown one is told with the nearest known one."""
    if node.entries is None:
        found.append(node.problem(_misfit(node, f"a block of fields ({', '.join(list(fields)[:3])}, …)")))
        return {}
    values: dict[str, Any] = {}
    for name, entry in node.entries.items():
        kind = fields.get(name)
        if kind is not None:
            values[name] = kind.read(entry, found)
            continue
        near = _nearest(name, fields)
        known = ", ".join(sorted(fields))
        found.append(entry.problem(f"is no field here{near}. Known are: {known}."))
    for name in needs:
        if name not in node.entries:
            found.append(node.problem(f"needs the field “{name}”: {fields[name].words}."))
    return values


def record(base: Any, fields: Mapping[str, Kind], *, needs: Iterable[str] = (), words: str = "") -> Kind:
    """A block that is a dataclass like `base`, which is also what its fields are when they are not written."""

    def read(node: Node, found: Found) -> Any:
        return replace(base, **fields_of(node, fields, found, needs=needs))

    def write(value: Any) -> dict[str, Any]:
        written = {}
        for name, kind in fields.items():
            held = getattr(value, name)
            if name in needs or held != getattr(base, name):
                written[name] = kind.write(held)
        return written

    return Kind(words=words or "a block of fields", read=read, write=write, fields=fields)


def _nearest(name: str, known: Iterable[str]) -> str:
    wanted, options = name.lower().replace("-", "_"), list(known)
    near = difflib.get_close_matches(wanted, options, n=1, cutoff=0.6)
    near = near or [option for option in options if len(wanted) > 2 and option.startswith(wanted)]
    return f" (do you mean “{near[0]}”?)" if near else ""
