"""Which two users or roles are compared."""

from __future__ import annotations

from django import forms

from identities.forms.base import BaseForm

_HELP = "Its name or public key."


class ComparingForm(BaseForm):
    """Two of them, each by name or key; a link may ask too."""

    first = forms.CharField(
        max_length=255,
        label="One user or role",
        help_text=_HELP,
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
    )
    second = forms.CharField(
        max_length=255,
        label="The other one",
        help_text=_HELP,
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
    )
