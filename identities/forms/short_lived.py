"""Forms of short-lived creds: what is issued for whom and how long, and the terms of a role."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from identities.claims.drafts import ShortLivedDraft
from identities.forms.base import BaseForm
from identities.forms.fields import NameField, PublicKeyField, TagsField
from identities.nkeys import KeyKind
from identities.policy.terms import Terms

_SPAN = re.compile(r"([0-9]{1,9})\s*(s|m|h|d)", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class SpanField(forms.CharField):
    """A span of time such as 90s, 15m, 12h or 7d; cleans to seconds, None where nothing was typed."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 20)
        super().__init__(**kwargs)
        self.widget.attrs.update({"autocomplete": "off", "class": "number", "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        """The text of the input."""
        return span_text(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> int | None:
        """Seconds."""
        text: str = super().clean(value)
        if not text:
            return None
        found = _SPAN.fullmatch(text.lower())
        if found is None:
            raise ValidationError("Write a number with a unit, such as 90s, 15m, 12h or 7d.")
        return int(found[1]) * _UNITS[found[2]]

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the text says another span."""
        try:
            return bool(self.clean(data) != initial)
        except ValidationError:
            return True


def span_text(seconds: int) -> str:
    """Seconds in the largest unit that fits: 5400 is 90m."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"


class ShortLivedForm(BaseForm):
    """For whom creds are issued."""

    paths: ClassVar = {"name": "name", "nats.tags": "tags"}

    name = NameField(label="Name", help_text="Whoever it is for; it stands in the JWT and in the ledger.")
    lifetime = SpanField(required=False, label="Lifetime")
    tags = TagsField(label="Tags", help_text="One to a line, such as team:blue.")
    public_key = PublicKeyField(
        kind=KeyKind.USER,
        label="Own public key",
        help_text="A user key (U…) whose seed stays with whoever made it: only the JWT leaves. Empty: a new key is "
        "made, handed out with the JWT, and not kept here.",
    )

    def __init__(self, *args: Any, terms: Terms, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        between = f"{span_text(terms.shortest)} to {span_text(terms.longest)}"
        self.fields["lifetime"].help_text = f"{between}; left empty: {span_text(terms.usual)}."

    def to_draft(self) -> ShortLivedDraft:
        """What was filled in."""
        typed = self.cleaned_data
        return ShortLivedDraft(
            name=typed["name"],
            tags=typed["tags"],
            lifetime=typed["lifetime"],
            public_key=typed["public_key"],
        )


class TermsForm(BaseForm):
    """How long short-lived creds of a role live."""

    shortest = SpanField(label="Shortest", help_text="Shorter wishes get this.")
    usual = SpanField(label="Usual", help_text="What somebody gets who wishes nothing.")
    longest = SpanField(label="Longest", help_text="Longer wishes get this.")

    def __init__(self, *args: Any, terms: Terms, **kwargs: Any) -> None:
        held = {"shortest": terms.shortest, "usual": terms.usual, "longest": terms.longest}
        kwargs.setdefault("initial", held)
        super().__init__(*args, **kwargs)

    def to_terms(self) -> Terms:
        """What was filled in."""
        typed = self.cleaned_data
        return Terms(shortest=typed["shortest"], usual=typed["usual"], longest=typed["longest"])
