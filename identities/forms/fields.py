"""Form fields that speak NATS: keys, lists, tags, moments, and numbers in words. Each cleans to a plain value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from identities.errors import IdentityError
from identities.formats import durations, sizes
from identities.nkeys import KeyKind, PublicKey

LONGEST_TEXT = 300_000
_LAST_PRINTABLE = 253_402_300_799
_SECONDS = re.compile(r"@(-?[0-9]{1,19})", re.ASCII)
_SEPARATORS = re.compile(r"[,\s]+")


def moment_text(seconds: int) -> str:
    """Unix seconds as a person may type them: `2027-06-30 12:00:00 UTC`; "" for 0, `@seconds` beyond the calendar."""
    if not seconds:
        return ""
    if not 0 < seconds <= _LAST_PRINTABLE:
        return f"@{seconds}"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


class NameField(forms.CharField):
    """The name of an operator, account or user; kept exactly as typed, judged by `claims.names`."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("strip", False)
        kwargs.setdefault("max_length", 255)
        super().__init__(**kwargs)
        self.widget.attrs.setdefault("autocomplete", "off")
        self.widget.attrs.setdefault("spellcheck", "false")

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the name differs in what a browser can show and send back of it."""
        return _on_one_line(initial or "") != _on_one_line(data or "")


def _on_one_line(text: str) -> str:
    """A text as an input of one line gives it back: without line ends, U+FFFD for NUL (HTML standard)."""
    return text.replace("\r", "").replace("\n", "").replace("\0", "\ufffd")


class TextField(forms.CharField):
    """A line or paragraph of plain text."""

    def __init__(self, *, rows: int = 0, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        kwargs.setdefault("max_length", 8192)
        if rows:
            kwargs.setdefault("widget", forms.Textarea(attrs={"rows": rows}))
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> str:
        """The text with plain line ends: browsers send CRLF."""
        return str(super().to_python(value) or "").replace("\r\n", "\n")

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the text differs; line ends and blanks around it don't count."""
        return self.to_python(initial) != self.to_python(data)


