"""The form over one subject mapping: its source, and a row for each destination."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from django import forms
from django.http import QueryDict

from identities.claims import codec, mapping_routes
from identities.claims.mappings import WeightedMapping
from identities.claims.subjects import matches
from identities.forms.base import EditForm
from identities.forms.fields import TextField
from identities.forms.mapping_ways import Ways, ways_of
from identities.models import Account

MORE = "more"
"""Sent by the button that asks for more rows: nothing is saved or checked."""
BLANK_ROWS = 2
MOST_ROWS = 200
_WITHIN = re.compile(r"(?:\[(\d+)\](?:\.(\w+))?)?")


class WeightField(forms.IntegerField):
    """Percent; empty is not set, which counts as 100. What is above 100 the validation says."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, min_value=1, max_value=255, **kwargs)
        self.widget.attrs.update({"class": "number", "placeholder": "100"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The fields of one destination."""

    fields: tuple[forms.BoundField, ...]


class MappingForm(EditForm):
    """One mapping. Rows that are empty are left out; `sample` is not part of it, and shows where a subject would go."""

    paths: ClassVar[Mapping[str, str]] = {
        "nats.mappings": "source",
        "nats.mappings.subject": "to-0",
        "nats.mappings.weight": "weight-0",
        "nats.mappings.cluster": "cluster-0",
    }
    words: ClassVar[Mapping[str, str]] = {"source": "mappings"}
    live: ClassVar[str] = "identities/mappings/ways.html"

    source = TextField(
        required=True,
        max_length=2048,
        label="From",
        help_text="The subject that is published on; * stands for one word, > for the rest.",
    )
    sample = TextField(
        max_length=2048,
        label="Try a subject",
        help_text="One without wildcards, such as orders.eu.new: where a message on it goes is shown below. "
        "It is not kept.",
    )

    def __init__(self, data: QueryDict | None = None, *, rows: int = 0, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        for name in ("source", "sample"):
            self.fields[name].widget.attrs.update(
                {"class": "mono", "spellcheck": "false", "autocomplete": "off"}
            )
        self.fields["rows"] = forms.IntegerField(
            widget=forms.HiddenInput, required=False, min_value=0, max_value=MOST_ROWS
        )
        self.rows = min(MOST_ROWS, max(rows, self._rows_sent()))
        self.initial["rows"] = self.rows
        for row in range(self.rows):
            self._add_row(row)

    def _rows_sent(self) -> int:
        sent = self.data.get(self.add_prefix("rows"), "") if self.is_bound else ""
        return int(sent) if sent.isascii() and sent.isdigit() and len(sent) < 5 else 0

    def _add_row(self, row: int) -> None:
        number = row + 1
        self.fields[f"to-{row}"] = TextField(max_length=2048, label=f"Destination {number}")
        self.fields[f"weight-{row}"] = WeightField(label=f"Weight {number} in %")
        self.fields[f"cluster-{row}"] = TextField(max_length=255, label=f"Only in cluster {number}")
        for name in (f"to-{row}", f"cluster-{row}"):
            self.fields[name].widget.attrs.update(
                {"class": "mono", "spellcheck": "false", "autocomplete": "off"}
            )

    @classmethod
    def of(
        cls,
        source: str,
        targets: Sequence[WeightedMapping],
        data: QueryDict | None,
        *,
        now: int,
        version: int,
    ) -> MappingForm:
        """The form over a mapping as it is; a new one has no source and no targets."""
        initial = {**values_of(source, targets), "version": version}
        rows = max(3, len(targets) + BLANK_ROWS)
        form = cls(data, now=now, rows=rows, initial=initial)
        if data is not None and MORE in data:
            more = cls(None, now=now, rows=form.rows + 3, initial=form.as_typed())
            more.focus = f"to-{form.rows}"
            return more
        return form

    def values_in(self, account: Account, source: str) -> dict[str, Any]:
        """The mapping of `source` in an account, by field; empty where this form has a row more."""
        blank = {name: None if name.startswith("weight-") else "" for name in self.fields if "-" in name}
        held = codec.from_payload(account.claims).nats.mappings
        return {**blank, **values_of(source if source in held else "", held.get(source, ()))}

    def table(self) -> Iterator[Row]:
        """The rows, for templates."""
        for row in range(self.rows):
            yield Row(fields=tuple(self[f"{name}-{row}"] for name in ("to", "weight", "cluster")))

    @property
    def typed_source(self) -> str:
        """The source that was filled in."""
        return str(self.cleaned_data["source"])

    def to_targets(self, before: Sequence[WeightedMapping]) -> tuple[WeightedMapping, ...]:
        """What was filled in, over what this form does not know of the destinations that were there."""
        if not self._touched():
            return tuple(before)
        held = (*before, *([WeightedMapping()] * self.rows))
        return tuple(
            replace(
                held[row],
                subject=self.cleaned_data[f"to-{row}"],
                weight=self.cleaned_data[f"weight-{row}"] or 0,
                cluster=self.cleaned_data[f"cluster-{row}"],
            )
            for row in self._filled()
        )

    def _touched(self) -> bool:
        return any(name.startswith(("to-", "weight-", "cluster-")) for name in self.changed_data)

    def _filled(self) -> list[int]:
        return [row for row in range(self.rows) if self._value(f"to-{row}")]

    def clean(self) -> dict[str, Any]:
        """Refuse a weight or cluster without a destination, weights above 100 % together, and a wild sample."""
        cleaned = super().clean()
        for row in range(self.rows):
            if not cleaned.get(f"to-{row}") and (
                cleaned.get(f"weight-{row}") or cleaned.get(f"cluster-{row}")
            ):
                self.add_error(f"to-{row}", "Give the subject that this share goes to, or clear the row.")
        if self._touched():
            self._refuse_too_much()
        sample = cleaned.get("sample", "")
        if sample and not mapping_routes.is_sample(sample):
            self.add_error("sample", f"“{sample}” is no subject to publish on: write one without wildcards.")
        return cleaned

    def _refuse_too_much(self) -> None:
        sums: dict[str, int] = {}
        for row in self._filled():
            cluster = self._value(f"cluster-{row}") or ""
            sums[cluster] = sums.get(cluster, 0) + (self._value(f"weight-{row}") or 100)
            if sums[cluster] > 100:
                self.add_error(
                    f"weight-{row}",
                    f"With this one the weights come to {sums[cluster]} %: together they may be 100 % at most.",
                )
                return

    def field_of(self, path: str) -> str:
        """Findings about this mapping land in the row they are about, those about others above the form."""
        head = f"nats.mappings.{self._value('source')}"
        found = _WITHIN.fullmatch(path.removeprefix(head)) if path.startswith(head) else None
        if found is None:
            return "" if path.startswith("nats.mappings.") else super().field_of(path)
        if found[1] is None:
            return "source"
        name = {"weight": "weight", "cluster": "cluster"}.get(found[2] or "", "to")
        return f"{name}-{self._filled()[int(found[1])]}"

    def ways(self) -> Iterator[Ways]:
        """How messages are shared out by what stands in the form now, and what becomes of the sample."""
        targets = [
            WeightedMapping(
                subject=self._value(f"to-{row}"),
                weight=_number(self._value(f"weight-{row}")),
                cluster=self._value(f"cluster-{row}") or "",
            )
            for row in self._filled()
        ]
        source, sample = self._value("source") or "", self._value("sample") or ""
        return ways_of(source, targets, sample) if targets else iter(())

    @property
    def misses(self) -> str:
        """The sample, where this mapping does not concern it."""
        source, sample = self._value("source") or "", self._value("sample") or ""
        return sample if sample and source and not matches(sample, source) else ""

    def _value(self, name: str) -> Any:
        """What stands in a field: what was typed where it could be read, else what was there."""
        if not self.is_bound:
            return self.initial.get(name) or ""
        return getattr(self, "cleaned_data", {}).get(name) or ""


def values_of(source: str, targets: Sequence[WeightedMapping]) -> dict[str, Any]:
    """A mapping by field; a weight that is not set is None."""
    values: dict[str, Any] = {"source": source}
    for row, target in enumerate(targets):
        values |= {
            f"to-{row}": target.subject,
            f"weight-{row}": target.weight or None,
            f"cluster-{row}": target.cluster,
        }
    return values


def _number(value: Any) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
