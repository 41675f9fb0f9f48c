"""Forms over the imports of an account, with the activation tokens that some of them need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from django import forms

from identities.claims.drafts import ImportDraft, Minting
from identities.claims.imports import Import
from identities.errors import IdentityError
from identities.formats.decorated import bare_jwt
from identities.forms.base import SEED_REFUSED, EditForm, Group
from identities.forms.entries import KINDS, AccountField, EntryForm, LineField, SubjectField, choices_with
from identities.forms.fields import MomentField
from identities.forms.operators import EXPIRY_HELP
from identities.nkeys import looks_like_seed

LARGEST_FILE = 64 * 1024
IF_ASKED, NONE, KEEP, ANEW = "if-asked", "none", "keep", "anew"
_GIVEN = ("token", "token_file", "token_url")


class ImportForm(EntryForm):
    """A stream or service of another account; its token is kept, issued here, or given: pasted, uploaded, fetched."""

    entries: ClassVar[str] = "nats.imports"
    noun: ClassVar[str] = "import"
    live: ClassVar[str] = "identities/imports/check.html"
    jwts: ClassVar[tuple[str, ...]] = ("token",)
    paths: ClassVar[Mapping[str, str]] = {
        "nats.imports.account": "account",
        "nats.imports.type": "type",
        "nats.imports.subject": "subject",
        "nats.imports.local_subject": "local_subject",
        "nats.imports.to": "to",
        "nats.imports.name": "name",
        "nats.imports.share": "share",
        "nats.imports.allow_trace": "allow_trace",
        "nats.imports.token": "token",
    }
    words: ClassVar[Mapping[str, str]] = {
        name: path.removeprefix("nats.imports.") for path, name in paths.items()
    }
    groups: ClassVar[tuple[Group, ...]] = (
        Group(legend="What is imported", names=("account", "type", "subject", "local_subject", "to", "name")),
        Group(legend="Activation token", names=("minting", "token_expires")),
        Group(
            legend="A token from elsewhere",
            names=_GIVEN,
            help="One of these, where the exporting account gave one away.",
            advanced=True,
        ),
        Group(legend="Tracing and latency", names=("share", "allow_trace"), advanced=True),
    )

    account = AccountField(
        label="Exporting account",
        help_text="Its name, if it stands under this operator, or its public key (A…).",
    )
    type = forms.ChoiceField(label="Type", choices=KINDS, widget=forms.RadioSelect)
    subject = SubjectField(label="Subject", help_text="As the other account exports it, or a part of that.")
    local_subject = SubjectField(
        required=False,
        label="Local subject",
        help_text="What it is called in this account. $1, $2, … stand for the first, second, … * of the subject; each "
        "must stand in it once. Empty: as in the other account.",
    )
    to = SubjectField(
        required=False,
        label="To",
        help_text="What came before the local subject: for a stream a prefix, for a service the subject in the other "
        "account (the subject above is then the local one). Clear it, and write a local subject instead.",
    )
    name = LineField(
        required=False, label="Name", help_text="For people. Empty in a new import: its subject."
    )
    minting = forms.ChoiceField(label="Token", widget=forms.RadioSelect)
    token_expires = MomentField(
        label="Token expires", help_text=f"Of a token that is issued here. {EXPIRY_HELP}"
    )
    token = forms.CharField(
        required=False,
        max_length=LARGEST_FILE,
        label="Paste it",
        help_text="The JWT, with its dashes or without.",
        widget=forms.Textarea(
            attrs={"rows": 3, "class": "mono", "spellcheck": "false", "autocomplete": "off"}
        ),
    )
    token_file = forms.FileField(required=False, max_length=255, label="or a file", allow_empty_file=True)
    token_url = forms.CharField(
        required=False,
        max_length=2000,
        label="or its address",
        help_text="https://… or http://…, fetched once when this is saved; the token is kept, the address is not.",
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false", "autocomplete": "off"}),
    )
    share = forms.BooleanField(
        required=False,
        label="Share who asks",
        help_text="Services alone: tells the other account about the asking client, for its latency measures.",
    )
    allow_trace = forms.BooleanField(
        required=False,
        label="Allow message traces",
        help_text="Streams alone: a trace that begins in the other account goes on in this one.",
    )

    def __init__(self, *args: Any, before: Import | None, held: str = "", **kwargs: Any) -> None:
        """`before` is the import as it is, `held` the state of its token in words."""
        super().__init__(*args, **kwargs)
        self.before = before
        self.check: Any = None
        choices = [(IF_ASKED, "Issued here, if the export asks for one"), (NONE, "None")]
        if before is not None:
            choices = [(KEEP, f"As it is: {held}"), (ANEW, "A new one, issued here")]
            choices += [(NONE, "None")] if before.token else []
            self.fields["type"].choices = choices_with(before.type, KINDS)  # type: ignore[attr-defined]
        if before is None or not before.to:
            del self.fields["to"]
        self.fields["minting"].choices = choices  # type: ignore[attr-defined]
        self.fields["minting"].initial = choices[0][0]

    @staticmethod
    def values_of(imported: Import) -> dict[str, Any]:
        """An import's values by field; its token is not shown."""
        return {
            "account": imported.account,
            "type": imported.type,
            "subject": imported.subject,
            "local_subject": imported.local_subject,
            "to": imported.to,
            "name": imported.name,
            "share": imported.share,
            "allow_trace": imported.allow_trace,
        }

    @property
    def url(self) -> str:
        """The address from which a token is fetched, "" for none."""
        return str(self.cleaned_data.get("token_url", ""))

    def take(self, token: str) -> None:
        """Hold a token that was uploaded or fetched as if it had been pasted: it is asked for once."""
        self.cleaned_data["token"], self.cleaned_data["token_url"] = token, ""
        self._replace("token", token)
        self._replace("token_url", "")

    def to_draft(self, account: str) -> ImportDraft:
        """What was filled in, over what this form does not show; `account` is the exporter's public key."""
        typed = self.cleaned_data
        before = self.before or Import()
        shown = [name for name in self.values_of(before) if name in self.fields]
        values = {**{name: typed[name] for name in shown}, "account": account}
        if self.before is None:
            values["name"] = values["name"] or values["subject"]
        token = typed["token"] or ("" if typed["minting"] == NONE else before.token)
        minting = {IF_ASKED: Minting.IF_ASKED, ANEW: Minting.YES}.get(typed["minting"], Minting.NO)
        if typed["token"]:
            minting = Minting.NO
        elif self.url:
            minting = Minting.LATER
        imported = replace(before, **values, token=token)
        return ImportDraft(imported=imported, minting=minting, expires=typed["token_expires"])

    def clean(self) -> dict[str, Any]:
        """One token at most, and a token where one is said to be."""
        cleaned = super().clean()
        given = [name for name in _GIVEN if cleaned.get(name)]
        if len(given) > 1:
            self.add_error(given[1], "Give the token once: pasted, as a file, or by its address.")
        elif given and cleaned.get("minting") == NONE:
            self.add_error(
                "minting", "“None” is chosen, but a token is given below. Choose another, or clear it."
            )
        elif given and cleaned.get("token_expires"):
            self.add_error("token_expires", "A token that is given has its own expiry: clear this.")
        if cleaned.get("token_file") is not None:
            self._read_file(cleaned)
        elif cleaned.get("token"):
            self._bare(cleaned, cleaned["token"], "token")
        return cleaned

    def _read_file(self, cleaned: dict[str, Any]) -> None:
        upload = cleaned["token_file"]
        if upload.size > LARGEST_FILE:
            self.add_error("token_file", "This file is larger than 64 KiB; a token has a kilobyte.")
            return
        self._bare(cleaned, upload.read().decode("utf-8", "replace"), "token_file")

    def _bare(self, cleaned: dict[str, Any], text: str, field: str) -> None:
        """Keep the JWT alone: what stood around it is not shown again, should it be a seed."""
        try:
            cleaned["token"] = bare_jwt(text, field=field)
        except IdentityError as refused:
            secret = looks_like_seed(text)
            self.add_error(field, SEED_REFUSED if secret else refused.user_message)
            if secret and field == "token":
                self._replace("token", "")
            return
        self._replace("token", cleaned["token"])


class RenewForm(EditForm):
    """A new token for an import, issued here."""

    token_expires = MomentField(label="Expires", help_text=EXPIRY_HELP)
