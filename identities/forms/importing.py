"""The forms of an import: what is brought, and what is decided once its plan is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from django import forms
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from identities.claims import names
from identities.errors import IdentityError
from identities.forms.base import BaseForm, Group

LARGEST_FILE = 256 * 1024 * 1024
LARGEST_TEXT = 1024 * 1024
_RENAME, _RESIGN, _TAKE = "rename-", "resign-", "take-"


class _SeveralFiles(forms.FileInput):
    allow_multiple_selected = True


class _FilesField(forms.FileField):
    """Any number of files."""

    def clean(self, data: Any, initial: Any = None) -> Any:
        """Each of them."""
        given = data if isinstance(data, list) else [data]
        return [super(_FilesField, self).clean(one, initial) for one in given or [None]]


class ImportForm(BaseForm):
    """What is to be imported. Seeds may come along in files and in the text; nothing of it is shown again."""

    jwts: ClassVar[tuple[str, ...]] = ("text",)  # seeds are welcome there; in an address they are refused
    groups: ClassVar[tuple[Group, ...]] = (
        Group(legend="An nsc store", names=("store", "keys")),
        Group(legend="Files and text", names=("more", "text")),
        Group(
            legend="From an address, or for an operator that is here",
            names=("url", "under"),
            advanced=True,
        ),
    )

    store = forms.FileField(
        required=False,
        max_length=255,
        label="Store",
        help_text="The folder of stores (nsc env says where it is), packed as zip, tar, tar.gz or tar.xz: "
        "tar -czf stores.tar.gz stores. Any other folder of JWTs will do as well.",
    )
    keys = forms.FileField(
        required=False,
        max_length=255,
        label="Keys",
        help_text="The folder of keys and creds, packed likewise. Without it nothing can be signed here until seeds "
        "are added. It is sealed while it is uploaded, and removed once it was read.",
    )
    more = _FilesField(
        required=False,
        max_length=255,
        label="Further files",
        help_text="JWTs, creds, seeds (.nk) or packs (key|jwt), as many as you like.",
        widget=_SeveralFiles(),
    )
    text = forms.CharField(
        required=False,
        strip=False,
        max_length=LARGEST_TEXT,
        label="or pasted",
        help_text="JWTs, creds, seeds, lines of a pack, in any order. Not shown again.",
        widget=forms.Textarea(
            attrs={"rows": 5, "spellcheck": "false", "autocomplete": "off", "class": "mono"}
        ),
    )
    url = forms.CharField(
        required=False,
        max_length=2000,
        label="Address",
        help_text="Of an operator's or account's JWT, or of an account server, such as "
        "https://accounts.example.com/jwt/v1: then all that it has is pulled.",
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false", "autocomplete": "off"}),
    )
    under = forms.ChoiceField(
        required=False,
        label="Operator",
        help_text="Accounts whose operator is neither brought nor known are to belong to this one.",
    )

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        files: MultiValueDict[str, Any] | None = None,
        operators: Sequence[tuple[str, str]] = (),
        **kwargs: Any,
    ) -> None:
        """`operators`: key and name of those that there are."""
        super().__init__(data, files=files, **kwargs)
        choice = self.fields["under"]
        if isinstance(choice, forms.ChoiceField):
            choice.choices = [("", "none: leave such accounts out"), *operators]

    def clean(self) -> dict[str, Any]:
        """Something at least, and no file that is too large."""
        cleaned = super().clean()
        given = cast("MultiValueDict[str, Any]", self.files)
        for name in ("store", "keys", "more"):
            for one in given.getlist(name) if given else ():
                if one.size > LARGEST_FILE:
                    self.add_error(
                        name,
                        f"{one.name} is larger than {LARGEST_FILE // 2**20} MiB: use manage.py import_nsc.",
                    )
        anything = bool(given) or cleaned.get("text", "").strip() or cleaned.get("url", "").strip()
        if not self.errors and not anything:
            self.add_error(None, "Choose a file, paste something, or give an address.")
        return cleaned

    def emptied(self) -> ImportForm:
        """The form to show again: with its errors, without what was pasted or chosen."""
        if self.is_bound:
            self.is_valid()
            data = cast("QueryDict", self.data).copy()
            data["text"] = ""
            self.data = data
        return self


class ChoicesForm(BaseForm):
    """What a plan asks: other names where they collide, which accounts are signed anew, which operators come in."""

    def __init__(self, data: QueryDict | None = None, *, plan: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.takes = [one["key"] for one in plan["operators"]] if len(plan["operators"]) > 1 else []
        for one in plan["operators"]:
            if one["key"] in self.takes:
                self.fields[_TAKE + one["key"]] = forms.BooleanField(
                    required=False, initial=True, label=f"Operator {one['name']} and all below it"
                )
        for one in plan["asks"]:
            self.fields[_RENAME + one["key"]] = forms.CharField(
                required=False,
                strip=False,
                max_length=names.MAX_NAME,
                label=f"Another name for {one['kind']} {one['name']}",
                help_text=f"{one['why'][:1].upper()}{one['why'][1:]}. Empty: it is left out. The JWT stays as it is "
                "until somebody edits it; then it takes the name over.",
                widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
            )
        for one in plan["foreign"]:
            self.fields[_RESIGN + one["key"]] = forms.BooleanField(
                required=False,
                label=f"Sign account {one['name']} anew",
                help_text=f"It is {one['why']}. Untouched, servers of this operator refuse it.",
            )

    def clean(self) -> dict[str, Any]:
        """Names that can be kept, none twice."""
        cleaned = super().clean()
        for name in [name for name in self.fields if name.startswith(_RENAME)]:
            typed = cleaned.get(name, "")
            try:
                if typed:
                    names.check_name(typed)
            except IdentityError as odd:
                self.add_error(name, odd.user_message)
        return cleaned

    @property
    def take_fields(self) -> list[forms.BoundField]:
        """The operators that may be left out."""
        return [self[name] for name in self.fields if name.startswith(_TAKE)]

    @property
    def rename_fields(self) -> list[forms.BoundField]:
        """The names that collide."""
        return [self[name] for name in self.fields if name.startswith(_RENAME)]

    @property
    def resign_fields(self) -> list[forms.BoundField]:
        """The accounts that their operator did not sign."""
        return [self[name] for name in self.fields if name.startswith(_RESIGN)]

    def renames(self) -> dict[str, str]:
        """The names that were given, by key."""
        return {
            name.removeprefix(_RENAME): typed
            for name, typed in self.cleaned_data.items()
            if name.startswith(_RENAME) and typed
        }

    def resign(self) -> frozenset[str]:
        """The accounts that are to be signed anew."""
        ticked = (name for name, yes in self.cleaned_data.items() if name.startswith(_RESIGN) and yes)
        return frozenset(name.removeprefix(_RESIGN) for name in ticked)

    def leave(self) -> frozenset[str]:
        """The operators that are left out."""
        return frozenset(key for key in self.takes if not self.cleaned_data.get(_TAKE + key))
