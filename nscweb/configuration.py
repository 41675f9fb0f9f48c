"""Every environment name that nscweb reads: default, meaning, and who set it.

`nscweb/settings.py` and `nscweb/serve.py` read no other name, `docs/configuration.md` documents exactly these, the
installation page shows them, and an unknown `NSCWEB_…` name is reported at start. This module imports no Django.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

BASE_DIR = Path(__file__).resolve().parent.parent

Origin = Literal["environment", "file", "default"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One environment name. `secret` values are never shown; they may also be given as `<name>_FILE`."""

    name: str
    default: str
    help: str
    secret: bool = False
    only: str = ""
    """Where it is read when the server itself does not: "tests" or "demo"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the installation page shows of one setting; `value` is "set" or "not set" for a secret."""

    name: str
    value: str
    origin: Origin
    help: str


SETTINGS: tuple[Setting, ...] = (
    Setting(name="PORT", default="8000", help="Port that `make run` listens on."),
    Setting(
        name="DATABASE_URL",
        default="sqlite:///<data directory>/nscweb.sqlite3",
        help="Database: SQLite on one host, or `postgres://user:password@host:5432/name` (PostgreSQL 15 or newer).",
        secret=True,
    ),
    Setting(
        name="NSCWEB_DATA_DIR",
        default="var",
        help="Directory of the SQLite file, the generated keys and the collected static files.",
    ),
    Setting(
        name="NSCWEB_URL",
        default="http://localhost:<PORT>",
        help="Address people open. https turns on `__Host-` cookies, HSTS and the redirect to https; "
        "plain http is accepted for a loopback name only.",
    ),
    Setting(
        name="NSCWEB_ALLOWED_HOSTS",
        default="",
        help="Further host names, separated by commas, that this server answers to.",
    ),
    Setting(
        name="NSCWEB_HOST",
        default="127.0.0.1",
        help="Address to listen on. Anything but loopback needs an https `NSCWEB_URL`.",
    ),
    Setting(name="NSCWEB_WORKERS", default="2", help="Number of web worker processes."),
    Setting(
        name="NSCWEB_TRUSTED_PROXIES",
        default="0",
        help="Number of reverse proxies in front whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.",
    ),
    Setting(
        name="NSCWEB_ALLOW_LOOPBACK_SERVERS",
        default="auto",
        help="Whether clusters and client tests may lead to nats-servers, and activation tokens be fetched, on this "
        "machine itself (loopback): `true`, `false`, or `auto`, which allows it while `NSCWEB_URL` is a loopback "
        "address, as under `make run`.",
    ),
    Setting(
        name="NSCWEB_MASTER_KEY",
        default="a key file in the data directory, made at the first start",
        help="Key ring that seals the seeds: `id:base64`, comma separated, the first one seals new secrets.",
        secret=True,
    ),
    Setting(
        name="NSCWEB_SECRET_KEY",
        default="a key file in the data directory, made at the first start",
        help="Key that signs sessions and form tokens.",
        secret=True,
    ),
    Setting(
        name="NSCWEB_BACKUP_KEY",
        default="",
        help="Key that seals backups: 32 bytes in base64 (`manage.py backup --new-key FILE` makes one). "
        "Never the master key.",
        secret=True,
    ),
    Setting(
        name="NSCWEB_EMAIL_URL",
        default="",
        help="Mail server: `smtp+tls://user:password@mail.example.com:587`, `smtp+ssl://…` or `smtp://…`. It "
        "carries links for new passwords, warnings before something expires, and what waits for somebody. Without it "
        "no mail is sent, and links are handed over by people.",
        secret=True,
    ),
    Setting(
        name="NSCWEB_EMAIL_FROM",
        default="nscweb@<host of NSCWEB_URL>",
        help="Address that mail comes from.",
    ),
    Setting(
        name="NSCWEB_METRICS_TOKEN",
        default="",
        help="Bearer token that opens `/metrics` to other hosts; without it only loopback may read it.",
        secret=True,
    ),
    Setting(name="NSCWEB_LOG_FORMAT", default="console", help="`console` for people or `json` for machines."),
    Setting(name="NSCWEB_LOG_LEVEL", default="INFO", help="DEBUG, INFO, WARNING or ERROR."),
    Setting(
        name="NSCWEB_SESSION_HOURS",
        default="12",
        help="Hours after sign-in at which a session ends by itself.",
    ),
    Setting(
        name="NSCWEB_SESSION_IDLE_MINUTES",
        default="60",
        help="Minutes without a request after which a session ends by itself; at least 2.",
    ),
    Setting(
        name="NSCWEB_COMPARE_MINUTES",
        default="15",
        help="How often the worker compares what servers hold with what they are to hold; `0`: only when asked.",
    ),
    Setting(
        name="NSCWEB_EVENTS_KEPT",
        default="20000",
        help="Events of clients (logins refused, connections that came and went) kept of each cluster.",
    ),
    Setting(name="NSCWEB_EVENT_DAYS", default="14", help="Days after which such an event is deleted."),
    Setting(
        name="NSCWEB_SQLITE_WAL",
        default="auto",
        help="`auto` uses the write-ahead log only with an SQLite library without the WAL-reset bug (3.51.3 or "
        "newer); `on` says that your distribution has fixed an older one; `off` never uses it.",
    ),
    Setting(name="NSCWEB_DEBUG", default="false", help="Django's debug pages. For development only."),
    Setting(
        name="NSCWEB_TEST_FULL",
        default="false",
        help="Tests run with the counts named in the specification instead of reduced ones (`make test-full`).",
        only="tests",
    ),
    Setting(
        name="NSCWEB_TEST_SEED",
        default="1",
        help="What generated cases are made from: the same ones in every run, or new ones in each (`random`, "
        "`make explore`). A failed test prints the number that makes its cases again.",
        only="tests",
    ),
    Setting(
        name="NSCWEB_TEST_NO_SKIPS",
        default="false",
        help="A skipped test fails the run (`.ci/run`).",
        only="tests",
    ),
    Setting(
        name="NSCWEB_TEST_CHROMIUM",
        default="chromium on the search path",
        help="Path of the browser for the browser tests.",
        only="tests",
    ),
    Setting(
        name="NSCWEB_TEST_OLD_NATS_SERVER",
        default="/usr/sbin/nats-server",
        help="Path of a nats-server before 2.10 (Debian 12 has 2.9), for the tests with an old server.",
        only="tests",
    ),
)

