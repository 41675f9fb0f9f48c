"""The form of a one-time link: for whom, and how long it opens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms

from identities.forms.base import BaseForm
from identities.forms.short_lived import SpanField
from identities.policy.terms import LinkWish


class HandoverLinkForm(BaseForm):
    """For whom a link is made."""

    username = forms.CharField(
        required=False,
        max_length=150,
        label="Bound to",
        help_text="The name that somebody signs in with: it opens to them alone. Empty: to whoever has the link.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    for_name = forms.CharField(
        required=False,
        max_length=150,
        label="For whom",
        help_text="In words, for the ledger; needed where nobody signs in to open it.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    lasting = SpanField(label="Opens for", initial=86_400, help_text="5m to 14d, such as 12h.")

    def to_wish(self) -> LinkWish:
        """What was filled in."""
        typed: dict[str, Any] = self.cleaned_data
        return LinkWish(
            lasting=timedelta(seconds=typed["lasting"]),
            username=typed["username"],
            for_name=typed["for_name"],
        )
