"""The installation page as strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from identities.models import Operator
from identities.services import installation
from identities.services.installation import Described
from identities.views import shown

_ORIGINS = {"environment": "environment", "file": "file", "default": "default"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One row of a card."""

    label: str
    value: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """One environment name."""

    name: str
    value: str
    origin: str
    changed: bool
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """One background worker."""

    name: str
    at: shown.When
    state: shown.State


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRow:
    """Where nats-servers find one operator's accounts."""

    operator: str
    url: str
    default: bool


def context(found: Described, operators: Sequence[Operator]) -> dict[str, Any]:
    """What the template prints."""
    return {
        "facts": _facts(found),
        "libraries": tuple(Fact(label=name, value=number) for name, number in found.libraries),
        "workers": tuple(_worker(worker) for worker in found.workers),
        "settings": tuple(
            SettingRow(
                name=row.name,
                value=row.value,
                origin=_ORIGINS.get(row.origin, row.origin),
                changed=row.origin != "default",
                help=row.help,
            )
            for row in found.settings
        ),
        "addresses": _addresses(found, operators),
        "loopback": installation.is_loopback(),
        "audit_events": f"{found.audit_events:,}",
        "audit_hash": found.audit_hash,
    }


def chain(broken: int | None) -> shown.State:
    """What walking the audit chain found."""
    if broken is None:
        return shown.State(word="Every event fits the one before", tone="ok", icon="shield-check")
    word = f"Event {broken} does not fit: the audit was changed from outside, or restored from elsewhere"
    return shown.State(word=word, tone="danger", icon="circle-x")


def _facts(found: Described) -> tuple[Fact, ...]:
    database = found.database
    ring = ", ".join((f"{found.key_ids[0]} (seals)", *found.key_ids[1:])) if found.key_ids else "none"
    return (
        Fact(label="nscweb", value=found.version),
        Fact(label="Address", value=found.url),
        Fact(label="Data directory", value=found.data_dir),
        Fact(
            label="Database",
            value=f"{database.engine}, {database.mode}" if database.mode else database.engine,
        ),
        Fact(label="Stored in", value=database.place),
        Fact(label="Master key ring", value=ring),
        Fact(label="First started", value=shown.moment(found.created_at).text),
    )


def _worker(worker: installation.Worker) -> WorkerRow:
    alive = shown.State(word="Alive", tone="ok", icon="circle-check")
    silent = shown.State(word="Silent", tone="danger", icon="circle-x", title="Start it: manage.py worker")
    return WorkerRow(name=worker.name, at=shown.moment(worker.at), state=alive if worker.alive else silent)


def _addresses(found: Described, operators: Sequence[Operator]) -> tuple[AddressRow, ...]:
    chosen = found.default_operator
    rows = [
        AddressRow(
            operator=operator.name,
            url=installation.account_server_url(operator),
            default=len(operators) == 1 or (chosen is not None and chosen.pk == operator.pk),
        )
        for operator in operators
    ]
    return tuple(rows)
