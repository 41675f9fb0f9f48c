"""Chooses the SQLite library and its settings.

SQLite 3.7.0 to 3.51.2 can corrupt a database in WAL mode (the WAL-reset bug, fixed in 3.51.3), and many
distributions still link such a version; the `pysqlite3` wheel bundles a newer library.
"""

from __future__ import annotations

import importlib
import sqlite3
import sys
from typing import Literal

SAFE = (3, 51, 3)

_PRAGMAS = (
    # FULL, not NORMAL: a committed revocation must survive a loss of power.
    "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-20000; PRAGMA trusted_schema=OFF"
)


_LIMITS = {"SQLITE_LIMIT_COLUMN": (2, 2000), "SQLITE_LIMIT_VARIABLE_NUMBER": (9, 32766)}
"""Number and SQLite's default of the two limits that Django 6.1 asks for. Source: sqlite3.h, sqlite.org/limits.html"""


def use_safe_library() -> None:
    """Put `pysqlite3` in the place of `sqlite3` when the linked library has the bug and the wheel has not.

    Must run before Django's SQLite backend is imported, so it is the first thing the settings do.
    """
    if sqlite3.sqlite_version_info >= SAFE:
        return
    try:
        dbapi2 = importlib.import_module("pysqlite3.dbapi2")
        package = importlib.import_module("pysqlite3")
    except ImportError:
        return
    if dbapi2.sqlite_version_info >= SAFE:
        for name, (number, _default) in _LIMITS.items():
            for module in (package, dbapi2):
                vars(module).setdefault(name, number)
        sys.modules["sqlite3"] = package
        sys.modules["sqlite3.dbapi2"] = dbapi2


def library_version() -> tuple[int, int, int]:
    """Version of the SQLite library that Django will use."""
    version: tuple[int, int, int] = importlib.import_module("sqlite3").sqlite_version_info
    return version


def wal_refusal(choice: str, version: tuple[int, int, int]) -> str | None:
    """Why the write-ahead log is not used, or None when it is. `choice` is the value of NSCWEB_SQLITE_WAL.

    Raises: ValueError for a choice other than auto, on, off.
    """
    match choice:
        case "on":
            return None
        case "off":
            return "NSCWEB_SQLITE_WAL=off"
        case "auto":
            if version >= SAFE:
                return None
            found = ".".join(map(str, version))
            return (
                f"SQLite {found} has the WAL-reset bug (fixed in 3.51.3), so the slower journal mode TRUNCATE is used. "
                "Install the pysqlite3 wheel, or set NSCWEB_SQLITE_WAL=on if your distribution has fixed it."
            )
    raise ValueError(f"NSCWEB_SQLITE_WAL: {choice!r} is none of auto, on, off.")


def options(journal: Literal["WAL", "TRUNCATE"]) -> dict[str, object]:
    """Django's OPTIONS for SQLite: IMMEDIATE transactions, because DEFERRED ones fail at once on read-then-write."""
    chosen: dict[str, object] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": f"PRAGMA journal_mode={journal}; {_PRAGMAS}",
    }
    if not hasattr(importlib.import_module("sqlite3").Connection, "getlimit"):
        chosen["factory"] = _connection_with_limits()
    return chosen


def _connection_with_limits() -> type:
    """A connection that answers `getlimit` as the standard library's does; pysqlite3 0.6 can't, Django 6.1 asks."""
    limits = dict(_LIMITS.values())

    def getlimit(_connection: object, category: int) -> int:
        return limits[category]

    return type("Connection", (importlib.import_module("sqlite3").Connection,), {"getlimit": getlimit})
