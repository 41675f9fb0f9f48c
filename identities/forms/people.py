"""Forms about people."""

from __future__ import annotations

from typing import Any

from django import forms

from identities.forms.base import BaseForm


class FirstAdminForm(BaseForm):
    """Name and password of the first administrator."""

    username = forms.CharField(
        max_length=150,
        label="Name to sign in with",
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
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
