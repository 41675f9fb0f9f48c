"""The form of a webhook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from identities.forms.access import LineField
from identities.forms.base import BaseForm
from identities.models import Operator, Webhook
from identities.resolver.drafts import WebhookDraft

EVERYWHERE = ""


class WebhookForm(BaseForm):
    """What it is called, where messages go, and which."""

    place = forms.ChoiceField(
        required=False,
        label="Whose events",
        help_text="Those of an operator: what its admins may see, and nothing of other operators.",
    )
    name = LineField(label="Name")
    url = forms.CharField(
        max_length=2000,
        label="Address",
        help_text="Messages are posted there as JSON. Redirects are not followed.",
        widget=forms.TextInput(
            attrs={
                "placeholder": "https://example.com/hook",
                "class": "mono",
                "autocomplete": "off",
                "spellcheck": "false",
            }
        ),
    )
    classes = forms.MultipleChoiceField(
        required=False,
        label="Which events",
        help_text="None ticked: all of them.",
        widget=forms.CheckboxSelectMultiple,
    )
    expiries = forms.BooleanField(
        required=False,
        initial=True,
        label="Warn of expiries",
        help_text="30, 7 and 1 day before operators, accounts, users, activations and API tokens expire.",
    )

    def __init__(
        self,
        *args: Any,
        classes: Sequence[tuple[str, str]],
        places: Sequence[Operator] | None = None,
        everywhere: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        wanted, place = self.fields["classes"], self.fields["place"]
        if isinstance(wanted, forms.MultipleChoiceField):
            wanted.choices = list(classes)
        if places is None:
            del self.fields["place"]
        elif isinstance(place, forms.ChoiceField):
            whole = [(EVERYWHERE, "the whole installation")] if everywhere else []
            place.choices = [*whole, *((one.public_key, one.name) for one in places)]
            place.required = not everywhere

    @property
    def draft(self) -> WebhookDraft:
        """What was filled in."""
        typed = self.cleaned_data
        return WebhookDraft(
            name=typed["name"], url=typed["url"], classes=tuple(typed["classes"]), warnings=typed["expiries"]
        )

    @staticmethod
    def values_of(hook: Webhook) -> dict[str, Any]:
        """A webhook by field."""
        return {
            "name": hook.name,
            "url": hook.url,
            "classes": list(hook.wanted),
            "expiries": hook.warnings,
        }
