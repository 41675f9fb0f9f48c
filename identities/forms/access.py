"""Forms about people, teams and the roles that they hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from identities.forms.base import BaseForm
from identities.forms.fields import ListField, TextField
from identities.forms.people import FirstAdminForm
from identities.models import Person, ServiceAccount, Team
from identities.queries import access

HOLDERS = (("person", "a person"), ("team", "a team"), ("service-account", "a service account"))
_PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class LineField(forms.CharField):
    """A line that people read: no control characters."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 150)
        super().__init__(**kwargs)
        self.widget.attrs.update(_PLAIN)

    def clean(self, value: Any) -> str:
        """The line, blanks around it gone."""
        text: str = super().clean(value)
        if not text.isprintable():
            raise forms.ValidationError("It holds a character that cannot be seen. Type it anew.")
        return text


class PersonForm(BaseForm):
    """What somebody is called, and where they are written to."""

    name = LineField(required=False, label="Name", help_text="As pages and the activity call them.")
    email = forms.EmailField(
        required=False, max_length=254, label="E-mail address", widget=forms.EmailInput(attrs=_PLAIN)
    )

    @staticmethod
    def values_of(person: Person) -> dict[str, Any]:
        """A person by field."""
        return {"name": person.name, "email": person.email}


class NewPersonForm(PersonForm, FirstAdminForm):
    """The same with what a new person signs in with at first."""

    field_order = ("username", "name", "email", "password", "again")


class TeamForm(BaseForm):
    """A team's name and what it is for."""

    name = LineField(label="Name")
    description = TextField(label="What it is for", rows=2, max_length=2000)

    @staticmethod
    def values_of(team: Team) -> dict[str, Any]:
        """A team by field."""
        return {"name": team.name, "description": team.description}


class MemberForm(BaseForm):
    """Who comes into a team."""

    person = LineField(
        max_length=254,
        label="Person",
        help_text="What they sign in with.",
        widget=forms.TextInput(attrs={"list": "known-people"}),
    )

    def clean_person(self) -> Person:
        """The person of that name."""
        name = str(self.cleaned_data["person"])
        found = access.holder("person", name)
        if not isinstance(found, Person):
            raise forms.ValidationError(access.unknown_person(name))
        return found


class GrantForm(BaseForm):
    """Who gets which role. An issuer's names and tags are bounded."""

    kind = forms.ChoiceField(label="Who gets it", choices=HOLDERS)
    holder = LineField(
        max_length=254,
        label="Name",
        help_text="What a person signs in with; the name of a team or service account.",
        widget=forms.TextInput(attrs={"list": "known-holders"}),
    )
    role = forms.ChoiceField(label="Role")
    names = forms.CharField(
        max_length=255,
        label="Names that it may give",
        initial="*",
        help_text="A pattern: `*` stands for any text. Templates paste names into subjects, so bound them: `device-*`.",
        widget=forms.TextInput(attrs={**_PLAIN, "class": "mono"}),
    )
    tags = ListField(
        label="Tags that it may give",
        help_text="One a line, with `*` for any text; none: no tags.",
    )

    def __init__(self, *args: Any, roles: Sequence[tuple[str, str]], bounded: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        role = self.fields["role"]
        if isinstance(role, forms.ChoiceField):
            role.choices = list(roles)
        if not bounded:
            del self.fields["names"], self.fields["tags"]

    def clean(self) -> dict[str, Any]:
        """Find who is meant."""
        cleaned = super().clean()
        kind, name = cleaned.get("kind"), cleaned.get("holder")
        if kind and name:
            cleaned["found"] = access.holder(kind, name)
            if cleaned["found"] is None:
                what = "team" if kind == "team" else "service account"
                said = f"There is no {what} “{name[:100]}”. Write the name as it stands there."
                self.add_error("holder", access.unknown_person(name) if kind == "person" else said)
        return cleaned

    @property
    def found(self) -> Person | Team | ServiceAccount:
        """Who gets the role."""
        found: Person | Team | ServiceAccount = self.cleaned_data["found"]
        return found


class WhyForm(BaseForm):
    """Which action, where, and for whom."""

    action = forms.ChoiceField(label="What")
    where = LineField(
        required=False,
        max_length=255,
        label="On which operator or account",
        help_text="Its name or public key; nothing for the installation.",
    )
    person = LineField(
        required=False,
        max_length=254,
        label="Who",
        help_text="What they sign in with; nothing for yourself.",
    )

    def __init__(
        self,
        *args: Any,
        actions: Sequence[tuple[str, Sequence[tuple[str, str]]]],
        others: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        action = self.fields["action"]
        if isinstance(action, forms.ChoiceField):
            action.choices = list(actions)
        if not others:
            del self.fields["person"]
