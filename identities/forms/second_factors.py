"""Forms of second factors: a code, a passkey's answer, the password once more."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms

from identities.forms.access import LineField
from identities.forms.base import BaseForm


class CodeInput(forms.PasswordInput):
    """A line whose text can be read while it is typed, and is never shown again: recovery codes come this way."""

    input_type = "text"


class CodeForm(BaseForm):
    """A code of an authenticator app."""

    code = forms.CharField(
        max_length=40,
        label="Code",
        help_text="Six digits, as your authenticator app shows them now.",
        widget=CodeInput(
            attrs={
                "autocomplete": "one-time-code",
                "inputmode": "numeric",
                "spellcheck": "false",
                "class": "mono",
            }
        ),
    )


class AnyCodeForm(CodeForm):
    """A code of an authenticator app, or a recovery code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs.pop("inputmode")
        self.fields["code"].help_text = "Six digits of your authenticator app, or one of your recovery codes."


class AnswerInput(forms.HiddenInput):
    """Filled in by the page's script, and never sent back: an answer counts once, and a seed could be pasted there."""

    def format_value(self, value: Any) -> None:
        """Nothing, whatever was sent."""


class PasskeyForm(BaseForm):
    """What a passkey answered: JSON that the page's script fills in."""

    jwts: ClassVar[tuple[str, ...]] = ("credential",)

    credential = forms.CharField(
        max_length=65_536,
        widget=AnswerInput,
        error_messages={"required": "The browser sent no answer of a passkey. Try again."},
    )


class AddPasskeyForm(PasskeyForm):
    """A new passkey and what to call it."""

    name = LineField(
        required=False,
        max_length=80,
        label="Name",
        help_text="So that you know it again, such as the name of the phone or key that holds it.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
