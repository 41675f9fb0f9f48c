"""Choices about the installation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from identities.forms.base import BaseForm
from identities.models import Operator


class DefaultOperatorForm(BaseForm):
    """Which operator answers the bare `/jwt/v1` addresses."""

    operator = forms.ChoiceField(
        required=False,
        label="Default operator",
        help_text="nats-servers that ask this host without naming an operator get this one's accounts.",
    )

    def __init__(self, *args: Any, operators: Sequence[Operator], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.operators = {each.public_key: each for each in operators}
        choice = self.fields["operator"]
        if isinstance(choice, forms.ChoiceField):
            choice.choices = [
                ("", "none: only when there is a single one"),
                *((k, o.name) for k, o in self.operators.items()),
            ]

    def chosen(self) -> Operator | None:
        """The chosen operator."""
        return self.operators.get(self.cleaned_data["operator"])
