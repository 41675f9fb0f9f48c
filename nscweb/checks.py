"""System checks: what an administrator should be told about the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

from nscweb import configuration

_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "glusterfs", "ceph"}
)


@checks.register
def unknown_environment_names(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Warn about each `NSCWEB_…` name that nothing reads."""
    return [
        checks.Warning(configuration.unknown_name_message(name), id="nscweb.W001")
        for name in configuration.unknown_names()
    ]


@checks.register
def sqlite_on_a_network_file_system(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Refuse an SQLite file where file locks can't be relied on."""
    database = settings.DATABASES["default"]
    if database["ENGINE"] != "django.db.backends.sqlite3":
        return []
    kind = file_system(Path(str(database["NAME"])))
    if kind not in _NETWORK_FILE_SYSTEMS:
        return []
    return [
        checks.Error(
            f"The SQLite database {database['NAME']} lies on a network file system ({kind}), whose locks are not safe.",
            hint="Move NSCWEB_DATA_DIR to a local disk, or use PostgreSQL by DATABASE_URL.",
            id="nscweb.E001",
        )
    ]


def file_system(path: Path, mounts: str | None = None) -> str:
    """The type of the file system that holds `path`, "" when it can't be known. Source: proc(5), /proc/mounts."""
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
    best = ("", "")
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) >= 3 and path.is_relative_to(fields[1]) and len(fields[1]) >= len(best[0]):
            best = (fields[1], fields[2])
    return best[1]


@checks.register(checks.Tags.security, deploy=True)
def https_without_a_proxy(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Warn when nobody can tell us that a request came by https: every page would redirect to itself."""
    if settings.HTTPS and not settings.TRUSTED_PROXIES:
        return [
            checks.Warning(
                "NSCWEB_URL is https, but NSCWEB_TRUSTED_PROXIES is 0, so X-Forwarded-Proto is not believed.",
                hint="Set NSCWEB_TRUSTED_PROXIES to the number of proxies in front (usually 1).",
                id="nscweb.W002",
            )
        ]
    return []
