"""What this installation is: the counterpart of `nsc env`, and the default operator."""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection, transaction

from identities.errors import IdentityError
from identities.models import AuditHead, Installation, Operator, WorkerBeat
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.policy.second_factor import Demand
from identities.services import audit, clock, operators, secrets

WORKER_SILENT_SECONDS = 60
_LIBRARIES = (
    "Django",
    "PyNaCl",
    "nats-py",
    "django-allauth",
    "django-htmx",
    "granian",
    "whitenoise",
    "psycopg",
)


class Setting(Protocol):
    """One environment name in force; a secret's `value` only says whether it is set."""

    name: str
    value: str
    origin: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Which database: engine and version, where (never with a password), and how it writes."""

    engine: str
    place: str
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One background worker and when it was last heard of; `alive` within the last minute."""

    name: str
    at: datetime
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """All that the installation page tells. `key_ids` name the master key ring, the sealing key first; never keys."""

    version: str
    libraries: tuple[tuple[str, str], ...]
    data_dir: str
    url: str
    database: Database
    key_ids: tuple[str, ...]
    created_at: datetime
    default_operator: Operator | None
    second_factor: Demand
    workers: tuple[Worker, ...]
    audit_events: int
    audit_hash: str
    settings: tuple[Setting, ...]


def described(*, principal: Principal) -> Described:
    """Read it all; three queries."""
    decisions.require(principal, Action.VIEW)
    installed = Installation.objects.select_related("default_operator").get()
    moment = clock.now()
    head = AuditHead.objects.filter(pk=1).first()
    chosen = installed.default_operator
    return Described(
        version=version(),
        libraries=_libraries(),
        data_dir=str(settings.NSCWEB_DATA_DIR),
        url=settings.NSCWEB_URL,
        database=_database(),
        key_ids=secrets.key_ids(),
        created_at=installed.created_at,
        default_operator=chosen if chosen is not None and chosen.deleted_at is None else None,
        second_factor=Demand(installed.second_factor),
        workers=tuple(
            Worker(
                name=beat.name,
                at=beat.at,
                alive=(moment - beat.at).total_seconds() < WORKER_SILENT_SECONDS,
            )
            for beat in WorkerBeat.objects.order_by("-at")[:20]
        ),
        audit_events=head.seq if head else 0,
        audit_hash=head.hash if head else "",
        settings=tuple(_settings()),
    )


def choose_default_operator(*, principal: Principal, operator: Operator | None) -> None:
    """Choose which operator answers the bare `/jwt/v1` addresses; None: only when it is the only one."""
    decisions.require(principal, Action.INSTALLATION_EDIT)
    with transaction.atomic():
        installed = Installation.objects.select_for_update().get()
        if installed.default_operator_id == (operator.pk if operator else None):
            return
        if operator is not None and Operator.objects.live().filter(pk=operator.pk).first() is None:
            raise IdentityError(f"“{operator.name}” was deleted meanwhile.", field="operator")
        installed.default_operator = operator
        installed.save(update_fields=["default_operator"])
        summary = f"Chose “{operator.name}” as default operator" if operator else "Chose no default operator"
        audit.record(
            principal, Action.INSTALLATION_EDIT, [operators.target(operator)] if operator else [], summary
        )


def default_operator() -> Operator | None:
    """The chosen default operator; None when none is chosen (any more)."""
    return Operator.objects.live().filter(pk__in=Installation.objects.values("default_operator")).first()


@cache
def version() -> str:
    """The version of nscweb."""
    try:
        return metadata.version("nscweb")
    except metadata.PackageNotFoundError:
        pass
    try:
        text = (Path(settings.BASE_DIR) / "pyproject.toml").read_text(encoding="utf-8")
        return str(tomllib.loads(text)["project"]["version"])
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return "unknown"


@cache
def _libraries() -> tuple[tuple[str, str], ...]:
    found = [("Python", platform.python_version())]
    for name in _LIBRARIES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return tuple(found)


def _settings() -> Sequence[Setting]:
    rows: Callable[[], Sequence[Setting]] = getattr(settings, "SETTINGS_IN_FORCE", tuple)
    return rows()


def _database() -> Database:
    held: dict[str, Any] = connection.settings_dict
    driver: Any = connection  # what follows is known to each driver alone, and asks no query
    if connection.vendor == "sqlite":
        number = driver.Database.sqlite_version
        init = str(held.get("OPTIONS", {}).get("init_command", ""))
        journal = init.partition("journal_mode=")[2].partition(";")[0] or "default"
        return Database(engine=f"SQLite {number}", place=str(held["NAME"]), mode=f"journal {journal}")
    number = "{}.{}".format(*divmod(driver.pg_version, 10_000))
    host = held.get("HOST") or "local socket"
    port = f":{held['PORT']}" if held.get("PORT") else ""
    return Database(engine=f"PostgreSQL {number}", place=f"{host}{port}/{held['NAME']}", mode="")


def account_server_url(operator: Operator) -> str:
    """Where nats-servers fetch this operator's accounts from here (`resolver: URL(…)` adds the account's key)."""
    return f"{settings.NSCWEB_URL}/o/{operator.public_key}/jwt/v1/accounts/"


def is_loopback() -> bool:
    """True when the address that people open only works on this host, so that servers elsewhere can't use it."""
    return urlsplit(settings.NSCWEB_URL).hostname in {"localhost", "127.0.0.1", "::1"}
