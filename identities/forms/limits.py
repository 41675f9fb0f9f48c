"""The form over an account's limits: NATS's, those of its exports and imports, and JetStream's, whole or by tier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from django import forms

from identities.claims import codec
from identities.claims.limits import NO_LIMIT, JetStreamLimits, OperatorLimits
from identities.forms.base import EditForm
from identities.forms.fields import NumberField
from identities.models import Account

TIERS = ("R1", "R2", "R3", "R4", "R5")
WHOLE, BY_TIER = "whole", "tiers"
CONVERT = "convert"
"""Sent by the buttons that move JetStream's limits between the account and a tier; nothing is saved or checked."""
NATS = (
    ("conn", "Max connections", False, "Clients connected at one time."),
    ("leaf", "Max leaf node connections", False, "Leaf nodes connected at one time."),
    ("subs", "Max subscriptions", False, "Subscriptions of all connections."),
    ("payload", "Max message payload", True, "Bytes of one message: 64 KiB, 1 MB."),
    ("data", "Max data", True, "Bytes; nats-server does not look at it yet."),
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
"""Attribute, label, counts bytes, what not set (0) means to nats-server (spec §2.6), help."""
REQUIRED = "max_bytes_required"
NAMES = (*(row[0] for row in JETSTREAM), REQUIRED)
STORAGE = ("mem_storage", "disk_storage")


class JetStreamField(NumberField):
    """A limit of JetStream: empty is not set (0), which means what `zero` says."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)
        self.widget.attrs["placeholder"] = f"not set: {self.zero}"

    def words(self, number: int) -> str:
        """The number as this field shows it."""
        return super().words(number) if number else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """The fields of one JetStream tier; `open` unfolds one that holds something."""

    name: str
    replicas: str
    fields: tuple[forms.BoundField, ...]
    open: bool


class LimitsForm(EditForm):
    """All limits of an account. JetStream is a switch: off clears its limits, on gives what is filled in below."""

    paths: ClassVar[Mapping[str, str]] = {
        "nats.imports": "imports",
        "nats.exports": "exports",
        **{f"nats.limits.{name}": name for name in (*(row[0] for row in NATS), *NAMES)},
        "nats.limits.wildcards": "wildcards",
        "nats.limits.disallow_bearer": "disallow_bearer",
        **{f"nats.limits.tiered_limits.{name}": f"{TIERS[0]}-{name}" for name in NAMES},
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
    jetstream = forms.BooleanField(
        required=False,
        label="Switched on",
        help_text="On, with neither memory nor disk given: both without limit. Off clears all its limits.",
    )
    layout = forms.ChoiceField(
        required=False,
        label="Limits",
        widget=forms.RadioSelect,
        choices=((WHOLE, "For the whole account"), (BY_TIER, "By tier: one for each number of replicas")),
        initial=WHOLE,
    )

    def __init__(self, *args: Any, tiers: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tiers = tuple(dict.fromkeys((*TIERS, *tiers)))
        for name, label, size, text in NATS:
            self._add(name, NumberField(label=label, size=size, help_text=text))
        for prefix in ("", *(f"{tier}-" for tier in self.tiers)):
            for name, label, size, zero, text in JETSTREAM:
                self._add(
                    f"{prefix}{name}", JetStreamField(label=label, size=size, zero=zero, help_text=text)
                )
            self._add(
                f"{prefix}{REQUIRED}",
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
        """The form over an account's current limits; with a conversion asked for, what was typed in its new place."""
        held = codec.from_payload(account.claims).nats.limits.tiered_limits
        values = {**cls.values_of(account), "version": account.version}
        form = cls(data, now=now, tiers=tuple(held), initial=values)
        if data is None or CONVERT not in data:
            return form
        moved = cls(None, now=now, tiers=tuple(held), initial=form.converted(data[CONVERT]))
        moved.focus = "layout"
        return moved

    @staticmethod
    def values_of(account: Account) -> dict[str, Any]:
        """The account's limits by field."""
        limits: OperatorLimits = codec.from_payload(account.claims).nats.limits
        values: dict[str, Any] = {
            field.name: getattr(limits, field.name)
            for field in fields(OperatorLimits)
            if field.name not in ("tiered_limits", "extra")
        }
        values["jetstream"] = limits.jetstream_enabled
        values["layout"] = BY_TIER if limits.tiered_limits else WHOLE
        for tier in dict.fromkeys((*TIERS, *limits.tiered_limits)):
            held = limits.tiered_limits.get(tier, JetStreamLimits())
            values |= {f"{tier}-{name}": getattr(held, name) for name in NAMES}
        return values

    def converted(self, way: str) -> dict[str, Any]:
        """What was typed, with the whole account's JetStream limits moved to a tier (`R1`) or back (`whole:R1`)."""
        typed = self.as_typed()
        back, _, tier = way.rpartition(":")
        if tier not in self.tiers:
            return typed
        sources, targets = ("", f"{tier}-") if back != WHOLE else (f"{tier}-", "")
        for name in NAMES:
            typed[f"{targets}{name}"] = typed[f"{sources}{name}"]
            typed[f"{sources}{name}"] = False if name == REQUIRED else ""
        return {**typed, "jetstream": True, "layout": WHOLE if back == WHOLE else BY_TIER}

    def to_limits(self, before: OperatorLimits) -> OperatorLimits:
        """What was filled in, over what this form does not show."""
        names = (*(row[0] for row in NATS), "wildcards", "disallow_bearer")
        limits = replace(before, **{name: self.cleaned_data[name] for name in names})
        if not self._jetstream_touched():
            return limits
        if not self.cleaned_data["jetstream"]:
            return replace(limits, **_NONE, tiered_limits={})
        if self.cleaned_data["layout"] == BY_TIER:
            return replace(limits, **_NONE, tiered_limits=self._tiers(before))
        whole = self._whole()
        if "jetstream" in self.changed_data and not (whole["mem_storage"] or whole["disk_storage"]):
            whole |= dict.fromkeys(STORAGE, NO_LIMIT)
        return replace(limits, **whole, tiered_limits={})

    def _jetstream_touched(self) -> bool:
        own = {"jetstream", "layout"}
        return any(name in own or name.rpartition("-")[2] in NAMES for name in self.changed_data)

    def _whole(self) -> dict[str, Any]:
        return {name: self.cleaned_data.get(name, 0) for name in NAMES}

    def _tiers(self, before: OperatorLimits) -> dict[str, JetStreamLimits]:
        """The tiers with storage, and those that nobody touched, in the order that was there."""
        found: dict[str, JetStreamLimits] = {}
        for tier in (*before.tiered_limits, *self.tiers):
            held = before.tiered_limits.get(tier)
            wanted = replace(held or JetStreamLimits(), **self._tier(tier))
            if wanted.mem_storage or wanted.disk_storage or (held is not None and wanted == held):
                found[tier] = wanted
        return found

    def _tier(self, tier: str) -> dict[str, Any]:
        return {name: self.cleaned_data.get(f"{tier}-{name}", 0) for name in NAMES}

    def account_fields(self) -> Iterator[forms.BoundField]:
        """The limits of NATS and of the account's JWT, for templates."""
        return (self[name] for name in (*(name for name, *_ in NATS), "wildcards", "disallow_bearer"))

    def whole(self) -> Iterator[forms.BoundField]:
        """The JetStream fields of the whole account, for templates."""
        return (self[name] for name in NAMES)

    @property
    def is_refused(self) -> bool:
        """Whether limits were given to JetStream while it is off: they are shown then."""
        return self.is_bound and bool(self["jetstream"].errors)

    @property
    def whole_holds(self) -> bool:
        """Whether one of them holds something, so that it is never out of sight."""
        return self._holds(self[name] for name in NAMES)

    @property
    def tiers_hold(self) -> bool:
        """Whether some tier does."""
        return any(tier.open for tier in self.by_tier())

    def by_tier(self) -> Iterator[Tier]:
        """Each tier with its fields, for templates."""
        for tier in self.tiers:
            bound = tuple(self[f"{tier}-{name}"] for name in NAMES)
            number = tier.removeprefix("R")
            replicas = f"{number} replicas" if number != "1" else "1 replica"
            yield Tier(name=tier, replicas=replicas, fields=bound, open=self._holds(bound))

    def _holds(self, bound: Any) -> bool:
        return any(field.value() or field.errors for field in bound)

    def clean(self) -> dict[str, Any]:
        """Refuse limits of both kinds at once, of neither, and a tier that is limited but has no storage."""
        cleaned = super().clean()
        if not self._jetstream_touched():
            return cleaned
        tiered = [tier for tier in self.tiers if _limits_anything(self._tier(tier))]
        if not cleaned.get("jetstream"):
            if "jetstream" not in self.changed_data and (tiered or _limits_anything(self._whole())):
                message = "JetStream is off: switch it on, or clear the limits that you gave it below."
                self.add_error("jetstream", message)
            return cleaned
        if cleaned.get("layout") == BY_TIER:
            if _limits_anything(self._whole()):
                self.add_error("layout", _BOTH.format(kept="by tier", other="the whole account's"))
            for tier in tiered:
                self._refuse_without_storage(tier)
        elif tiered:
            other = ", ".join(tiered)
            self.add_error("layout", _BOTH.format(kept="for the whole account", other=f"those of {other}"))
        return cleaned

    def _refuse_without_storage(self, tier: str) -> None:
        typed = self._tier(tier)
        if typed["mem_storage"] or typed["disk_storage"]:
            return
        if typed != {name: self.initial.get(f"{tier}-{name}", 0) for name in NAMES}:
            message = f"Give the tier {tier} memory or disk storage, or clear its limits."
            self.add_error(f"{tier}-disk_storage", message)


_NONE: Mapping[str, Any] = {**dict.fromkeys(NAMES, 0), REQUIRED: False}
_BOTH = (
    "Limits {kept} and {other} are mutually exclusive: a JWT holds one or the other. Clear those, or move them with "
    "the buttons below."
)


def _limits_anything(typed: Mapping[str, Any]) -> bool:
    """True unless every limit is what not set means too: no storage, and counts without limit."""
    return any(typed[name] != 0 for name in STORAGE) or any(
        int(typed[name]) > 0 for name in NAMES if name not in STORAGE
    )
