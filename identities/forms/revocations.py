"""Forms over an account's revocations: revoke somebody, and clear an entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms

from identities.forms.base import EditForm
from identities.forms.fields import MomentField, TextField

ONE, ALL = "user", "all"


class RevokeForm(EditForm):
    """Revokes a user, by name or key, or all users, up to a point in time."""

    paths: ClassVar[Mapping[str, str]] = {"nats.revocations": "user"}
    words: ClassVar[Mapping[str, str]] = {"at": "--at"}

    who = forms.ChoiceField(
        label="Whom",
        widget=forms.RadioSelect,
        choices=((ONE, "One user"), (ALL, "All users (*)")),
        initial=ONE,
    )
    user = TextField(
        max_length=255,
        label="User",
        help_text="Its name, or its public key (U…): also of a deleted user, or of one that is not known here.",
    )
    at = MomentField(
        label="Up to",
        help_text="JWTs issued at this moment or before are refused. Empty: now. "
        "Else 2027-06-30, 2027-06-30 12:00:00 UTC, or counted from now: -1h, -30d.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["user"].widget.attrs.update(
            {"class": "mono", "list": "known-users", "autocomplete": "off", "spellcheck": "false"}
        )

    def clean(self) -> dict[str, Any]:
        """Refuse nobody."""
        cleaned = super().clean()
        if cleaned.get("who") == ONE and not cleaned.get("user") and "user" not in self.errors:
            self.add_error("user", "Write the user's name or public key, or revoke all users.")
        return cleaned

    def to_wish(self) -> dict[str, Any]:
        """What was filled in, as `revocations.entries_for` takes it."""
        one = self.cleaned_data["who"] == ONE
        return {"user": self.cleaned_data["user"] if one else "", "at": self.cleaned_data["at"]}


class ClearForm(EditForm):
    """Clears one entry: nothing to fill in."""

    keeps_deleted: ClassVar[bool] = True


class ClearAllForm(EditForm):
    """Clears the entry for all users."""

    keep_deleted = forms.BooleanField(
        required=False,
        initial=True,
        label="Keep deleted users out",
        help_text="Those that only this entry refuses get entries of their own in its place.",
    )

    @property
    def keeps_deleted(self) -> bool:
        """Whether that is ticked."""
        return bool(self.cleaned_data["keep_deleted"]) if self.is_bound else True
