"""The signed JWT that comes back for an edit that waits."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from identities.forms.base import BaseForm

LARGEST = 1024 * 1024


class SignedJWTForm(BaseForm):
    """A JWT, pasted or as a file; `differing` takes one that is not what was wanted."""

    text = forms.CharField(
        required=False,
        strip=False,
        max_length=LARGEST,
        label="Signed JWT",
        help_text="With or without its dashes. It is compared with what was wanted before it is taken.",
        widget=forms.Textarea(
            attrs={"rows": 5, "spellcheck": "false", "autocomplete": "off", "class": "mono"}
        ),
    )
    file = forms.FileField(required=False, max_length=255, label="or a file", allow_empty_file=True)
    differing = forms.BooleanField(
        required=False,
        label="Take it although it differs",
        help_text="Whoever signed it may have changed more on purpose: with nsc, say.",
    )

    def __init__(
        self, data: QueryDict | None = None, *, files: MultiValueDict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data, files=files, **kwargs)

    def clean(self) -> dict[str, Any]:
        """One of the two."""
        cleaned = super().clean()
        upload = cleaned.get("file")
        if upload is not None:
            cleaned["text"] = upload.read(LARGEST).decode("utf-8", "replace")
        if not self.errors and not cleaned.get("text", "").strip():
            self.add_error("text", "Paste the signed JWT, or choose its file.")
        return cleaned
