"""Go's way of writing strings and reading numbers, for messages and verdicts equal to the Go library's."""

from __future__ import annotations

import re

_SHORT = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
_INTEGER = re.compile(r"[+-]?[0-9]+")


def quote(text: str) -> str:
    """`text` as Go's `%q` prints it (`strconv.Quote`): in double quotes, unprintable characters escaped."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    code = ord(character)
    if short := _SHORT.get(code):
        return short
    if character.isprintable():
        return character
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    if 0xD800 <= code < 0xE000:  # no such thing in Go, whose decoder has put U+FFFD there
        return "\ufffd"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def atoi(text: str) -> int | None:
    """Go's `strconv.Atoi`: a decimal int64 with an optional sign and nothing else; None when it is none."""
    if not _INTEGER.fullmatch(text):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None
