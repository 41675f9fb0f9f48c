"""The rows of a description, and nsc's way of writing sizes, durations and dates in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

_SIZES = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_POWERS = "KMGTPE"
_SECOND = 10**9


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a further value of a list has the label "". `note` is ours, for what nsc leaves unsaid."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """One of nsc's tables: either labelled `rows`, or `lines` of cells under `headers`."""

    title: str
    rows: tuple[Row, ...] = ()
    headers: tuple[str, ...] = ()
    lines: tuple[tuple[str, ...], ...] = ()


def list_rows(label: str, values: Iterable[str]) -> list[Row]:
    """A list, one value per row, the label on the first."""
    return [Row("" if index else label, value) for index, value in enumerate(values)]


def yes_no(*, flag: bool) -> str:
    """`Yes` or `No`."""
    return "Yes" if flag else "No"


def date_text(seconds: int) -> str:
    """Unix seconds as nsc writes them, `2026-11-23 21:14:28 UTC`; "" for 0."""
    if not seconds:
        return ""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{seconds} seconds after 1970"


def bytes_text(size: int) -> str:
    """A size as go-humanize's `Bytes` writes it: SI units, one decimal below ten (`1.0 MB`, `66 kB`)."""
    if size < 10:
        return f"{size} B"
    exponent = min((len(str(size)) - 1) // 3, len(_SIZES) - 1)
    tenths = (size * 100 // 1000**exponent + 5) // 10
    number = f"{tenths / 10:.1f}" if tenths < 100 else f"{tenths / 10:.0f}"
    return f"{number} {_SIZES[exponent]}"


def exact_bytes(size: int) -> str:
    """A size in bytes, never rounded: `512 MiB`, `1 GB`, `1.5 KiB`, `1,000,001 B`."""
    for base, infix in ((1024, "i"), (1000, "")):
        power = next((power for power in range(len(_POWERS), 0, -1) if abs(size) >= base**power), 0)
        if power and size * 100 % base**power == 0:
            hundredths = f"{size * 100 // base**power / 100:.2f}".rstrip("0").rstrip(".")
            return f"{hundredths} {_POWERS[power - 1]}{infix}B"
    return f"{size:,} B"


def duration_text(nanoseconds: int) -> str:
    """A duration as Go's `Duration.String` writes it (`1.5s`, `2m0s`, `100ms`, `0s`)."""
    if nanoseconds < 0:
        return "-" + duration_text(-nanoseconds)
    if nanoseconds == 0:
        return "0s"
    if nanoseconds < _SECOND:
        for unit, size in (("ms", 10**6), ("µs", 10**3)):
            if nanoseconds >= size:
                return _decimal(nanoseconds, size) + unit
        return f"{nanoseconds}ns"
    minutes, rest = divmod(nanoseconds, 60 * _SECOND)
    hours, minutes = divmod(minutes, 60)
    seconds = _decimal(rest, _SECOND) + "s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    if not rest:
        return str(whole)
    digits = f"{rest:0{len(str(unit)) - 1}d}".rstrip("0")
    return f"{whole}.{digits}"
