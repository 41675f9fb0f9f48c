"""Forms about people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from identities.forms.base import BaseForm

_NAME = {"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}


class ForgottenForm(BaseForm):
    """Whose password was forgotten."""

    name = forms.CharField(
        max_length=254,
        label="Name or e-mail address",
        widget=forms.TextInput(attrs=_NAME | {"autofocus": True}),
    )


class NewPasswordForm(BaseForm):
    """A new password, twice."""

    password = forms.CharField(
        max_length=1024,
        strip=False,
        label="Password",
        help_text="At least 12 characters, not a common password. A sentence is good.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        max_length=1024,
        strip=False,
        label="Password again",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        """Both passwords must be the same."""
        cleaned = super().clean()
        if "password" in cleaned and "again" in cleaned and cleaned["password"] != cleaned["again"]:
            self.add_error("again", "The two passwords differ. Type the same one twice.")
        return cleaned


class FirstAdminForm(NewPasswordForm):
    """Name and password of the first administrator."""

    username = forms.CharField(
        max_length=150, label="Name to sign in with", widget=forms.TextInput(attrs=_NAME)
    )
    field_order: Iterable[str] | None = ("username", "password", "again")
