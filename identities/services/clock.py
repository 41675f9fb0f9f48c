"""The one place where services read the clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def unix() -> int:
    """Now, in whole unix seconds, as claims count time."""
    return int(time.time())


def at(seconds: int) -> datetime:
    """The aware datetime of unix `seconds`, for the database."""
    return datetime.fromtimestamp(seconds, tz=UTC)


def in_words(seconds: int) -> str:
    """Unix `seconds` for people; what no calendar has stays a number."""
    try:
        return f"{at(seconds):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return f"second {seconds}"


def now() -> datetime:
    """Now, as an aware datetime."""
    return datetime.now(tz=UTC)
