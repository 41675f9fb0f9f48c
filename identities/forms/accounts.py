"""Forms over accounts: what they are called, and their limits with JetStream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from django import forms

from identities.claims import codec
from identities.claims.drafts import AccountDraft, AccountEdit
from identities.claims.limits import JetStreamLimits, OperatorLimits
from identities.forms.base import BaseForm, EditForm, Group
from identities.forms.fields import MomentField, NameField, NumberField, PublicKeyField, TagsField, TextField
from identities.forms.operators import EXPIRY_HELP, START_HELP, TAGS_HELP
from identities.models import Account
from identities.nkeys import KeyKind

TIERS = ("R1", "R3", "R5")
NATS = (
    ("conn", "Max connections", False, "Clients connected at one time."),
    ("leaf", "Max leaf node connections", False, "Leaf nodes connected at one time."),
    ("subs", "Max subscriptions", False, "Subscriptions of all connections."),
    ("payload", "Max message payload", True, "Bytes of one message: 64 KiB, 1 MB."),
    ("data", "Max data", True, "Bytes."),
    ("exports", "Max exports", False, "Exports in the account's JWT."),
    ("imports", "Max imports", False, "Imports in the account's JWT."),
)
"""Attribute, label, counts bytes, help."""
JETSTREAM = (
    ("mem_storage", "Max memory storage", True, "disabled", "Bytes of memory for all streams."),
    ("disk_storage", "Max disk storage", True, "disabled", "Bytes of disk for all streams."),
    ("streams", "Max streams", False, "unlimited", "How many streams."),
    ("consumer", "Max consumers", False, "unlimited", "How many consumers."),
    ("max_ack_pending", "Max ack pending", False, "unlimited", "Unacknowledged messages of one consumer."),
    ("mem_max_stream_bytes", "Max memory stream", True, "unlimited", "Bytes of one memory stream."),
    ("disk_max_stream_bytes", "Max disk stream", True, "unlimited", "Bytes of one disk stream."),
)
"""Attribute, label, counts bytes, what 0 means to nats-server (spec §2.6), help."""
_JETSTREAM_NAMES = (*(row[0] for row in JETSTREAM), "max_bytes_required")
_LIMIT_NAMES = (*(row[0] for row in NATS), "wildcards", "disallow_bearer", *_JETSTREAM_NAMES)


class _AccountFields(BaseForm):
    paths: ClassVar[Mapping[str, str]] = {
        "name": "name",
        "exp": "expires",
        "nbf": "not_before",
        "sub": "public_key",
        "nats.description": "description",
        "nats.info_url": "info_url",
        "nats.tags": "tags",
    }
    words: ClassVar[Mapping[str, str]] = {
        "description": "description",
        "info_url": "info_url",
        "expires": "exp",
        "not_before": "nbf",
    }

    name = NameField(label="Name", help_text="Unique under the operator, ignoring case, as in nsc.")
    description = TextField(label="Description", rows=3, help_text="For people.")
    info_url = TextField(label="Info URL", max_length=8192, help_text="Where to read more, https://…")
    tags = TagsField(
        label="Tags",
        rows=2,
        help_text=f"{TAGS_HELP} Roles read them with {{{{account-tag(key)}}}}.",
    )
    expires = MomentField(label="Expires", help_text=EXPIRY_HELP)
    not_before = MomentField(label="Not before", help_text=START_HELP)


class AccountCreateForm(_AccountFields):
    """A new account, as `nsc add account`."""

    groups: ClassVar[tuple[Group, ...]] = (
        Group(legend="Account", names=("name", "description", "info_url")),
        Group(legend="Own key", names=("public_key",), advanced=True),
        Group(legend="Tags and times", names=("tags", "expires", "not_before"), advanced=True),
    )

    public_key = PublicKeyField(
        kind=KeyKind.ACCOUNT,
        label="Own public key",
        help_text="An account key (A…) whose seed stays elsewhere. Empty: a new key is made and its seed sealed here.",
    )

    def to_draft(self) -> AccountDraft:
        """What was filled in."""
        return AccountDraft(**self.cleaned_data)


class AccountEditForm(EditForm, _AccountFields):
    """Name, texts, tags and times of an account."""

    groups: ClassVar[tuple[Group, ...]] = (
        Group(legend="Account", names=("name", "description", "info_url")),
        Group(legend="Tags and times", names=("tags", "expires", "not_before")),
    )

    @staticmethod
    def values_of(account: Account) -> dict[str, Any]:
        """The account's values by field."""
        claims = codec.from_payload(account.claims)
        return {
            "name": claims.name,
            "description": claims.nats.description,
            "info_url": claims.nats.info_url,
            "tags": claims.nats.tags,
            "expires": claims.exp,
            "not_before": claims.nbf,
        }

    def to_edit(self) -> AccountEdit:
        """What was filled in."""
        return AccountEdit(**{name: value for name, value in self.cleaned_data.items() if name != "version"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """The fields of one JetStream tier; `open` unfolds one that holds something."""

    name: str
    replicas: str
    fields: tuple[forms.BoundField, ...]
    open: bool


class LimitsForm(EditForm):
    """All limits of an account: NATS's, those of its exports and imports, and JetStream's, whole or per tier."""

    paths: ClassVar[Mapping[str, str]] = {
        "nats.imports": "imports",
        "nats.exports": "exports",
        **{f"nats.limits.{name}": name for name in _LIMIT_NAMES},
        **{f"nats.limits.tiered_limits.{name}": f"{TIERS[0]}-{name}" for name in _JETSTREAM_NAMES},
    }

    words: ClassVar[Mapping[str, str]] = {"wildcards": "wildcards", "disallow_bearer": "disallow_bearer"}

    wildcards = forms.BooleanField(
        required=False, label="Exports may hold wildcards", help_text="Allow * and > in exports."
    )
    disallow_bearer = forms.BooleanField(
        required=False,
        label="Forbid bearer users",
        help_text="Every user must prove that it holds its seed.",
    )

    def __init__(self, *args: Any, tiers: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tiers = tuple(dict.fromkeys((*TIERS, *tiers)))
        for name, label, size, text in NATS:
            self._add(name, NumberField(label=label, size=size, help_text=text))
        for prefix in ("", *(f"{tier}-" for tier in self.tiers)):
            for name, label, size, zero, text in JETSTREAM:
                self._add(f"{prefix}{name}", NumberField(label=label, size=size, zero=zero, help_text=text))
            self._add(
                f"{prefix}max_bytes_required",
                forms.BooleanField(
                    required=False,
                    label="Streams must set max bytes",
                    help_text="Refuse a stream that doesn't say how large it may become.",
                ),
            )

        self.order_fields([name for name, *_ in NATS])

    def _add(self, name: str, field: forms.Field) -> None:
        """NATS's own word for a limit is its field's name."""
        field.word = name.rpartition("-")[2]  # type: ignore[attr-defined]  # for components/field.html
        self.fields[name] = field

    def field_of(self, path: str) -> str:
        """The field of a JSON path: every limit is a field of its own name."""
        tail = path.removeprefix("nats.limits.")
        if tail != path:
            parts = tail.split(".")
            name = f"{parts[1]}-{parts[2]}" if parts[0] == "tiered_limits" and len(parts) == 3 else parts[0]
            return name if name in self.fields else ""
        return super().field_of(path)

    @classmethod
    def of(cls, account: Account, data: Any, *, now: int) -> LimitsForm:
        """The form over an account's current limits."""
        held = codec.from_payload(account.claims).nats.limits.tiered_limits
        values = {**cls.values_of(account), "version": account.version}
        return cls(data, now=now, tiers=tuple(held), initial=values)

    @staticmethod
    def values_of(account: Account) -> dict[str, Any]:
        """The account's limits by field."""
        limits: OperatorLimits = codec.from_payload(account.claims).nats.limits
        values = {
            field.name: getattr(limits, field.name)
            for field in fields(OperatorLimits)
            if field.name not in ("tiered_limits", "extra")
        }
        for tier in dict.fromkeys((*TIERS, *limits.tiered_limits)):
            held = limits.tiered_limits.get(tier, JetStreamLimits())
            values |= {f"{tier}-{name}": getattr(held, name) for name in _JETSTREAM_NAMES}
        return values

    def to_limits(self, before: OperatorLimits) -> OperatorLimits:
        """What was filled in, over what this form does not show. A tier without storage is left out."""
        flat = {name: value for name, value in self.cleaned_data.items() if "-" not in name}
        flat.pop("version")
        tiers: dict[str, JetStreamLimits] = {}
        for tier in self.tiers:
            held = before.tiered_limits.get(tier)
            wanted = replace(held or JetStreamLimits(), **self._tier(tier))
            if wanted != JetStreamLimits() and (wanted.mem_storage or wanted.disk_storage or wanted == held):
                tiers[tier] = wanted
        kept = {tier: tiers[tier] for tier in before.tiered_limits if tier in tiers}
        return replace(before, **flat, tiered_limits={**kept, **tiers})

    def account_fields(self) -> Iterator[forms.BoundField]:
        """The limits of NATS and of the account's JWT, for templates."""
        return (self[name] for name in (*(name for name, *_ in NATS), "wildcards", "disallow_bearer"))

    def whole(self) -> Iterator[forms.BoundField]:
        """The JetStream fields of the whole account, for templates."""
        return (self[name] for name in _JETSTREAM_NAMES)

    def by_tier(self) -> Iterator[Tier]:
        """Each tier with its fields, for templates."""
        for tier in self.tiers:
            bound = tuple(self[f"{tier}-{name}"] for name in _JETSTREAM_NAMES)
            held = any(field.initial for field in bound) or any(field.errors for field in bound)
            number = tier.removeprefix("R")
            replicas = f"{number} replicas" if number != "1" else "1 replica"
            yield Tier(name=tier, replicas=replicas, fields=bound, open=held)

    def clean(self) -> dict[str, Any]:
        """Refuse a tier that is limited but has no storage: it would be dropped without a word."""
        cleaned = super().clean()
        for tier in self.tiers:
            names = [f"{tier}-{name}" for name, *_ in JETSTREAM]
            typed = {name: cleaned.get(name, 0) for name in names}
            stored = typed[f"{tier}-mem_storage"] or typed[f"{tier}-disk_storage"]
            if (
                any(typed.values())
                and not stored
                and typed != {name: self.initial.get(name, 0) for name in names}
            ):
                self.add_error(
                    f"{tier}-disk_storage",
                    f"Give the tier {tier} memory or disk storage, or clear its limits.",
                )
        return cleaned

    def _tier(self, tier: str) -> dict[str, Any]:
        return {name: self.cleaned_data[f"{tier}-{name}"] for name in _JETSTREAM_NAMES}
