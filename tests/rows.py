"""Every row of every table of ours, to tell whether anything was touched."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps

NOT_OF_IDENTITIES = frozenset({"Job", "WorkerBeat", "AuditEvent", "AuditHead", "AuditTarget", "Installation"})


SIGNING_IN = ("mfa", "usersessions", "sessions")
"""The libraries' tables of second factors and sessions."""


def everything(leave_out: Iterable[str] = (), beside: Iterable[str] = ()) -> dict[str, list[dict[str, Any]]]:
    """All rows by model, of the apps named `beside`, too; envelopes by their bytes."""
    return {
        model.__name__: [
            {name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()}
            for row in model._default_manager.order_by("pk").values()
        ]
        for app in ("identities", *beside)
        for model in apps.get_app_config(app).get_models()
        if model.__name__ not in set(leave_out)
    }


def whole() -> dict[str, list[dict[str, Any]]]:
    """All rows, those of second factors and sessions, too."""
    return everything(beside=SIGNING_IN)


def differing(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The models whose rows are not what they were."""
    return [table for table in before if before[table] != after[table]]


def identities() -> dict[str, list[dict[str, Any]]]:
    """The rows of operators, accounts and users, with keys, permissions and ledger."""
    return everything(NOT_OF_IDENTITIES)


def count() -> int:
    """How many these are."""
    return sum(len(rows) for rows in identities().values())
