"""Forms of invitations: who is invited with what waiting for them, and taking one up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from identities.forms.access import LineField
from identities.forms.base import BaseForm
from identities.forms.people import FirstAdminForm
from identities.models import Team


class InvitationForm(BaseForm):
    """Who is invited, as what; teams only for those who may say who is in them."""

    name = LineField(max_length=255, label="Name", help_text="Who it is for, as pages will call them.")
    email = forms.EmailField(
        required=False,
        max_length=254,
        label="E-mail address",
        help_text="For the record; it opens nothing by itself.",
        widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    role = forms.ChoiceField(required=False, label="Role")
    teams = forms.MultipleChoiceField(
        required=False, label="Teams", help_text="They join these.", widget=forms.CheckboxSelectMultiple
    )

    def __init__(
        self, *args: Any, roles: Sequence[tuple[str, str]], teams: Sequence[Team], mails: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        role, chosen = self.fields["role"], self.fields["teams"]
        if isinstance(role, forms.ChoiceField):
            role.choices = [("", "none for now"), *roles]
        self.known = {str(team.pk): team for team in teams}
        if isinstance(chosen, forms.MultipleChoiceField):
            chosen.choices = [(key, team.name) for key, team in self.known.items()]
        if not teams:
            del self.fields["teams"]
        if mails:
            self.fields["email"].help_text = "The link is mailed there too."

    def to_teams(self) -> tuple[Team, ...]:
        """The chosen teams."""
        return tuple(self.known[key] for key in self.cleaned_data.get("teams", ()))


class JoinForm(FirstAdminForm):
    """Name and password of somebody who was invited."""
