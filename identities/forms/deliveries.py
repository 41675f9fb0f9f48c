"""What a person decides about a delivery."""

from __future__ import annotations

from django import forms

from identities.forms.base import BaseForm

THEIRS, OURS = "theirs", "ours"


class ChooseForm(BaseForm):
    """Which of two JWTs is to stand; `found` is the digest of the one that the servers hold, as it was shown."""

    keep = forms.ChoiceField(
        label="Which one is to stand?",
        widget=forms.RadioSelect,
        choices=(
            (THEIRS, "The one that the servers hold: take it over here"),
            (OURS, "The one here: replace the one on the servers, signed anew where theirs is later"),
        ),
    )
    found = forms.CharField(widget=forms.HiddenInput, max_length=64)
