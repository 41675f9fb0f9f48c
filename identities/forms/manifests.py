"""The form of a manifest: its text, pasted or from a file, and the plan that somebody has seen of it."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.http import QueryDict

from identities.errors import IdentityError
from identities.formats import mentions
from identities.formats.yaml_nodes import MOST_TOLD, UnreadableManifest
from identities.forms.base import SEED_REFUSED, BaseForm, Group
from identities.nkeys import looks_like_seed

LARGEST = 1024 * 1024
TEXT, FILE, PRUNE, PLAN = "manifest", "file", "prune", "plan"


class ManifestForm(BaseForm):
    """A manifest is shown again with what is wrong in it; one that holds a seed is thrown away."""

    jwts: ClassVar[tuple[str, ...]] = (TEXT,)  # imports may bring activation tokens
    groups: ClassVar[tuple[Group, ...]] = (Group(legend="The manifest", names=(TEXT, FILE, PRUNE)),)

    manifest = forms.CharField(
        required=False,
        strip=False,
        max_length=LARGEST,
        label="Manifest",
        help_text="YAML, as it is downloaded here. What is not written stays as it is.",
        widget=forms.Textarea(
            attrs={"rows": 20, "spellcheck": "false", "autocomplete": "off", "class": "mono"}
        ),
    )
    file = forms.FileField(
        required=False,
        max_length=255,
        label="or a file",
        help_text="It takes the place of the text above.",
        allow_empty_file=True,
    )
    prune = forms.BooleanField(
        required=False,
        label="Delete what the manifest does not name",
        help_text="Accounts, users and entries of lists. Nothing of the system account, and no revocation.",
    )
    plan = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput())

    def clean(self) -> dict[str, Any]:
        """One text, without a seed; its lines end as they do in files, however a browser sent them."""
        cleaned = super().clean()
        upload = cleaned.get(FILE)
        text = str(cleaned.get(TEXT) or "")
        if upload is not None and upload.size > LARGEST:
            self.add_error(FILE, "This file is larger than 1 MiB: use manage.py apply on the server.")
            return cleaned
        if upload is not None:
            text = upload.read().decode("utf-8-sig", "replace")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if looks_like_seed(mentions.without_jwts(text)):
            text = ""
            self.add_error(TEXT, SEED_REFUSED)
        elif not self.errors and not text.strip():
            self.add_error(TEXT, "Paste a manifest, or choose a file.")
        cleaned[TEXT] = text
        self._show_text(text)
        return cleaned

    def _show_text(self, text: str) -> None:
        self.data = self.data.copy() if isinstance(self.data, QueryDict) else QueryDict(mutable=True)
        self.data[TEXT] = text
        self.data[PLAN] = ""

    def planned(self, token: str) -> None:
        """Keep which plan is shown: what is applied is this one, or nothing."""
        if isinstance(self.data, QueryDict):
            self.data[PLAN] = token

    def place_error(self, refused: IdentityError) -> None:
        """Every mistake in a line of its own."""
        if not isinstance(refused, UnreadableManifest):
            super().place_error(refused)
            return
        for problem in refused.problems[:MOST_TOLD]:
            self.add_error(TEXT, str(problem))
        if len(refused.problems) > MOST_TOLD:
            self.add_error(TEXT, f"And {len(refused.problems) - MOST_TOLD:,} more problems.")
