"""What the inspector is given: text or a file. Nothing of it is kept or shown again."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.http import QueryDict

from identities.forms.base import BaseForm

LARGEST_FILE = 1024 * 1024


class InspectorForm(BaseForm):
    """A JWT or creds file, pasted or uploaded. Seeds may come along: they are compared, wiped and never shown."""

    accepts_seeds: ClassVar[bool] = True

    text = forms.CharField(
        required=False,
        strip=False,
        max_length=LARGEST_FILE,
        label="JWT or creds file",
        help_text="Any JWT of NATS, with or without its dashes. It is not stored and not shown again; of a creds file "
        "only the JWT is looked at.",
        widget=forms.Textarea(
            attrs={"rows": 8, "spellcheck": "false", "autocomplete": "off", "class": "mono"}
        ),
    )
    file = forms.FileField(required=False, max_length=255, label="or a file", allow_empty_file=True)

    def clean(self) -> dict[str, Any]:
        """One of the two, and readable text."""
        cleaned = super().clean()
        upload = cleaned.get("file")
        if upload is not None:
            if upload.size > LARGEST_FILE:
                self.add_error("file", "This file is larger than 1 MiB; a JWT has a few kilobytes.")
                return cleaned
            cleaned["text"] = upload.read().decode("utf-8", "replace")
        if not self.errors and not cleaned.get("text", "").strip():
            self.add_error("text", "Paste a JWT or a creds file, or choose a file.")
        return cleaned

    def emptied(self) -> InspectorForm:
        """The form to show again: with its errors, without what was pasted."""
        if self.is_bound:
            self.is_valid()
            self.data = QueryDict()
        return self