class PublicKeyField(forms.CharField):
    """A public key of one kind; cleans to its 56 characters. A seed is refused before it gets here (`BaseForm`)."""

    def __init__(self, *, kind: KeyKind, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        kwargs.setdefault("max_length", 200)
        super().__init__(**kwargs)
        self.kind = kind
        self.widget.attrs.update({"autocomplete": "off", "spellcheck": "false", "class": "mono"})

    def clean(self, value: Any) -> str:
        """The key's text, or "" when none was given."""
        text: str = super().clean(value)
        if not text:
            return ""
        try:
            return PublicKey.parse(text, self.kind).text
        except IdentityError as refused:
            raise ValidationError(refused.user_message) from None


class ListField(forms.CharField):
    """Values one to a line, such as subjects or URLs; cleans to a tuple without repetitions, in the order typed."""

    def __init__(self, *, rows: int = 3, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        kwargs.setdefault("max_length", LONGEST_TEXT)
        kwargs.setdefault(
            "widget", forms.Textarea(attrs={"rows": rows, "spellcheck": "false", "class": "mono"})
        )
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """The text of the textarea."""
        return "\n".join(value) if isinstance(value, tuple | list) else value

    def clean(self, value: Any) -> tuple[str, ...]:
        """The lines that are not blank, each stripped."""
        return self.split(super().clean(value))

    def split(self, text: str) -> tuple[str, ...]:
        """The values in `text`."""
        lines = (line.strip() for line in text.splitlines())
        return tuple(dict.fromkeys(line for line in lines if line))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the values differ; blanks, empty lines and what `split` tidies don't count."""
        return self.split("\n".join(initial or ())) != self.split(data or "")


class SubjectsField(ListField):
    """Subjects, one to a line; the grammar is checked with the whole claims document, not here."""


class TagsField(ListField):
    """Tags, one to a line or between commas; lower-cased and sorted as nsc does (jwt/v2 `TagList.Add`)."""

    def split(self, text: str) -> tuple[str, ...]:
        """The tags in `text`."""
        words = (word.strip().lower() for line in text.splitlines() for word in line.split(","))
        return tuple(sorted({word for word in words if word}))


class WordsField(ListField):
    """Values between blanks, commas or line ends, such as networks."""

    def split(self, text: str) -> tuple[str, ...]:
        """The words in `text`."""
        return tuple(dict.fromkeys(word for word in _SEPARATORS.split(text) if word))


class UrlsField(WordsField):
    """URLs of servers; lower-cased, as nsc does."""

    def split(self, text: str) -> tuple[str, ...]:
        """The URLs in `text`."""
        return super().split(text.lower())


class MomentField(forms.CharField):
    """A point in time in the grammar of nsc's `--expiry` and `--start`; cleans to unix seconds, 0 for none.

    The form gives it `now`, from which spans count.
    """

    now: int = 0

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        kwargs.setdefault("max_length", 100)
        super().__init__(**kwargs)
        self.widget.attrs.setdefault("autocomplete", "off")

    def prepare_value(self, value: Any) -> Any:
        """The text of the input."""
        return moment_text(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> int:
        """Unix seconds."""
        if isinstance(value, int):  # a disabled field's own initial value
            return value
        text: str = super().clean(value)
        if found := _SECONDS.fullmatch(text):
            return int(found[1])
        try:
            return durations.parse_expiry(text, now=self.now)
        except IdentityError as refused:
            raise ValidationError(refused.user_message) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the text differs from what was shown."""
        return moment_text(initial or 0) != (data or "").strip()


class NumberField(forms.CharField):
    """A limit: digits with an optional suffix (1k, 512 MiB), `none`, or `unlimited` (-1); cleans to an integer.

    `size` says that it counts bytes; `zero` is the word for 0, where NATS takes it for something else than none.
    That a number is not below -1 is checked by the form, which knows the old value: `too_low` is what it says.
    """

    too_low = "{} is below -1. Write -1 (or “unlimited”) for no limit."

    def __init__(self, *, size: bool = False, zero: str = "none", **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 60)
        kwargs.setdefault("error_messages", {"required": "Write a number, or “unlimited”."})
        super().__init__(**kwargs)
        self.size = size
        self.zero = zero
        self.widget.attrs.update({"autocomplete": "off", "class": "number", "spellcheck": "false"})

    def words(self, number: int) -> str:
        """The number as this field shows it."""
        if number == 0:
            return self.zero
        return sizes.size_words(number) if self.size else sizes.number_words(number)

    def prepare_value(self, value: Any) -> Any:
        """The text of the input."""
        return self.words(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> int:
        """The number; -1 for "unlimited", also where a 0 would mean the same."""
        text: str = super().clean(value)
        if text.casefold() == self.zero.casefold() and self.zero != "unlimited":
            return 0
        try:
            return sizes.parse_number(text)
        except IdentityError as refused:
            raise ValidationError(refused.user_message) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the text differs from what was shown; the same number in other words has not changed."""
        text = (data or "").strip()
        if text == self.words(initial or 0):
            return False
        try:
            return bool(self.clean(text) != (initial or 0))
        except ValidationError:
            return True


class VersionField(forms.IntegerField):
    """The version of the row that the page was made from: the service refuses a stale one."""

    def __init__(self) -> None:
        super().__init__(widget=forms.HiddenInput, min_value=0)


def shown_value(field: forms.Field, value: Any) -> str:
    """What `field` shows of a cleaned value, for comparing two versions of it."""
    if isinstance(field, forms.BooleanField):
        return "yes" if value else "no"
    if isinstance(field, forms.MultipleChoiceField):
        return ", ".join(value or ())
    prepared = field.prepare_value(value)
    return "" if prepared is None else str(prepared)


def lines(values: Sequence[str]) -> str:
    """The text of a list field holding `values`."""
    return "\n".join(values)
