"""Forms over keys: a missing seed, a key made ahead, a seed taken away, a seed erased."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django import forms
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from identities.forms.base import BaseForm, EditForm
from identities.models import Person
from identities.nkeys import KeyKind, SecretBytes

LARGEST = 64 * 1024
_SEED = re.compile(r"(?<![A-Z2-7])S[OAUNCX][A-Z2-7]{56}(?![A-Z2-7])")
KINDS = (
    (KeyKind.ACCOUNT, "account: an account's own key, or a signing key of one"),
    (KeyKind.USER, "user: a user's own key"),
    (KeyKind.OPERATOR, "operator: the operator's next own key, or a signing key"),
    (KeyKind.CURVE, "curve: encrypts what servers and an auth callout service tell each other"),
)


SHAPES = (
    ("store", "nsc's store, and with keys its keystore: folders by name"),
    ("flat", "one folder, each file named by its key, as nsc export keys --include-jwts writes it; no creds"),
)


TOO_MANY = "Too many wrong passwords. Wait a quarter of an hour, then try again."


class AddSeedForm(BaseForm):
    """The seed of a key whose public half is known, pasted or as nsc's `.nk` file. It is never shown again."""

    accepts_seeds: ClassVar[bool] = True

    seed = forms.CharField(
        required=False,
        strip=False,
        max_length=LARGEST,
        label="Seed",
        help_text="58 letters and digits that begin with S; blanks and lines around it do no harm. It is checked to "
        "belong to this key, sealed, and not shown again.",
        widget=forms.Textarea(
            attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off", "class": "mono"}
        ),
    )
    file = forms.FileField(required=False, max_length=255, label="or a file", allow_empty_file=True)

    def __init__(
        self, data: QueryDict | None = None, *, files: MultiValueDict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data, files=files, **kwargs)

    def clean(self) -> dict[str, Any]:
        """One of the two, with exactly one seed in it."""
        cleaned = super().clean()
        text, upload = cleaned.get("seed", ""), cleaned.get("file")
        if upload is not None:
            text = upload.read(LARGEST).decode("latin-1")
        if not self.errors:
            found = set(_SEED.findall(text))
            if len(found) == 1:
                cleaned["found"] = found.pop()
            else:
                self.add_error("file" if upload is not None else "seed", _refusal(text, found))
        return cleaned

    def to_seed(self) -> SecretBytes:
        """The seed that was given; its caller wipes it."""
        return SecretBytes(self.cleaned_data["found"].encode("ascii"))

    def emptied(self) -> AddSeedForm:
        """The form to show again: with its errors, without what was pasted."""
        if self.is_bound:
            self.is_valid()
            self.data = QueryDict()
        return self


class GenerateKeyForm(BaseForm):
    """The kind of a key made ahead."""

    kind = forms.ChoiceField(choices=KINDS, label="Kind", widget=forms.RadioSelect, initial=KeyKind.ACCOUNT)

    def to_kind(self) -> KeyKind:
        """The kind chosen."""
        return KeyKind(self.cleaned_data["kind"])


class PasswordForm(BaseForm):
    """The password of whoever takes secrets away, once more: a page left open must not be enough."""

    password = forms.CharField(
        max_length=1024,
        strip=False,
        label="Your password",
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(
        self, data: QueryDict | None = None, *, person: Person, may_try: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(data, **kwargs)
        self.person, self.may_try = person, may_try

    def clean_password(self) -> str:
        """Checked by the hash that was made when it was chosen; not looked at after too many wrong ones."""
        typed: str = self.cleaned_data["password"]
        if not self.may_try:
            raise forms.ValidationError(TOO_MANY, code="shut")
        if not self.person.check_password(typed):
            raise forms.ValidationError("That is not your password.", code="wrong")
        return typed


class ExportStoreForm(PasswordForm):
    """How an operator goes out, and whether its keys go along. `may_keys`: whether this person may have them at all."""

    shape = forms.ChoiceField(choices=SHAPES, label="As", widget=forms.RadioSelect, initial="store")
    keys = forms.BooleanField(
        required=False,
        label="With seeds and creds",
        help_text="In the clear, with the JWTs of bearer users. Without this, nothing goes out that logs in or signs.",
    )
    field_order = ("shape", "keys", "password")

    def __init__(
        self, data: QueryDict | None = None, *, person: Person, may_keys: bool, **kwargs: Any
    ) -> None:
        super().__init__(data, person=person, **kwargs)
        password = self.fields["password"]
        password.required = False
        password.help_text = "Needed for seeds and creds only."
        if not may_keys:
            del self.fields["keys"], self.fields["password"]

    def clean_password(self) -> str:
        """Asked for with keys only: a password that is filled in by the browser is not looked at for less."""
        if not self.cleaned_data.get("keys"):
            return ""
        if not self.cleaned_data["password"]:
            raise forms.ValidationError(
                "Type your password: seeds and creds leave for it alone.", code="required"
            )
        return super().clean_password()

    @property
    def with_keys(self) -> bool:
        """Whether keys go along."""
        return bool(self.cleaned_data.get("keys"))

    @property
    def flat(self) -> bool:
        """Whether everything goes into one folder."""
        return bool(self.cleaned_data["shape"] == "flat")


class EraseSeedForm(EditForm):
    """Asks for the last letters of the key whose seed is about to go."""

    confirm = forms.CharField(strip=True, max_length=60)

    def __init__(self, *args: Any, ending: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ending = ending
        self.fields["confirm"].label = f"Type “{ending}”, the end of the key, to confirm"
        self.fields["confirm"].widget.attrs.update({"autocomplete": "off", "spellcheck": "false"})

    def clean_confirm(self) -> str:
        """The letters, typed exactly."""
        typed: str = self.cleaned_data["confirm"]
        if typed.upper() != self.ending:
            raise forms.ValidationError(f"That is not the end of the key. Type “{self.ending}”, or go back.")
        return typed


def _refusal(text: str, found: set[str]) -> str:
    """Why nothing was taken, without a word of what was given."""
    if found:
        return "There is more than one seed in this. Give the one of this key alone."
    if not text.strip():
        return "Paste the seed, or choose the file that holds it."
    return "There is no seed in this: 58 letters and digits that begin with S, such as SA…, all in capitals."
