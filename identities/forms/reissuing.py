"""Forms of a reissue: the next key of an operator or account, and which key signs what another one signed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from identities.forms.base import BaseForm, ConfirmForm
from identities.forms.fields import PublicKeyField
from identities.nkeys import KeyKind


class ReissueAccountForm(ConfirmForm):
    """The next key of an account: a new one, a spare one, or a public key alone."""

    public_key = PublicKeyField(
        kind=KeyKind.ACCOUNT,
        label="Next public key",
        help_text="An account key (A…). One that was generated on the page “Keys” brings its seed; any "
        "other has its seed elsewhere. Empty: a new key is made and its seed sealed here.",
    )
    field_order = ("public_key", "confirm", "version")


class ReissueOperatorForm(ConfirmForm):
    """The next key of an operator, and what becomes of the present one."""

    public_key = forms.ChoiceField(
        required=False,
        label="Next key",
        help_text="A new one, or one that was generated on the page “Keys”.",
    )
    convert = forms.BooleanField(
        required=False,
        label="Keep the present key as a signing key",
        help_text="Nothing else has to be signed anew then. Leave it off where others may have the seed of that key.",
    )
    field_order = ("public_key", "convert", "confirm", "version")

    def __init__(self, *args: Any, spare: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = self.fields["public_key"]
        if isinstance(choice, forms.ChoiceField):
            choice.choices = [("", "a new key, made and sealed here"), *((key, key) for key in spare)]
        self.fields["convert"].word = "--convert-to-signing-key"  # type: ignore[attr-defined]


class SignOverForm(BaseForm):
    """Which key signs anew what another one signed. `sources` and `targets`: key and words."""

    source = forms.ChoiceField(label="What this key signed")
    target = forms.ChoiceField(label="is signed anew by")

    def __init__(
        self,
        *args: Any,
        sources: Sequence[tuple[str, str]],
        targets: Sequence[tuple[str, str]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        for name, choices in (("source", sources), ("target", targets)):
            field = self.fields[name]
            if isinstance(field, forms.ChoiceField):
                field.choices = list(choices)
