"""An own preset, what is given when a preset is applied, and whom a newer version is applied to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms

from identities.claims import presets, presets_text
from identities.claims.permissions import CONNECTION_TYPES
from identities.claims.presets import Edition, Line, Preset, PresetDraft
from identities.claims.recipes import Side
from identities.errors import IdentityError
from identities.forms.base import BaseForm, EditForm, Group
from identities.forms.entries import LineField
from identities.forms.fields import ListField, TextField

_GIVEN = "with_"
_LISTS = {
    "pub_allow": (Side.PUBLISH, False),
    "pub_deny": (Side.PUBLISH, True),
    "sub_allow": (Side.SUBSCRIBE, False),
    "sub_deny": (Side.SUBSCRIBE, True),
}
_CODE = {"spellcheck": "false", "autocomplete": "off", "class": "mono"}
_SUBJECTS = "One to a line, with what it is for behind a #: orders.${stream} # New orders."
MOST_ANSWERS = 1_000_000


class PresetForm(EditForm):
    """An own preset, new or not."""

    groups: ClassVar[tuple[Group, ...]] = (
        Group(legend="Preset", names=("name", "about", "news")),
        Group(
            legend="Subjects",
            names=("pub_allow", "sub_allow", "answers"),
            help="A parameter such as ${stream} is asked for when the preset is applied. stream, bucket, store, "
            "consumer, queue, name and device take one word, inbox the beginning of an inbox, all others a subject. "
            "Where nothing is listed, nothing is allowed; write > for everything.",
        ),
        Group(
            legend="Subjects to deny, connection types",
            names=("pub_deny", "sub_deny", "connection_types"),
            advanced=True,
        ),
    )

    name = LineField(max_length=255, label="Name")
    about = TextField(label="What it is for", rows=2)
    news = TextField(label="What is new in this version", rows=2, help_text="Kept with the version for good.")
    pub_allow = ListField(label="May publish to", help_text=_SUBJECTS)
    pub_deny = ListField(label="May not publish to", help_text=_SUBJECTS)
    sub_allow = ListField(
        label="May subscribe to", help_text=f"{_SUBJECTS} A queue group follows after a blank."
    )
    sub_deny = ListField(label="May not subscribe to", help_text=_SUBJECTS)
    answers = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=MOST_ANSWERS,
        label="Answers to each request",
        help_text="How many, wherever the request asks for them. Empty or 0: none beyond what it may publish.",
    )
    connection_types = forms.MultipleChoiceField(
        required=False,
        choices=[(kind, kind) for kind in CONNECTION_TYPES],
        label="Connection types",
        help_text="Those alone that may connect. None chosen: they stay as they are.",
        widget=forms.CheckboxSelectMultiple,
    )

    @staticmethod
    def values_of(preset: Preset) -> dict[str, Any]:
        """A preset's newest version by field."""
        edition = preset.newest
        return {
            "name": preset.title,
            "about": preset.about,
            "answers": edition.answers,
            "connection_types": list(edition.connection_types),
            **{
                name: presets_text.texts_of(edition, side, deny=deny) for name, (side, deny) in _LISTS.items()
            },
        }

    def to_draft(self) -> PresetDraft:
        """What was filled in."""
        typed = self.cleaned_data
        lines: tuple[Line, ...] = tuple(
            line
            for name, (side, deny) in _LISTS.items()
            for line in presets_text.lines_of(typed[name], side, deny=deny)
        )
        edition = Edition(
            number=1,
            parameters=presets.parameters_of(lines),
            lines=lines,
            answers=typed["answers"] or 0,
            connection_types=tuple(typed["connection_types"]),
            news=typed["news"],
        )
        return PresetDraft(title=typed["name"], about=typed["about"], edition=edition)


class FillForm(EditForm):
    """What a preset's parameters are given. `lines` are the subjects that follow, once they are known."""

    live: ClassVar[str] = "identities/presets/filled_lines.html"
    paths: ClassVar[Mapping[str, str]] = {}

    def __init__(self, *args: Any, preset: Preset, given: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.preset = preset
        self.lines: tuple[Line, ...] = ()
        for parameter in preset.newest.parameters:
            self.fields[_GIVEN + parameter.name] = forms.CharField(
                required=False,  # asked for in the preset's own words
                max_length=2048,
                label=parameter.label,
                help_text=parameter.help,
                initial=given.get(parameter.name, ""),
                widget=forms.TextInput(attrs=_CODE),
            )

    def to_values(self) -> dict[str, str]:
        """What was given, by parameter."""
        return {
            parameter.name: self.cleaned_data.get(_GIVEN + parameter.name) or ""
            for parameter in self.preset.newest.parameters
        }

    def place_error(self, refused: IdentityError) -> None:
        """Put a refusal on the parameter that it names."""
        field = f"{_GIVEN}{refused.field}"
        if field in self.fields:
            self.add_error(field, refused.user_message)
        else:
            super().place_error(refused)


class RenewForm(BaseForm):
    """Whom a newer version is applied to, and which version was shown."""

    number = forms.IntegerField(widget=forms.HiddenInput)
    fillings = forms.TypedMultipleChoiceField(
        coerce=int,
        label="Users and roles",
        error_messages={"required": "Choose at least one."},
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, rows: Sequence[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.fields["fillings"]
        if isinstance(chosen, forms.TypedMultipleChoiceField):
            chosen.choices = [(str(key), name) for key, name in rows]
