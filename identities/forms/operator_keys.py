"""Forms over an operator's signing keys, and over which account is its system account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms

from identities.forms.base import EditForm
from identities.forms.fields import PublicKeyField, TextField
from identities.models import Account, Operator
from identities.nkeys import KeyKind

Choice = tuple[str, str]
"""A public key, and what it is called."""


class AddKeyForm(EditForm):
    """A signing key that is made here, or one whose seed stays elsewhere."""

    paths: ClassVar[Mapping[str, str]] = {"nats.signing_keys": "public_key"}
    words: ClassVar[Mapping[str, str]] = {"public_key": "signing_keys"}

    public_key = PublicKeyField(
        kind=KeyKind.OPERATOR,
        label="Own public key",
        help_text="An operator key (O…) whose seed stays elsewhere. Empty: a new key is made and its seed sealed here.",
    )


class RemoveKeyForm(EditForm):
    """Removes a signing key; its accounts may be re-signed by another in the same go."""

    resign_by = forms.ChoiceField(
        required=False,
        label="Re-sign its accounts by",
        help_text="They are signed anew before the key goes; nothing else about them changes.",
    )

    def __init__(self, *args: Any, choices: Sequence[Choice], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["resign_by"]
        field.choices = [*choices, ("", "no key: leave them as they are")]  # type: ignore[attr-defined]
        if choices:
            field.initial = choices[0][0]
        else:
            del self.fields["resign_by"]

    @property
    def by(self) -> str:
        """The key that was chosen, "" for none."""
        return str(self.cleaned_data.get("resign_by", ""))


class SystemAccountForm(EditForm):
    """Names the system account; empty is none."""

    paths: ClassVar[Mapping[str, str]] = {"nats.system_account": "account"}
    words: ClassVar[Mapping[str, str]] = {"account": "system_account"}

    account = TextField(
        max_length=255,
        label="System account",
        help_text="The name of an account of this operator, or a public key (A…). Empty: not set.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["account"].widget.attrs.update(
            {"list": "known-accounts", "autocomplete": "off", "spellcheck": "false"}
        )

    @staticmethod
    def values_of(operator: Operator) -> dict[str, Any]:
        """The system account by its name where it is known, else by its key."""
        key = operator.system_account
        row = Account.objects.live().filter(operator=operator, public_key=key).first() if key else None
        return {"account": key if row is None else row.name}
