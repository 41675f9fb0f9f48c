"""Choices about the installation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from identities.forms.base import BaseForm
from identities.models import Operator
from identities.policy.second_factor import DEMAND_WORDS, Demand


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


class SecondFactorForm(BaseForm):
    """Of whom a second factor is demanded."""

    of_whom = forms.ChoiceField(
        choices=[(demand.value, words[0].upper() + words[1:]) for demand, words in DEMAND_WORDS.items()],
        label="Demanded of",
        help_text="Whoever has none is led to setting one up after signing in, and nothing else opens before.",
        widget=forms.RadioSelect,
    )

    def chosen(self) -> Demand:
        """The choice."""
        return Demand(self.cleaned_data["of_whom"])
