"""The form that takes back what somebody received: their name, typed, and which roles get another key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from identities.forms.base import BaseForm


class TakeBackForm(BaseForm):
    """Asks to type the name of whoever received it."""

    replace = forms.MultipleChoiceField(required=False, widget=forms.MultipleHiddenInput)
    confirm = forms.CharField(strip=True, max_length=300)

    def __init__(self, *args: Any, name: str, offered: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name
        choices = self.fields["replace"]
        assert isinstance(choices, forms.MultipleChoiceField)  # noqa: S101 - declared above
        choices.choices = [(key, key) for key in offered]
        self.fields["confirm"].label = f"Type “{name}” to confirm"
        self.fields["confirm"].widget.attrs.update({"autocomplete": "off", "spellcheck": "false"})

    def clean_confirm(self) -> str:
        """The name, typed exactly."""
        typed: str = self.cleaned_data["confirm"]
        if typed != self.name:
            raise forms.ValidationError(f"That is not the name. Type “{self.name}” exactly, or go back.")
        return typed
