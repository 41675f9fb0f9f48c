"""django-allauth's forms in the words of the other pages: labels like sentences, said once."""

from __future__ import annotations

from typing import Any

from allauth.account import forms as allauth_forms
from django import forms


class LoginForm(allauth_forms.LoginForm):
    """Name and password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _in_our_words(self)


class ChangePasswordForm(allauth_forms.ChangePasswordForm):
    """The password so far, and the new one twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _in_our_words(self)


def _in_our_words(form: forms.Form) -> None:
    first, *_ = form.fields.values()
    first.widget.attrs["autofocus"] = True
    for field in form.fields.values():
        field.label = str(field.label).capitalize()
        field.widget.attrs.pop("placeholder", None)
