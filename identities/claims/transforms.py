"""What a subject becomes when nats-server transforms it: mappings, and imports with a local subject.

Source: nats-server `subject_transform.go`, oddities included: `$0` is the first token, a function of a source without
wildcards sees nothing of it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from identities.claims.errors import ClaimsError
from identities.claims.subjects import is_strict_valid
from identities.claims.validate_text import atoi

MOST_OUTCOMES = 256
"""A token drawn at random from more than so many is left as `*`."""
_FUNCTION = re.compile(r"\{\{\s*([A-Za-z]+)\s*\((.*)\)\s*\}\}")
_COMMA = re.compile(r",\s*")
_WILDCARD = re.compile(r"\{\{\s*[wW]ildcard\s*\((.*)\)\s*\}\}")
_SPACE = re.compile("[\t\n\f\r ]")
_NAMES = re.compile(
    "[wW]ildcard|[pP]artition|[rR]andom|[lL]eft|[rR]ight|[sS]plit|[sS](?:plit|lice)[fF]rom(?:[lL]eft|[rR]ight)"
)
_FNV_OFFSET, _FNV_PRIME, _32_BITS = 0x811C9DC5, 0x01000193, 0xFFFFFFFF
Tokens = Sequence[str]


class TransformRefused(ClaimsError):
    """nats-server makes no transform of this, and drops the whole mapping or import."""

    code = "transform-refused"


@dataclass(frozen=True, slots=True)
class _Part:
    """One token of the destination: `name` of a function, "" for a literal; `places` are tokens of the source."""

    text: str
    name: str = ""
    places: tuple[int, ...] = ()
    number: int = 0
    separator: str = ""


@dataclass(frozen=True, slots=True)
class Transform:
    """From subjects that match `source` to what `destination` makes of them."""

    source: str
    destination: str
    parts: tuple[_Part, ...]

    @classmethod
    def of(cls, source: str, destination: str, *, strict: bool = False) -> Transform:
        """`strict` is for imports: only wildcards may be named, and each must be.

        Raises: TransformRefused.
        """
        if not _is_mapping_subject(destination):
            raise TransformRefused(f"“{destination}” is no subject to map to.")
        theirs, ours = source.split("."), destination.split(".")
        if not is_strict_valid(source) or "*" in ours or (theirs[-1] == ">") != (ours[-1] == ">"):
            raise TransformRefused(
                f"“{destination}” does not fit “{source}”: both must end in >, or neither, and wildcards are named by "
                "their number, as $1."
            )
        stars = [place for place, word in enumerate(theirs) if word == "*"]
        wild = bool(stars) or theirs[-1] == ">"
        parts = tuple(_placed(_part(token), stars, wild=wild, strict=strict) for token in ours)
        if strict and wild and sum(len(part.places) for part in parts) < len(stars):
            raise TransformRefused(f"“{destination}” does not name every * of “{source}”.")
        return cls(source, destination, parts)

    def apply(self, tokens: Tokens) -> tuple[str, ...]:
        """Every subject that the literal `tokens` may become: one, unless the server draws at random."""
        results = [""]
        for number, part in enumerate(self.parts):
            if part.text == ">":
                break
            dot = "." if number < len(self.parts) - 1 else ""
            choices = _choices(part, tokens)
            results = [f"{begun}{choice}{dot}" for begun in results for choice in choices]
        if self.parts[-1].text == ">":
            rest = ".".join(tokens[self.source.count(".") :])
            results = [begun + rest for begun in results]
        return tuple(results)

    def reverse(self) -> Transform:
        """The way back, as the server makes it: with three or more wildcards in turn it is not the inverse.

        Raises: TransformRefused.
        """
        source, named = untokenized(self.destination)
        places = iter(named)
        back = [next(places, "") if word == "*" else word for word in self.source.split(".")]
        return Transform.of(source, ".".join(back), strict=True)


def tokenized(subject: str) -> str:
    """`a.*.*` as `a.$1.$2`."""
    numbers = itertools.count(1)
    return ".".join(f"${next(numbers)}" if word == "*" else word for word in subject.split("."))


def untokenized(subject: str) -> tuple[str, list[str]]:
    """`a.$2.$1` as `a.*.*`, and the names of its wildcards in order."""
    words = subject.split(".")
    named = [word for word in words if _names_wildcard(word)]
    return ".".join("*" if _names_wildcard(word) else word for word in words), named


def _names_wildcard(word: str) -> bool:
    if len(word) > 1 and word[0] == "$" and "1" <= word[1] <= "9":
        return True
    function = _WILDCARD.search(word)
    return function is not None and function[1] != "" and "," not in function[1]


def _is_mapping_subject(destination: str) -> bool:
    tokens = destination.split(".")
    if "" in tokens or ">" in tokens[:-1]:
        return False
    return not any(_SPACE.search(token) for token in tokens if not _is_function(token))


def _is_function(token: str) -> bool:
    return len(token) > 4 and token.startswith("{{") and token.endswith("}}")


def _part(token: str) -> _Part:
    if len(token) > 1 and token[0] == "$":
        number = atoi(token[1:])
        return _Part(token) if number is None else _Part(token, "wildcard", (number,))
    if not _is_function(token):
        return _Part(token)
    found = _FUNCTION.search(token)
    if found is None or not _NAMES.fullmatch(found[1]):
        raise TransformRefused(f"{token} is no function of nats-server.")
    name = found[1].lower()
    arguments = _COMMA.split(found[2])
    if name == "split":
        if len(arguments) != 2 or " " in arguments[1]:
            raise TransformRefused(f"{token} has the wrong arguments.")
        return _Part(token, name, (_number(token, arguments[0]),), separator=arguments[1])
    numbers = tuple(_number(token, argument) for argument in arguments)
    if name == "partition":
        return _Part(token, name, numbers[1:], numbers[0])
    if len(numbers) != (1 if name in ("wildcard", "random") else 2):
        raise TransformRefused(f"{token} has the wrong arguments.")
    if name == "wildcard":
        return _Part(token, name, numbers)
    return (
        _Part(token, name, (), numbers[0])
        if name == "random"
        else _Part(token, name, numbers[:1], numbers[1])
    )


def _number(token: str, text: str) -> int:
    number = atoi(text.strip(" "))
    if number is None or number >= 2**31:
        raise TransformRefused(f"{token} has the wrong arguments.")
    return number


def _placed(part: _Part, stars: Sequence[int], *, wild: bool, strict: bool) -> _Part:
    """With the number of a wildcard turned into its place in the source."""
    if not part.name:
        return part
    if strict and wild and part.name != "wildcard":
        raise TransformRefused(f"{part.text} can't be used in an import: it names no wildcard.")
    if not wild and part.name not in ("random", "partition"):
        raise TransformRefused(f"{part.text} names a * that the source does not have.")
    if not wild:
        return _Part(part.text, part.name, (), part.number)
    if any(number > len(stars) for number in part.places):
        raise TransformRefused(f"{part.text} names a * that the source does not have.")
    places = tuple(stars[number - 1] if number > 0 else 0 for number in part.places)
    return _Part(part.text, part.name, places, part.number, part.separator)


def _choices(part: _Part, tokens: Tokens) -> Sequence[str]:
    match part.name:
        case "":
            return (part.text,)
        case "random":
            size = abs(part.number) or 1
            return tuple(map(str, range(size))) if size <= MOST_OUTCOMES else ("*",)
        case "partition":
            hashed = [tokens[place] for place in part.places] if part.places else [".".join(tokens)]
            return (_partition("".join(hashed), part.number),)
        case "wildcard":
            place = part.places[0]
            return (tokens[place] if place < len(tokens) else "",)
    token = tokens[part.places[0]]
    if part.name == "split":
        return (_split(token, part.separator),)
    if not 0 < part.number < len(token):
        return (token,)
    return (_CUTS[part.name](token, part.number),)


def _partition(text: str, buckets: int) -> str:
    if not buckets:
        return "0"
    value = _FNV_OFFSET
    for byte in text.encode():
        value = ((value ^ byte) * _FNV_PRIME) & _32_BITS
    return str(value % (buckets & _32_BITS))


def _split(token: str, separator: str) -> str:
    pieces = token.split(separator) if separator else list(token)
    found = []
    for number, piece in enumerate(pieces):
        found.append(piece)
        last = number == len(pieces) - 1
        if not last and pieces[number + 1] and not (number == 0 and not piece):
            found.append(".")
    return "".join(found)


def _sliced(token: str, size: int, first: int) -> str:
    """Slices of `size`; what does not fit makes a first one of `first` letters, or the last one."""
    head = [token[:first]] if first else []
    return ".".join([*head, *(token[at : at + size] for at in range(first, len(token), size))])


_CUTS: dict[str, Callable[[str, int], str]] = {
    "splitfromleft": lambda token, size: f"{token[:size]}.{token[size:]}",
    "splitfromright": lambda token, size: f"{token[:-size]}.{token[-size:]}",
    "slicefromleft": lambda token, size: _sliced(token, size, 0),
    "slicefromright": lambda token, size: _sliced(token, size, len(token) % size),
    "left": lambda token, size: token[:size],
    "right": lambda token, size: token[-size:],
}
