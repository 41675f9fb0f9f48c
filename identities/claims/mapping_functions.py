"""The tokens of a mapping's destination that nats-server computes: `$1`, `{{wildcard(1)}}`, `{{partition(10,1)}}`, …

Source: nats-server 2.15 `subject_transform.go indexPlaceHolders`; spec §3.3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from identities.claims.errors import ClaimsError

_CALL = re.compile(r"\{\{\s*([A-Za-z]+)\s*\(([^()]*)\)\s*\}\}")
_SPELLINGS = (
    "wildcard",
    "partition",
    "splitFromLeft",
    "splitFromRight",
    "sliceFromLeft",
    "sliceFromRight",
    "split",
    "left",
    "right",
    "random",
)
_NAMES = {
    "".join(letter if letter.islower() else f"[{letter.lower()}{letter}]" for letter in name): name
    for name in (spelling[0].upper() + spelling[1:] for spelling in _SPELLINGS)
}
"""The server takes the first letter of each word in either case, and no other capitals."""
_NUMBER = r"\d{1,9}"
_ARGUMENTS = {
    "Wildcard": _NUMBER,
    "Partition": f"{_NUMBER}(,{_NUMBER})*",
    "Split": f"{_NUMBER},[^,]+",
    "Random": _NUMBER,
}
_TWO_NUMBERS = f"{_NUMBER},{_NUMBER}"


class NoFunction(ClaimsError):
    """A token that looks like a function but is none, or asks for what the source does not have."""

    code = "no-mapping-function"


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One computed token: `indexes` name wildcards of the source from 1, `number` is a count, `text` a delimiter."""

    name: str
    indexes: tuple[int, ...] = ()
    number: int = 0
    text: str = ""


def function(token: str, wildcards: int) -> Function | None:
    """The function that a destination's token asks for, None for a literal; the source has `wildcards` many `*`.

    Raises:
        NoFunction: why nats-server could not make a transform of it.
    """
    if re.fullmatch(r"\$\d+", token):
        if not 1 <= int(token[1:]) <= wildcards:
            raise NoFunction(f"{token} stands for no `*` of the source")
        return Function(name="Wildcard", indexes=(int(token[1:]),))
    if "{{" not in token and "}}" not in token:
        return None
    call = _CALL.fullmatch(token)
    name = _name(call[1]) if call else ""
    if call is None or not name:
        raise NoFunction(f"{token} is no function of nats-server")
    arguments = call[2].replace(" ", "")
    if not re.fullmatch(_ARGUMENTS.get(name, _TWO_NUMBERS), arguments):
        raise NoFunction(f"{token} has the wrong arguments")
    made = _made(name, arguments.split(","))
    if any(not 1 <= index <= wildcards for index in made.indexes):
        raise NoFunction(f"{token} asks for a `*` that the source does not have")
    return made


def _name(written: str) -> str:
    return next((name for pattern, name in _NAMES.items() if re.fullmatch(pattern, written)), "")


def _made(name: str, arguments: list[str]) -> Function:
    if name == "Random":
        return Function(name=name, number=int(arguments[0]))
    if name == "Partition":
        return Function(name=name, number=int(arguments[0]), indexes=tuple(map(int, arguments[1:])))
    if name == "Split":
        return Function(name=name, indexes=(int(arguments[0]),), text=arguments[1])
    number = int(arguments[1]) if len(arguments) > 1 else 0
    return Function(name=name, indexes=(int(arguments[0]),), number=number)


def computed(made: Function, held: list[bytes], subject: bytes, *, is_wild: bool) -> bytes:
    """What the function makes of `held`, the tokens that the source's wildcards took of `subject`.

    A random number is not drawn: it reads `<0-4>`. The parts of a token are counted in bytes. Of a source that is not
    `is_wild` the server hashes the whole subject or nothing, as it looked at other mappings before or not: `<2|5>`.
    """
    if made.name == "Random":
        return b"0" if made.number <= 1 else b"<0-%d>" % (made.number - 1)
    taken = [held[index - 1] for index in made.indexes]
    if made.name == "Partition" and not taken:
        ways = sorted(
            {_partition(subject, made.number), *([] if is_wild else [_partition(b"", made.number)])}
        )
        return ways[0] if len(ways) == 1 else b"<%s>" % b"|".join(ways)
    if made.name == "Partition":
        return _partition(b"".join(taken), made.number)
    token = taken[0]
    if made.name == "Wildcard":
        return token
    if made.name == "Split":
        return _split(token.split(made.text.encode()))
    return _part(made.name, token, made.number)


def _split(parts: list[bytes]) -> bytes:
    """The parts with dots between them, empty ones left out, and the server's one odd dot: `--a` at `-` is `.a`."""
    made = b""
    for place, part in enumerate(parts):
        made += part
        if place < len(parts) - 1 and parts[place + 1] and (place or part):
            made += b"."
    return made


def _part(name: str, token: bytes, size: int) -> bytes:
    """Too short a token stays as it is."""
    if not 0 < size < len(token):
        return token
    rest = len(token) % size
    match name:
        case "Left":
            return token[:size]
        case "Right":
            return token[-size:]
        case "SplitFromLeft":
            return token[:size] + b"." + token[size:]
        case "SplitFromRight":
            return token[:-size] + b"." + token[-size:]
        case "SliceFromLeft":
            starts = range(0, len(token), size)
            return b".".join(token[start : start + size] for start in starts)
        case _:
            parts = [token[start : start + size] for start in range(rest, len(token), size)]
            return b".".join([token[:rest], *parts] if rest else parts)


def _partition(key: bytes, buckets: int) -> bytes:
    """FNV-1a of 32 bits, modulo the number of partitions."""
    hashed = 2_166_136_261
    for byte in key:
        hashed = ((hashed ^ byte) * 16_777_619) & 0xFFFF_FFFF
    return b"%d" % (hashed % buckets if buckets else 0)
