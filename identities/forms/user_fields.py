"""Form fields that only users have: limits where nothing typed means unlimited, durations, ranges of the day."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from identities.claims.limits import NO_LIMIT
from identities.claims.permissions import TimeRange
from identities.errors import IdentityError
from identities.formats import durations
from identities.forms.fields import ListField, NumberField

_RANGE = re.compile(r"([^\s–-]+)\s*(?:-|–|to)\s*([^\s–-]+)")
_HOUR_AND_MINUTE = re.compile(r"([0-9]{1,2}):([0-9]{2})", re.ASCII)


class LimitField(NumberField):
    """A limit that may be left empty, which is `blank`: unlimited, as nsc starts a user."""

    def __init__(self, *, blank: int = NO_LIMIT, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        kwargs.setdefault("initial", blank)
        super().__init__(**kwargs)
        self.blank = blank

    def clean(self, value: Any) -> int:
        """The number."""
        return super().clean(value) if (value or "").strip() else self.blank


class DurationField(forms.CharField):
    """A Go duration (`5s`, `1h30m`); cleans to nanoseconds, 0 when empty, -1 for “unlimited”."""

    too_low = "A time can't be negative. Write a time such as 5s or 2m, or “unlimited”."

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        kwargs.setdefault("max_length", 60)
        super().__init__(**kwargs)
        self.widget.attrs.update({"autocomplete": "off", "class": "number", "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        """The text of the input."""
        if not isinstance(value, int):
            return value
        if value == NO_LIMIT:
            return "unlimited"
        return durations.format_duration(value) if value else ""

    def clean(self, value: Any) -> int:
        """Nanoseconds."""
        text: str = super().clean(value)
        if not text:
            return 0
        if text.casefold() == "unlimited":
            return NO_LIMIT
        try:
            return durations.parse_duration(text)
        except IdentityError as refused:
            raise ValidationError(refused.user_message) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the text differs from what was shown."""
        return bool(self.prepare_value(initial or 0) != (data or "").strip())


class TimesField(ListField):
    """Ranges of the day, one to a line: `08:00-18:00`; cleans to texts `HH:MM:SS-HH:MM:SS`."""

    def split(self, text: str) -> tuple[str, ...]:
        """The ranges in `text`, seconds added; a line that is no range stays as it is."""
        return tuple(dict.fromkeys(_tidy(line) for line in super().split(text)))

    def clean(self, value: Any) -> tuple[str, ...]:
        """The ranges; the times themselves are checked with the whole claims document."""
        found = super().clean(value)
        for text in found:
            if _RANGE.fullmatch(text) is None:
                raise ValidationError(
                    f"“{text[:60]}” is no range of the day. Write 08:00-18:00, one to a line."
                )
        return found


def range_text(held: TimeRange) -> str:
    """A range as it is typed."""
    return f"{held.start}-{held.end}"


def _tidy(line: str) -> str:
    found = _RANGE.fullmatch(line)
    return f"{_clock(found[1])}-{_clock(found[2])}" if found else line


def _clock(text: str) -> str:
    found = _HOUR_AND_MINUTE.fullmatch(text)
    return f"{int(found[1]):02}:{found[2]}:00" if found else text
