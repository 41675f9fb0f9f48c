"""Forms of requests for activations: what is asked for and why, and the answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms

from identities.claims.imports import Import
from identities.forms.base import BaseForm, Group
from identities.forms.entries import KINDS, AccountField, LineField, SubjectField
from identities.forms.fields import MomentField, TextField
from identities.forms.operators import EXPIRY_HELP

LONGEST = 2000


class AskForm(BaseForm):
    """For which import a token is asked for, and why."""

    paths: ClassVar[Mapping[str, str]] = {
        "nats.imports.account": "account",
        "nats.imports.type": "type",
        "nats.imports.subject": "subject",
        "nats.imports.local_subject": "local_subject",
        "nats.imports.name": "name",
    }
    words: ClassVar[Mapping[str, str]] = {
        name: path.removeprefix("nats.imports.") for path, name in paths.items()
    }
    groups: ClassVar[tuple[Group, ...]] = (
        Group(legend="What is asked for", names=("account", "type", "subject")),
        Group(legend="Why", names=("reason",)),
        Group(
            legend="The import",
            names=("local_subject", "name"),
            help="As it will stand in this account once the token is granted.",
            advanced=True,
        ),
    )

    account = AccountField(
        label="Exporting account",
        help_text="Its name, if you may see it, or its public key (A…).",
    )
    type = forms.ChoiceField(label="Type", choices=KINDS, widget=forms.RadioSelect)
    subject = SubjectField(label="Subject", help_text="As the other account exports it, or a part of that.")
    reason = TextField(
        label="Reason",
        max_length=LONGEST,
        rows=3,
        help_text="Whoever answers reads it, with your name and the name and key of this account.",
    )
    local_subject = SubjectField(
        required=False, label="Local subject", help_text="Empty: as in the other account."
    )
    name = LineField(required=False, label="Name", help_text="For people. Empty: its subject.")

    def to_import(self, account: str) -> Import:
        """The import that the token is for; `account` is the exporter's public key."""
        values: dict[str, Any] = {
            name: self.cleaned_data[name] for name in ("type", "subject", "local_subject", "name")
        }
        return Import(account=account, **values)


class GrantForm(BaseForm):
    """Yes, until when, and what there is to say about it."""

    paths: ClassVar[Mapping[str, str]] = {"exp": "expires"}

    expires = MomentField(label="Expires", help_text=EXPIRY_HELP)
    words_along = TextField(
        label="Words along with it",
        max_length=LONGEST,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class RefuseForm(BaseForm):
    """No, and why."""

    note = TextField(
        label="Why not",
        max_length=LONGEST,
        help_text="Who asked reads it.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
