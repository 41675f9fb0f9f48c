"""What every form shares: no seed is kept or shown again, findings find their fields, stale pages show both."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from identities.claims.diff import FieldChange
from identities.claims.report import Grade, Report
from identities.errors import IdentityError
from identities.formats import mentions
from identities.forms import refusals
from identities.forms.fields import MomentField, NameField, VersionField, shown_value
from identities.nkeys import looks_like_seed

SEED_REFUSED = (
    "That is a seed (a private key), which is secret. It was thrown away and not stored. Give the public key instead, "
    "and replace that key if others can have seen it."
)
SIGNED_BY = "signed_by"
"""The field of `EditForm.choose_signer`; services name it in what they refuse."""
THEIRS_TAKEN = "(you had not changed it: theirs is kept)"
_CSRF = "csrfmiddlewaretoken"  # random letters: one in 150 looks like a seed
_INDEX = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field that somebody else changed meanwhile: what stands there now and what was typed here."""

    label: str
    theirs: str
    yours: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What saving would do: the fields of the claims that change, what it means beyond them, and what to accept first.

    `code` stands for exactly these warnings and consequences: sent back, it says that they were read. `left_out` says
    how many more changes there are than can be read at once.
    """

    changes: tuple[FieldChange, ...]
    left_out: str = ""
    warnings: tuple[str, ...] = ()
    consequences: tuple[str, ...] = ()
    code: str = ""
    accepted: bool = False

    @property
    def to_accept(self) -> bool:
        """True when saving waits for a tick."""
        return bool(self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Fields that belong together, by name; an `advanced` one is folded away."""

    legend: str
    names: tuple[str, ...]
    help: str = ""
    advanced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A group with its bound fields, for templates; `open` unfolds an advanced one that holds something."""

    legend: str
    help: str
    advanced: bool
    open: bool
    fields: tuple[forms.BoundField, ...]


class BaseForm(forms.Form):
    """A form over one command. `paths` maps JSON paths (or prefixes of them) of the claims to fields.

    `words` gives fields NATS's own names, `remedies` says what to write into them, `groups` is their layout, `shows`
    has the ids of parts worked out from what is typed. `jwts` names fields whose long random letters may look like a
    seed (one JWT in 20 does): they look for seeds themselves. `now` is unix seconds. After `mark_stale` the form
    carries the new version, so that saving again means "mine".
    """

    paths: ClassVar[Mapping[str, str]] = {}
    words: ClassVar[Mapping[str, str]] = {}
    remedies: ClassVar[Mapping[str, str]] = {}
    groups: ClassVar[tuple[Group, ...]] = ()
    shows: ClassVar[str] = ""
    accepts_seeds: ClassVar[bool] = False
    jwts: ClassVar[tuple[str, ...]] = ()
    live: ClassVar[str] = ""
    """Template of what is shown anew above the changes while somebody types."""

    def __init__(self, data: QueryDict | None = None, *, now: int = 0, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        kept, self._seeded = (
            (data, frozenset[str]()) if self.accepts_seeds else _without_seeds(data, self.jwts)
        )
        super().__init__(kept, **kwargs)
        self.cleaned_data: dict[str, Any] = {}  # a refusal may come before anything was sent
        self.now = now
        self.warnings: list[str] = []
        self.focus = ""
        self.can_preview = False
        self.preview: Preview | None = None
        self.jwt = "the JWT"
        self.stale_by = ""
        self.differences: tuple[Difference, ...] = ()
        for name, field in self.fields.items():
            if isinstance(field, MomentField):
                field.now = now
            field.word = self.words.get(name, "")  # type: ignore[attr-defined]  # for components/field.html

    @property
    def sections(self) -> tuple[Section, ...]:
        """The groups with their fields, for `components/fields.html`; none: the fields stand in their order."""
        sections = (self._section(group) for group in self.groups)
        return tuple(section for section in sections if section.fields)

    def _section(self, group: Group) -> Section:
        bound = tuple(self[name] for name in group.names if name in self.fields)
        return Section(
            legend=group.legend,
            help=group.help,
            advanced=group.advanced,
            open=any(field.errors or field.value() for field in bound),
            fields=bound,
        )

    @property
    def version(self) -> int:
        """The version of the row that was shown when this was typed."""
        return int(self.cleaned_data["version"])

    @property
    def status(self) -> int:
        """The HTTP status of the page that shows this form."""
        if self.stale_by:
            return 409
        return 422 if self.is_bound and self.errors else 200

    def place_issues(self, report: Report) -> None:
        """Put each error of a validation report on the field of its path, the others above the form."""
        for issue in report:
            if issue.grade is Grade.WARNING:
                self.warnings.append(refusals.sentence(issue.message))
            elif issue.grade is Grade.ERROR:
                name = self.field_of(issue.path)
                self.add_error(name or None, refusals.sentence(issue.message, self.remedies.get(name, "")))

    def field_of(self, path: str) -> str:
        """The field of a JSON path: the longest mapped prefix, indexes left out; "" for none."""
        parts = _INDEX.sub("", path).split(".")
        for length in range(len(parts), 0, -1):
            name = self.paths.get(".".join(parts[:length]), "")
            if name in self.fields:
                return name
        return ""

    def add_error(self, field: str | None, error: Any) -> None:
        """Refuse a field (None: the whole form) in words that name what was typed."""
        refused = error if isinstance(error, ValidationError) else ValidationError(error)
        if not hasattr(refused, "error_dict"):
            refused = refusals.worded(refused, self._typed_text(field) if field else "")
        super().add_error(field, refused)

    def place_error(self, refused: IdentityError) -> None:
        """Put a service's refusal on the field that it names, else above the form."""
        self.add_error(refused.field if refused.field in self.fields else None, refused.user_message)

    def mark_stale(
        self,
        *,
        by: str,
        version: int,
        current: Mapping[str, Any],
        message: str,
        base: Mapping[str, Any] | None = None,
    ) -> None:
        """Say that somebody else saved meanwhile. `current` holds the row's values by field, `base` those that this
        page was made from: where nobody typed anything here, theirs is taken over.
        """
        self.stale_by = by
        found = []
        for name, field in self.fields.items():
            if name not in current or current[name] == self.cleaned_data.get(name):
                continue
            yours = shown_value(field, self.cleaned_data.get(name))
            if base is not None and name in base and not field.has_changed(base[name], self._typed(name)):
                self._show(name, field, current[name])
                yours = THEIRS_TAKEN
            found.append(
                Difference(
                    label=str(field.label or name), theirs=shown_value(field, current[name]), yours=yours
                )
            )
        self.differences = tuple(found)
        self.add_error(None, message)
        self._replace("version", str(version))

    def clean(self) -> dict[str, Any]:
        """Refuse seeds, and numbers below -1 (`too_low`) that were not there before."""
        cleaned = super().clean() or self.cleaned_data
        for name in self._seeded & set(self.fields):
            self.errors.pop(name, None)
            self.add_error(name, SEED_REFUSED)
        if self._seeded - set(self.fields):
            self.add_error(None, SEED_REFUSED)
        for name, field in self.fields.items():
            value, too_low = cleaned.get(name), getattr(field, "too_low", "")
            low = too_low and isinstance(value, int) and value < -1
            if low and value != self.get_initial_for_field(field, name):
                self.add_error(name, too_low.format(value))
        return cleaned

    def as_typed(self) -> dict[str, Any]:
        """What was typed, by field and unchecked: the initial values of the same form in another shape."""
        return {name: self._typed(name) for name in self.fields}

    def _typed(self, name: str) -> Any:
        widget = self.fields[name].widget
        return widget.value_from_datadict(self.data, self.files, self.add_prefix(name))

    def _typed_text(self, name: str) -> str:
        """What was typed into a line of text; nothing of passwords, and of what is long."""
        typed = self._typed(name)
        line = isinstance(self.fields[name].widget, forms.TextInput | forms.NumberInput)
        return typed if line and isinstance(typed, str) else ""

    def _show(self, name: str, field: forms.Field, value: Any) -> None:
        if isinstance(field, forms.BooleanField):
            self._replace(name, *(["on"] if value else []))
        elif isinstance(field, forms.MultipleChoiceField):
            self._replace(name, *value)
        else:
            self._replace(name, shown_value(field, value))

    def _replace(self, name: str, *values: str) -> None:
        data = cast(QueryDict, self.data).copy()
        data.setlist(self.add_prefix(name), list(values))
        self.data = data


