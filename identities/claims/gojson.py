"""JSON as Go's `encoding/json` reads and writes it (spec §2.3), with numbers and unknown values kept to the letter.

Trees are plain dicts, lists, strings, ints, bools, None, and `NumberText` for numbers with a fraction or exponent.
Stricter than Go: no key twice, a bounded depth, no endless numbers.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

from identities.claims.errors import ClaimsError

MAX_DEPTH = 100
_EXACT = 2**53
_NO_EXPONENT = 1e21  # from here on Go writes floats with an exponent
_FEW_BRACKETS = MAX_DEPTH  # fewer cannot be deeper
_MARK = "\ud800"  # a lone surrogate: no parsed string can hold one
_NUMBERS = re.compile(f'"{_MARK}([^"]*)"')
_NO_TEXT = re.compile("[\ud800-\udfff]")  # lone surrogates from inside this process; Go writes U+FFFD too
_ESCAPES = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


class NumberText(str):
    """A number that is not an integer, as the JSON had it (`1.50`, `4e9`): written back unchanged."""

    __slots__ = ()

    def __str__(self) -> str:
        return self[1:]

    def __repr__(self) -> str:
        return self[1:]

    def __format__(self, spec: str) -> str:
        return format(self[1:], spec)


def loads(data: bytes) -> object:
    """Return the tree of JSON text.

    Raises:
        ClaimsError: not JSON, a key twice in one object, nested deeper than `MAX_DEPTH`, or a number too long.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode(errors=_GO_REPLACE)
    if "\\ud" in text or "\\uD" in text:
        text = _ESCAPES.sub(lambda found: "\\ufffd" if found[1] else found[0], text)
    try:
        tree = _decoder.decode(text)
    except RecursionError:
        raise ClaimsError("json: exceeded max depth") from None
    except ValueError as error:
        raise ClaimsError(_syntax_words(error)) from None
    if text.count("{") + text.count("[") > _FEW_BRACKETS:
        _check_depth(tree)
    return tree


def dumps(tree: object) -> str:
    """Return `tree` as Go's `json.Marshal` writes it; dict order is kept, callers sort maps."""
    text = _encode(tree)
    if "<" in text:
        text = text.replace("<", "\\u003c")
    if ">" in text:
        text = text.replace(">", "\\u003e")
    if "&" in text:
        text = text.replace("&", "\\u0026")
    if text.isascii():
        return text
    text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    if _MARK in text:
        text = _NUMBERS.sub(r"\1", text)
    return _NO_TEXT.sub("\ufffd", text)


def sort_maps(value: object) -> object:
    """Return a free value with all keys sorted at every level, as Go writes a `map[string]any`."""
    if isinstance(value, Mapping):
        return {key: sort_maps(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [sort_maps(item) for item in value]
    return value


def through_float(value: Any) -> Any:
    """Return a value as it is after Go held it in an `any`: numbers have become `float64`; itself if none changed.

    So a role's limit of 2**63-1 is refused, and 1e3 is a whole number there (jwt/v2 `SigningKeys.UnmarshalJSON`).
    """
    if type(value) is dict:
        values = {key: through_float(item) for key, item in value.items()}
        return values if any(values[key] is not value[key] for key in values) else value
    if type(value) is list:
        items = [through_float(item) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if type(value) is NumberText or (type(value) is int and abs(value) > _EXACT):
        try:
            number = float(str(value))
        except OverflowError:
            raise ClaimsError("A number is too large.") from None
        if number.is_integer() and abs(number) < _NO_EXPONENT:
            return int(Decimal(repr(number)))  # the shortest digits that mean this float, as Go writes them
    return value


def quoted(value: object) -> str:
    """Return a value for a message: as JSON, cut when long."""
    text = dumps(value)
    return text if len(text) <= 80 else text[:80] + "…"


def kind(value: object) -> str:
    """Return the name Go has for the kind of a JSON value."""
    if isinstance(value, NumberText):
        return f"number {value}"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return f"number {value}"
    return "string" if isinstance(value, str) else "object" if isinstance(value, dict) else "array"


def _no_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ClaimsError(f"The key “{twice[:60]}” stands twice in one object.")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ClaimsError(f"invalid character '{name[0]}' looking for beginning of value")


def _number(literal: str) -> NumberText:
    if len(literal) > 400:
        raise ClaimsError("A number is longer than 400 digits.")
    return NumberText(_MARK + literal)


def _check_depth(tree: object) -> None:
    level = [tree]
    for _ in range(MAX_DEPTH + 1):
        deeper: list[object] = []
        for node in level:
            if type(node) is dict:
                deeper.extend(node.values())
            elif type(node) is list:
                deeper.extend(node)
        if not deeper:
            return
        level = deeper
    raise ClaimsError("json: exceeded max depth")


def _syntax_words(error: ValueError) -> str:
    if not isinstance(error, json.JSONDecodeError):  # Python's own limit on the digits of an integer
        return "A number is too long."
    if error.pos >= len(error.doc.rstrip()):
        return "unexpected end of JSON input"
    character = error.doc[error.pos]
    if error.msg.startswith("Extra data"):
        return f"invalid character {character!r} after top-level value"
    return f"invalid character {character!r} at byte {error.pos} of the JSON"


def _each_byte(error: UnicodeError) -> tuple[str, int]:
    """Replace every bad byte by U+FFFD, as Go does (Python's own handler replaces runs)."""
    assert isinstance(error, UnicodeDecodeError)  # noqa: S101  # registered for decoding only
    return "\ufffd" * (error.end - error.start), error.end


_GO_REPLACE = "nats-go-replace"
codecs.register_error(_GO_REPLACE, _each_byte)
_decoder = json.JSONDecoder(object_pairs_hook=_no_doubles, parse_float=_number, parse_constant=_no_constant)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
