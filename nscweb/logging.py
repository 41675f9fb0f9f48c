"""Logs for people or machines, with secrets cut out as the very last step.

structlog and the standard library's loggers go through one formatter, so exception tracebacks and the lines of
libraries are redacted too.
"""

from __future__ import annotations

import logging
import logging.config
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied

from nscweb import configuration

REDACTED = "[redacted]"

_PATTERNS = (
    # a creds file or any PEM-like block, to its end line or, when that is missing, to the end of the text
    re.compile(r"-{3,}\s*BEGIN [^-\n]*-{3,}.*?(?:-{3,}\s*END [^-\n]*-{3,}|\Z)", re.DOTALL),
    # seeds: prefix S, kind, 56 more characters (nkeys: 58 characters in all); small letters give them away too
    re.compile(r"S[OAUNCX][A-Z2-7]{56}", re.IGNORECASE),
    # seeds cut short, and private keys: prefix P (nkeys: PrefixBytePrivate)
    re.compile(r"(?<![A-Z2-7])(?:S[OAUNCX][A-Z2-7]{40,}|P[A-Z2-7]{55,})", re.IGNORECASE),
    # JWTs, whole or cut short: a bearer user's JWT alone logs in
    re.compile(r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}"),
)
_literals: list[str] = []


def redact(text: str) -> str:
    """The text without seeds, private keys, JWTs, PEM-like blocks and the secrets of our own configuration."""
    for literal in _literals:
        text = text.replace(literal, REDACTED)
    for pattern in _PATTERNS:
        text = pattern.sub(REDACTED, text)
    return text


def _redact_value(value: object) -> object:
    match value:
        case str():
            return redact(value)
        case None | bool() | int() | float():
            return value
        case bytes():
            return redact(value.decode("utf-8", "replace"))
        case Mapping():
            return {redact(str(key)): _redact_value(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_redact_value(item) for item in value]
    return redact(repr(value))


def redact_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: redacts every value before it is rendered, so JSON stays JSON."""
    for key in list(event):
        event[key] = _redact_value(event[key])
    return event


def redact_line(_logger: object, _method: str, line: Any) -> str:
    """structlog processor behind the renderer: whatever still looks like a secret leaves here."""
    return redact(str(line))


class RouteForPath(logging.Filter):
    """Django's own lines name the path of a request, which may hold a one-time link: name the route instead."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place; nothing is held back."""
        request = getattr(record, "request", None)
        path = getattr(request, "path", None)
        if path and isinstance(record.args, tuple):
            match = getattr(request, "resolver_match", None)
            route = f"/{match.route}" if match is not None else "[no route]"
            record.args = tuple(route if argument == path else argument for argument in record.args)
        return True


class NoTraceback(logging.Filter):
    """Somebody was refused, which is no fault: the line stays, without the traceback that Django adds to it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place; nothing is held back."""
        if record.exc_info and isinstance(record.exc_info[1], PermissionDenied):
            record.exc_info = None
        return True


def _drop_colour_marks(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    event.pop("request", None)  # Django's records carry the request object; its repr holds the path
    event.pop("color_message", None)
    return event


def configure(*, log_format: str, level: str) -> None:
    """Set up structlog and the standard library's root logger; all lines go to standard error.

    Raises: ValueError for an unknown format or level.
    """
    if log_format not in {"console", "json"}:
        raise ValueError(f"NSCWEB_LOG_FORMAT: {log_format!r} is neither console nor json.")
    if level.upper() not in logging.getLevelNamesMapping():
        raise ValueError(f"NSCWEB_LOG_LEVEL: {level!r} is none of DEBUG, INFO, WARNING, ERROR.")
    _literals[:] = [
        value
        for setting in configuration.SETTINGS
        if setting.secret and len(value := configuration.read(setting.name)) >= 12
    ]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_plain_traceback)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), _drop_colour_marks, *shared],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            redact_event,
            renderer,
            redact_line,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in [
        each for each in root.handlers if isinstance(each, logging.StreamHandler) and each.name == "nscweb"
    ]:
        root.removeHandler(old)
    handler.name = "nscweb"
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    for name in ("django.request", "django.security.csrf"):
        logging.getLogger(name).filters = [RouteForPath(), NoTraceback()]
    # a wrong host name is the client's mistake; the line of the request itself says 400
    logging.getLogger("django.security.DisallowedHost").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _plain_traceback(sio: Any, exc_info: Any) -> None:
    structlog.dev.plain_traceback(sio, exc_info)


_announced: set[str] = set()


def announce(message: str) -> None:
    """Print a remark about the configuration on standard error, once per process and start."""
    if message not in _announced and "_NSCWEB_ANNOUNCED" not in os.environ:
        _announced.add(message)
        sys.stderr.write(f"nscweb: {message}\n")
