"""Forms of one's own account."""

from __future__ import annotations

from django import forms

from identities.forms.access import LineField
from identities.forms.base import BaseForm


class ProfileForm(BaseForm):
    """How one is called, and where mail goes."""

    name = LineField(
        required=False,
        label="Name",
        help_text="As others read it in the activity. Empty: the name you sign in with.",
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = forms.EmailField(
        required=False,
        max_length=254,
        label="E-mail",
        help_text="A forgotten password is set anew by a link that goes there.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


class NothingForm(BaseForm):
    """Nothing to fill in: sending it is the answer."""
