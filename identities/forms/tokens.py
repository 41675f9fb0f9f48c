"""Service accounts, and tokens of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from identities.forms.access import LineField
from identities.forms.base import BaseForm
from identities.forms.fields import MomentField, TextField
from identities.models import Operator, ServiceAccount


class ServiceAccountForm(BaseForm):
    """A service account's name and what it is for."""

    name = LineField(label="Name", help_text="Such as the pipeline or the controller that uses it.")
    description = TextField(label="What it is for", rows=2, max_length=2000)

    @staticmethod
    def values_of(machine: ServiceAccount) -> dict[str, Any]:
        """A service account by field."""
        return {"name": machine.name, "description": machine.description}


class TokenForm(BaseForm):
    """A new token: what for, until when, and how its holder's roles are narrowed for it."""

    name = LineField(label="Name", help_text="Where it will be kept, such as “CI of shop”.")
    expires = MomentField(
        label="Expires",
        required=True,
        initial="90d",
        help_text="Such as 30d, 12h or 2027-01-31; a year at most.",
    )
    read_only = forms.BooleanField(
        required=False,
        label="May only read",
        help_text="Whatever its holder may change, this token changes nothing and takes no creds.",
    )
    operator = forms.ChoiceField(
        required=False, label="Only on", help_text="The token sees nothing of other operators."
    )

    def __init__(self, *args: Any, operators: Sequence[Operator], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.operators = {str(row.pk): row for row in operators}
        field = self.fields["operator"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", "everything that its holder sees")] + [
                (key, f"the operator {row.name}") for key, row in self.operators.items()
            ]

    def clean_expires(self) -> int:
        """Unix seconds: a token for ever is none."""
        moment: int = self.cleaned_data["expires"]
        if not moment:
            raise ValidationError("Say until when, such as 90d: a token that never ends is found one day.")
        return moment

    @property
    def bound_to(self) -> Operator | None:
        """The operator to which it is bound."""
        return self.operators.get(self.cleaned_data["operator"])
