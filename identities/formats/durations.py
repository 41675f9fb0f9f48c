"""Durations as Go prints and reads them, and nsc's `--expiry`, `--start` and `--at` grammar."""

from __future__ import annotations

import re
from calendar import timegm
from datetime import UTC, date, datetime, timedelta

from identities.formats.errors import FormatError, shown

NANOSECOND = 1
MICROSECOND = 1_000 * NANOSECOND
MILLISECOND = 1_000 * MICROSECOND
SECOND = 1_000 * MILLISECOND
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

_UNITS = {
    "ns": NANOSECOND,
    "us": MICROSECOND,
    "µs": MICROSECOND,  # micro sign
    "μs": MICROSECOND,  # Greek mu
    "ms": MILLISECOND,
    "s": SECOND,
    "m": MINUTE,
    "h": HOUR,
}
_PIECE = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_LARGEST = 2**63 - 1
_LONGEST_TEXT = 100

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_DATE_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2}) UTC", re.ASCII)
_RELATIVE = re.compile(r"(-?[0-9]{1,9})([mhdwMy])", re.ASCII)
_UNIX = re.compile(r"[0-9]{1,12}", re.ASCII)
_LAST_SECOND = timegm((9999, 12, 31, 23, 59, 59))

EXPIRY_GRAMMAR = (
    "a date (2027-06-30), a date with time (2027-06-30 12:00:00 UTC), or a span: 90m, 12h, 30d, 2w, 6M, 1y"
)


def parse_duration(text: str, *, field: str = "") -> int:
    """Read a Go duration (`2m`, `1.9s`, `1h30m`, `-5ms`, `0`); nanoseconds.

    Raises: FormatError. Source: Go `time.ParseDuration`.
    """
    found = _duration(text)
    if found is None:
        raise FormatError(
            f"{shown(text)} is no duration. Write a number with a unit, such as 500ms, 2m or 1h30m.",
            field=field,
        )
    return found


def _duration(text: str) -> int | None:
    if len(text) > _LONGEST_TEXT:
        return None
    sign, rest = (-1, text[1:]) if text[:1] == "-" else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    total, position = 0, 0
    while position < len(rest):
        piece = _PIECE.match(rest, position)
        if piece is None or not (piece[1] or piece[2]):
            return None
        unit = _UNITS[piece[3]]
        total += int(piece[1] or "0") * unit
        if piece[2]:
            total += int(piece[2]) * unit // 10 ** len(piece[2])
        position = piece.end()
    if not rest or total > _LARGEST:
        return None
    return sign * total


def format_duration(nanoseconds: int) -> str:
    """Print nanoseconds as Go does: `2m0s`, `1.9s`, `1h0m0s`, `0s`. Source: Go `time.Duration.String`."""
    if nanoseconds == 0:
        return "0s"
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest < SECOND:
        unit, name = next(
            (unit, name)
            for unit, name in ((MILLISECOND, "ms"), (MICROSECOND, "µs"), (NANOSECOND, "ns"))
            if rest >= unit
        )
        return f"{sign}{_decimal(rest, unit)}{name}"
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    seconds = f"{_decimal(rest, SECOND)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else f"{sign}{seconds}"


def _decimal(value: int, unit: int) -> str:
    whole, part = divmod(value, unit)
    if not part:
        return str(whole)
    digits = len(str(unit)) - 1
    return f"{whole}.{part:0{digits}d}".rstrip("0")


def parse_expiry(text: str, *, now: int, field: str = "expiry") -> int:
    """Read nsc's `--expiry` or `--start`; unix seconds, 0 = never (always).

    `0` and an empty text clear; a date is its UTC midnight; a span counts from `now`, days and longer by the calendar
    in UTC (31 January + 1M is 3 March, as Go's AddDate has it). Unlike nsc, text around a span is not ignored.

    Raises: FormatError. Source: nsc `cmd/timeparams.go ParseExpiry`.
    """
    value = text.strip()
    if value in ("", "0"):
        return 0
    try:
        found = _expiry(value, now)
    except (ValueError, OverflowError):
        found = None
    if found is None or not 0 <= found <= _LAST_SECOND:
        raise FormatError(
            f"{shown(text)} is no date or span. Write {EXPIRY_GRAMMAR}; 0 for none.", field=field
        )
    return found


def _expiry(value: str, now: int) -> int | None:
    if _DATE.fullmatch(value):
        return _seconds(f"{value}T00:00:00+00:00")
    if matched := _DATE_TIME.fullmatch(value):
        return _seconds(f"{matched[1]}T{matched[2]}+00:00")
    if matched := _RELATIVE.fullmatch(value):
        return _after(now, int(matched[1]), matched[2])
    return None


def _seconds(iso: str) -> int:
    return int(datetime.fromisoformat(iso).timestamp())


def _after(now: int, count: int, unit: str) -> int:
    if count == 0:
        return 0
    spans = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}  # UTC has no daylight saving: a day is 86,400 s
    if unit in spans:
        return now + count * spans[unit]
    start = datetime.fromtimestamp(now, UTC)
    months = start.year * 12 + start.month - 1 + count * (12 if unit == "y" else 1)
    day = date(months // 12, months % 12 + 1, 1) + timedelta(days=start.day - 1)
    return timegm(day.timetuple()) + now % 86_400


def parse_moment(text: str, *, now: int, field: str = "at") -> int:
    """Read nsc's `--at`; unix seconds: `0` or nothing is `now`, else RFC 3339 or unix seconds.

    Raises: FormatError. Source: nsc `cmd/revoke_common.go` (`--at`).
    """
    value = text.strip()
    if value in ("", "0"):
        return now
    if _UNIX.fullmatch(value):
        return int(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or "T" not in value.upper():
        raise FormatError(
            f"{shown(text)} is no moment. Write 2027-06-30T12:00:00Z, unix seconds, or 0 for now.",
            field=field,
        )
    return int(moment.timestamp())