class EditForm(BaseForm):
    """A form over an existing row; carries its version, and leaves exactly as it was what nobody changed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["version"] = VersionField()
        self.chosen_signer = ""
        for name, field in self.fields.items():
            if (
                isinstance(field, NameField) and self.initial.get(name) == ""
            ):  # made elsewhere, without a name
                field.required = False

    def choose_signer(self, why: str, choices: Sequence[tuple[str, str]]) -> None:
        """Ask which of these keys (and how they are called) signs, as the issuer can't; the only one is preselected.

        The answer is `chosen_signer`, apart from what the form itself asks for.
        """
        only = [key for key, _ in choices] if len(choices) == 1 else [""]
        self.fields[SIGNED_BY] = forms.ChoiceField(
            label="Signed by",
            choices=choices if only[0] else [("", "Choose a key"), *choices],
            initial=only[0],
            help_text=why,
            error_messages={"required": "Choose the key that signs it."},
        )
        self.fields[SIGNED_BY].word = "iss"  # type: ignore[attr-defined]  # for components/field.html
        self._errors = None  # whoever asked before this field was there asks again

    def field_of(self, path: str) -> str:
        """The field of a JSON path, that of the issuer among them."""
        return SIGNED_BY if path == "iss" and SIGNED_BY in self.fields else super().field_of(path)

    def clean(self) -> dict[str, Any]:
        """Put the old value back where the new one only looks different: line ends, order of tags, words."""
        cleaned = super().clean()
        self.chosen_signer = cleaned.pop(SIGNED_BY, "")
        touched = set(self.changed_data)
        for name in cleaned.keys() - touched - {"version"}:
            if (before := self.get_initial_for_field(self.fields[name], name)) is not None:
                cleaned[name] = before
        return cleaned


class ConfirmForm(EditForm):
    """Asks to type the name of what is about to go."""

    confirm = forms.CharField(strip=True, max_length=300, label="Type the name to confirm")

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name
        self.fields["confirm"].label = f"Type “{name}” to confirm"
        self.fields["confirm"].widget.attrs.update({"autocomplete": "off", "spellcheck": "false"})

    def clean_confirm(self) -> str:
        """The name, typed exactly."""
        typed: str = self.cleaned_data["confirm"]
        if typed != self.name:
            raise forms.ValidationError(f"That is not the name. Type “{self.name}” exactly, or go back.")
        return typed


class VersionForm(EditForm):
    """A form with nothing to fill in: a button that names the version it was shown for."""


def _is_seeded(text: str) -> bool:
    return looks_like_seed(mentions.without_jwts(text))


def _without_seeds(data: QueryDict | None, jwts: tuple[str, ...]) -> tuple[QueryDict | None, frozenset[str]]:
    """`data` with every value that holds a seed emptied, and the names of those fields; `jwts` are left alone.

    The letters of a JWT are no seed, though they may look like one.
    """
    if data is None:
        return None, frozenset()
    seeded = frozenset(
        name
        for name, values in data.lists()
        if name != _CSRF and name not in jwts and any(map(_is_seeded, values))
    )
    if not seeded:
        return data, seeded
    clean = data.copy()
    for name in seeded:
        clean[name] = ""
    return clean, seeded
