"""Forms over the exports of an account and the revocations of their activations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from identities.claims.exports import Export, ServiceLatency
from identities.forms.base import EditForm, Group
from identities.forms.entries import KINDS, AccountField, EntryForm, LineField, SubjectField, choices_with
from identities.forms.fields import MomentField, TextField
from identities.forms.user_fields import DurationField

RESPONSE_TYPES = (
    ("", "Not set: one answer"),
    ("Singleton", "Singleton: one answer"),
    ("Stream", "Stream: many answers"),
    ("Chunked", "Chunked: one answer in parts"),
)
HEADERS = "headers"


class SamplingField(forms.CharField):
    """Which requests are measured: a percentage, or `headers`; cleans to None (not measured), 0 for headers, 1..100."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, max_length=20, **kwargs)
        self.widget.attrs.update({"autocomplete": "off", "class": "number", "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        """The text of the input."""
        return (str(value) if value else HEADERS) if isinstance(value, int) else value

    def clean(self, value: Any) -> int | None:
        """The number."""
        text: str = super().clean(value).casefold().removesuffix("%").strip()
        if not text:
            return None
        if text in (HEADERS, "header"):
            return 0
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= 100):
            raise ValidationError("Write a percentage from 1 to 100, or “headers”; empty: not measured.")
        return int(text)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether something else was typed than what was shown."""
        return (self.prepare_value(initial) or "") != (data or "").strip()


class ExportForm(EntryForm):
    """A stream or service that an account offers to others."""

    entries: ClassVar[str] = "nats.exports"
    noun: ClassVar[str] = "export"
    paths: ClassVar[Mapping[str, str]] = {
        "nats.exports.type": "type",
        "nats.exports.subject": "subject",
        "nats.exports.name": "name",
        "nats.exports.token_req": "token_req",
        "nats.exports.account_token_position": "account_token_position",
        "nats.exports.response_type": "response_type",
        "nats.exports.response_threshold": "response_threshold",
        "nats.exports.service_latency": "latency_sampling",
        "nats.exports.service_latency.sampling": "latency_sampling",
        "nats.exports.service_latency.results": "latency_results",
        "nats.exports.allow_trace": "allow_trace",
        "nats.exports.advertise": "advertise",
        "nats.exports.description": "description",
        "nats.exports.info_url": "info_url",
    }
    words: ClassVar[Mapping[str, str]] = {
        **{name: path.removeprefix("nats.exports.") for path, name in paths.items()},
        "latency_sampling": "service_latency.sampling",
    }
    groups: ClassVar[tuple[Group, ...]] = (
        Group(legend="What is offered", names=("type", "subject", "name")),
        Group(legend="To whom", names=("token_req", "account_token_position")),
        Group(
            legend="Answers and latency",
            names=(
                "response_type",
                "response_threshold",
                "latency_sampling",
                "latency_results",
                "allow_trace",
            ),
            help="For services alone.",
            advanced=True,
        ),
        Group(legend="Description", names=("description", "info_url", "advertise"), advanced=True),
    )

    type = forms.ChoiceField(
        label="Type",
        choices=KINDS,
        widget=forms.RadioSelect,
        help_text="A stream is what this account publishes; a service is what it answers.",
    )
    subject = SubjectField(
        label="Subject",
        help_text="In this account. * stands for one word, > for the rest: importers may take a part of it.",
    )
    name = LineField(
        required=False, label="Name", help_text="For people. Empty in a new export: its subject."
    )
    token_req = forms.BooleanField(
        required=False,
        label="Private",
        help_text="An account needs an activation token of this account to import it.",
    )
    account_token_position = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=1000,
        label="Account token position",
        help_text="The number of the * in the subject (counted in words from 1) where each importing account must put "
        "its own key: it gets these subjects and no others. For public exports. Empty: none.",
    )
    response_type = forms.ChoiceField(required=False, label="Answers", choices=RESPONSE_TYPES)
    response_threshold = DurationField(
        label="Time to answer",
        help_text="Such as 5s or 2m: how long servers keep the way back open. Empty: 2 minutes.",
    )
    latency_sampling = SamplingField(
        label="Latency sampling",
        help_text="A percentage of the requests (1 to 100), or “headers”: those with tracing headers. Empty: none.",
    )
    latency_results = SubjectField(
        required=False,
        label="Latency results",
        help_text="Subject in this account to which measures are published.",
    )
    allow_trace = forms.BooleanField(
        required=False,
        label="Allow message traces",
        help_text="A trace that begins in an importing account goes on in this one.",
    )
    advertise = forms.BooleanField(
        required=False, label="Advertise", help_text="Kept for other tools; nats-server does not look at it."
    )
    description = TextField(label="Description", rows=2, help_text="For people.")
    info_url = TextField(label="Info URL", help_text="Where to read more, https://…")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = {name: self.initial.get(name) or "" for name in ("type", "response_type")}
        if held["type"]:
            self.fields["type"].choices = choices_with(held["type"], KINDS)  # type: ignore[attr-defined]
        choices = choices_with(held["response_type"], RESPONSE_TYPES)
        self.fields["response_type"].choices = choices  # type: ignore[attr-defined]

    @staticmethod
    def values_of(export: Export) -> dict[str, Any]:
        """An export's values by field."""
        latency = export.service_latency
        return {
            "type": export.type,
            "subject": export.subject,
            "name": export.name,
            "token_req": export.token_req,
            "account_token_position": export.account_token_position or None,
            "response_type": export.response_type,
            "response_threshold": export.response_threshold,
            "latency_sampling": latency.sampling if latency is not None else None,
            "latency_results": latency.results if latency is not None else "",
            "allow_trace": export.allow_trace,
            "advertise": export.advertise,
            "description": export.description,
            "info_url": export.info_url,
        }

    def to_export(self, before: Export | None) -> Export:
        """What was filled in, over what this form does not show; a new one is named as nsc names it."""
        typed = {name: value for name, value in self.cleaned_data.items() if name != "version"}
        sampling, results = typed.pop("latency_sampling"), typed.pop("latency_results")
        held = before.service_latency if before is not None else None
        latency = None
        if sampling is not None or results:
            latency = replace(held or ServiceLatency(), sampling=sampling or 0, results=results)
        typed["account_token_position"] = typed["account_token_position"] or 0
        if before is None:
            typed["name"] = typed["name"] or typed["subject"]
        return replace(before or Export(), **typed, service_latency=latency)

    def clean(self) -> dict[str, Any]:
        """Ask for both of what belongs together."""
        cleaned = super().clean()
        if cleaned.get("latency_results") and cleaned.get("latency_sampling", 0) is None:
            self.add_error("latency_sampling", "Say which requests are measured, or clear the subject below.")
        elif (
            cleaned.get("latency_sampling") is not None
            and not cleaned.get("latency_results")
            and {"latency_sampling", "latency_results"} & set(self.changed_data)
        ):
            self.add_error("latency_results", "Say where the measures go, or clear the sampling.")
        return cleaned


class RevokeForm(EditForm):
    """Whose activations of an export are refused, and those issued until when."""

    paths: ClassVar[Mapping[str, str]] = {"nats.exports.revocations": "target"}
    words: ClassVar[Mapping[str, str]] = {"target": "revocations"}

    target = AccountField(
        label="Account",
        help_text="Its name, or its public key (A…); * for all accounts.",
    )
    at = MomentField(
        label="Issued until",
        help_text="Activations issued at this time or earlier are refused. A date, a date with time, or a span such as "
        "-1d. Empty: now. A newer one can be issued afterwards.",
    )
