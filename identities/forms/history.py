"""Going back to an earlier version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms

from identities.forms.base import EditForm


class RollBackForm(EditForm):
    """Bringing a version back. A signing key that was removed since comes back only where its own box is ticked."""

    paths: ClassVar[Mapping[str, str]] = {"nats.signing_keys": "revive"}
    words: ClassVar[Mapping[str, str]] = {"revive": "signing_keys"}

    revive = forms.MultipleChoiceField(
        required=False,
        label="Bring these signing keys back too",
        widget=forms.CheckboxSelectMultiple,
        help_text="They were removed since then. Whatever they signed counts again where it has not expired and is not "
        "revoked: leave a key out if others can have seen its seed.",
    )

    def __init__(self, *args: Any, removed: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if removed:
            self.fields["revive"].choices = [(key, key) for key in removed]  # type: ignore[attr-defined]
        else:
            del self.fields["revive"]

    @property
    def revived(self) -> tuple[str, ...]:
        """The keys whose boxes were ticked."""
        return tuple(self.cleaned_data.get("revive", ()))
