"""The installation page as strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from identities.models import Operator
from identities.policy.second_factor import DEMAND_WORDS
from identities.services import installation
from identities.services.audit_walks import Check
from identities.services.installation import Described
from identities.views import shown

_CHANGED = "The audit was changed from outside, or restored from elsewhere. What does not fit:"
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
class Audit:
    """The audit chain; with `state`, its last check. `more` counts the findings that are not listed."""

    events: str
    last_seal: str
    asked: shown.When | None = None
    waits: bool = False
    state: shown.State | None = None
    note: str = ""
    findings: tuple[str, ...] = ()
    more: str = ""


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
        "second_factor": (Fact(label="Demanded of", value=DEMAND_WORDS[found.second_factor]),),
        "addresses": _addresses(found, operators),
        "loopback": installation.is_loopback(),
    }


def audit(found: Described, check: Check | None) -> Audit:
    """The audit chain and what its last check found."""
    if check is None:
        return Audit(events=f"{found.audit_events:,}", last_seal=found.audit_hash)
    return Audit(
        events=f"{found.audit_events:,}",
        last_seal=found.audit_hash,
        asked=shown.moment(check.asked_at),
        waits=check.waits,
        state=_checked(check),
        note=check.error or (_CHANGED if check.found else ""),
        findings=check.findings,
        more=f"{check.found - len(check.findings):,}" if check.found > len(check.findings) else "",
    )


def _checked(check: Check) -> shown.State:
    if check.waits:
        progress = f": {check.events:,} of {check.total:,} events" if check.events else ""
        return shown.State(word=f"Being checked{progress}", tone="muted", icon="hourglass")
    if check.error:
        return shown.State(word="Not checked", tone="warn", icon="triangle-alert")
    if not check.found:
        return shown.State(word=f"All {check.events:,} events fit", tone="ok", icon="shield-check")
    return shown.State(word="Changed", tone="danger", icon="circle-x")


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