_BY_NAME = {setting.name: setting for setting in SETTINGS}
_FILE_SUFFIX = "_FILE"


def names() -> frozenset[str]:
    """Every name that may be set, `_FILE` variants included."""
    files = {setting.name + _FILE_SUFFIX for setting in SETTINGS if setting.secret}
    return frozenset(_BY_NAME) | files


def unknown_names(environ: Mapping[str, str] | None = None) -> list[str]:
    """Names that begin with `NSCWEB_` and that nothing reads, sorted."""
    given = os.environ if environ is None else environ
    return sorted(name for name in given if name.startswith("NSCWEB_") and name not in names())


def unknown_name_message(name: str) -> str:
    """A sentence about an unknown name, with the nearest known one."""
    near = get_close_matches(name, names(), n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"{name} is set in the environment, but nscweb knows no such setting.{hint}"


def read(name: str, environ: Mapping[str, str] | None = None) -> str:
    """The text of one setting, "" when it is not set; blanks and the newline at the end of a `_FILE` are cut off.

    Raises: KeyError for a name missing in `SETTINGS`, OSError when the named file can't be read.
    """
    given = os.environ if environ is None else environ
    setting = _BY_NAME[name]
    if value := given.get(name, "").strip():
        return value
    if setting.secret and (path := given.get(name + _FILE_SUFFIX, "").strip()):
        return Path(path).read_text(encoding="utf-8").strip()
    return ""


def origin(name: str, environ: Mapping[str, str] | None = None) -> Origin:
    """Who set the value that is in force."""
    given = os.environ if environ is None else environ
    if given.get(name, "").strip():
        return "environment"
    if _BY_NAME[name].secret and given.get(name + _FILE_SUFFIX, "").strip():
        return "file"
    return "default"


def rows(environ: Mapping[str, str] | None = None) -> list[Row]:
    """All settings of the server for the installation page; of a secret only whether it is set."""
    return [_row(setting, environ) for setting in SETTINGS if not setting.only]


def _row(setting: Setting, environ: Mapping[str, str] | None) -> Row:
    given = os.environ if environ is None else environ
    by = origin(setting.name, environ)
    if by == "default":
        value = _IN_FORCE[setting.name](environ) if setting.name in _IN_FORCE else setting.default
    elif setting.secret:
        value = "set"
    else:
        value = given[setting.name].strip()
    return Row(name=setting.name, value=value, origin=by, help=setting.help)


def flag(name: str, environ: Mapping[str, str] | None = None) -> bool:
    """A setting as yes or no.

    Raises: ValueError for a text that is neither.
    """
    text = (read(name, environ) or _BY_NAME[name].default).lower()
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off"}:
        return False
    raise ValueError(f"{name}: {text!r} is neither true nor false. Write true or false.")


def integer(name: str, *, minimum: int = 0, environ: Mapping[str, str] | None = None) -> int:
    """A setting as a whole number.

    Raises: ValueError for another text or a number below `minimum`.
    """
    text = read(name, environ) or _BY_NAME[name].default
    try:
        number = int(text)
    except ValueError:
        raise ValueError(f"{name}: {text!r} is not a whole number.") from None
    if number < minimum:
        raise ValueError(f"{name}: {number} is below {minimum}.")
    return number


def data_dir(environ: Mapping[str, str] | None = None) -> Path:
    """The data directory as an absolute path; a relative one counts from the project."""
    return (BASE_DIR / (read("NSCWEB_DATA_DIR", environ) or _BY_NAME["NSCWEB_DATA_DIR"].default)).resolve()


def url(environ: Mapping[str, str] | None = None) -> str:
    """The address people open, without a slash at the end."""
    port = read("PORT", environ) or _BY_NAME["PORT"].default
    return (read("NSCWEB_URL", environ) or f"http://localhost:{port}").rstrip("/")


_IN_FORCE: Mapping[str, Callable[[Mapping[str, str] | None], str]] = {
    "DATABASE_URL": lambda environ: f"sqlite:///{data_dir(environ)}/nscweb.sqlite3",
    "NSCWEB_DATA_DIR": lambda environ: str(data_dir(environ)),
    "NSCWEB_URL": url,
}
"""Defaults that depend on other settings, as they come out."""
