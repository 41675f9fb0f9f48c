"""Numbers and sizes as nsc reads them (`1k`, `10GiB`, `-1`), and in words for people."""

from __future__ import annotations

import re
from fractions import Fraction

from identities.claims.describe_text import exact_bytes
from identities.formats.errors import FormatError, shown

NO_LIMIT = -1
_POWERS = "KMGTPE"
_NUMBER = re.compile(
    r"(-?)([0-9]{1,60}(?:\.[0-9]{1,60})?)\s*(?:([kmgtpe])(i?))?(b?)", re.ASCII | re.IGNORECASE
)
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_WORDS = {"": 0, "none": 0, "unlimited": NO_LIMIT, "no limit": NO_LIMIT}


def parse_number(text: str, *, field: str = "") -> int:
    """Read a number with an optional SI or IEC suffix: `1k` = 1000, `1KiB` = 1024, `1.5G`, `-1`; empty = 0.

    Also reads the words that `size_words` and `number_words` print. Decimals are cut to whole numbers.

    Raises: FormatError. Source: nsc `cmd/common.go` number flags.
    """
    value = text.strip()
    if value.lower() in _WORDS:
        return _WORDS[value.lower()]
    matched = _NUMBER.fullmatch(value.replace(",", "")) if len(value) <= 60 else None
    if matched is None:
        raise FormatError(
            f"{shown(text)} is no number. Write digits with an optional suffix (1k, 10MB, 5GiB), or -1 for no limit.",
            field=field,
        )
    base = 1024 if matched[4] else 1000
    power = _POWERS.index(matched[3].upper()) + 1 if matched[3] else 0
    number = int(Fraction(matched[2]) * base**power) * (-1 if matched[1] else 1)
    if not _SMALLEST <= number <= _LARGEST:
        raise FormatError(f"{shown(text)} is too large: at most {_LARGEST:,} (8 EiB - 1).", field=field)
    return number


def number_words(number: int) -> str:
    """A count in words: `unlimited` for -1, `none` for 0, else grouped digits."""
    if number == NO_LIMIT:
        return "unlimited"
    return f"{number:,}" if number else "none"


def size_words(number: int) -> str:
    """A size in bytes in words, never rounded: `unlimited`, `none`, `512 MiB`, `1 GB`, `1.5 KiB`, `1,000,001 B`."""
    if number == NO_LIMIT or number == 0:
        return number_words(number)
    return exact_bytes(number)
