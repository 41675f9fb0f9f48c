"""Who can do what, on which subject of an account."""

from __future__ import annotations

from typing import ClassVar

from django import forms

from identities.claims.subjects import is_strict_valid
from identities.forms.base import BaseForm
from identities.queries.who_can import Deed


class WhoCanForm(BaseForm):
    """A question about a subject; a link may ask too."""

    words: ClassVar[dict[str, str]] = {}

    deed = forms.ChoiceField(
        label="Who may …",
        choices=[
            (Deed.PUBLISH.value, "publish, so that it arrives on"),
            (Deed.SUBSCRIBE.value, "hear what is published on"),
            (Deed.ANSWER.value, "answer requests on"),
        ],
    )
    subject = forms.CharField(
        max_length=2048,
        label="Subject",
        help_text="As it is called in this account; wildcards ask about a part of it: orders.>",
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off", "class": "mono"}),
    )

    def clean_subject(self) -> str:
        """A subject as nats-server takes it."""
        subject: str = self.cleaned_data["subject"]
        if not is_strict_valid(subject):
            raise forms.ValidationError(
                "This is no subject: tokens between dots, none empty, no blanks, > only at the end."
            )
        return subject
