"""A nats-server's operator and resolver configuration, in nsc's own words where nsc can write it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from identities.formats import config_text
from identities.formats.durations import parse_duration
from identities.formats.errors import FormatError, shown
from identities.nkeys import KeyKind, is_public

_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_URL = re.compile(r"https?://[A-Za-z0-9\-._~:\[\]@/%?=&+]+", re.ASCII)


class Resolver(StrEnum):
    """Where a nats-server takes account JWTs from."""

    MEMORY = "memory"
    URL = "url"
    FULL = "full"
    CACHE = "cache"


class Preload(NamedTuple):
    """One account that the configuration itself carries."""

    name: str
    key: str
    jwt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """What to write. Empty and None mean nsc's own value for that resolver (or the server's, where nsc has none).

    `operator_path` is written instead of the JWT; `also_trusted` are JWTs of operators that the server trusts besides,
    such as the same operator under the key that it had before; `system_account` is an account's public key; `preload`
    holds all accounts, or the system account alone. Durations are Go texts (`2m`).
    """

    resolver: Resolver
    operator_name: str
    operator_jwt: str
    operator_path: str = ""
    also_trusted: Sequence[str] = ()
    system_account: str = ""
    preload: Sequence[Preload | tuple[str, str, str]] = ()
    dir: str = ""
    allow_delete: bool | None = None
    interval: str = ""
    limit: int | None = None
    timeout: str = ""
    ttl: str = ""
    url: str = ""


_ALLOWED = {
    Resolver.MEMORY: frozenset[str](),
    Resolver.URL: frozenset({"url"}),
    Resolver.FULL: frozenset({"dir", "allow_delete", "interval", "limit", "timeout"}),
    Resolver.CACHE: frozenset({"dir", "limit", "timeout", "ttl"}),
}
_OPTIONS = ("dir", "allow_delete", "interval", "limit", "timeout", "ttl", "url")
_LABELS = {Resolver.MEMORY: "MEMORY", Resolver.URL: "URL", Resolver.FULL: "full", Resolver.CACHE: "cache"}


def render(config: ServerConfig) -> str:
    """Write the configuration file's text, byte for byte as nsc does for what nsc offers.

    Raises: FormatError, with the option at fault as `field`.
    Source: nsc `memresolverconfigbuilder.go`, `natsresolverconfigbuilder.go`; nats-server `opts.go`; nats-jwt.md §5.
    """
    check(config)
    preload = sorted((Preload(*account) for account in config.preload), key=lambda account: account.key)
    if config.resolver is Resolver.MEMORY:
        return config_text.memory(config, preload)
    if config.resolver is Resolver.URL:
        return config_text.url(config)
    return config_text.nats(config, preload)


def check(config: ServerConfig) -> None:
    """Refuse what the server would refuse or silently misread. Raises: FormatError."""
    _check_operator(config)
    _check_options(config)
    _check_preload(config)


def _check_operator(config: ServerConfig) -> None:
    if config.operator_path:
        config_text.quoted(config.operator_path, field="operator_path")
    elif _JWT.fullmatch(config.operator_jwt) is None:
        raise FormatError(
            "The operator's JWT is missing or damaged. Give the JWT, or a path to it.", field="operator"
        )
    if not all(map(_JWT.fullmatch, config.also_trusted)):
        raise FormatError(
            "The JWT of an operator to trust besides is missing or damaged. Leave it out.",
            field="also_trusted",
        )
    if config.system_account and not is_public(config.system_account, KeyKind.ACCOUNT):
        raise FormatError(
            f"{shown(config.system_account)} is no account's public key (56 characters, starting with A).",
            field="system_account",
        )


def _check_options(config: ServerConfig) -> None:
    label = _LABELS[config.resolver]
    for option in _OPTIONS:
        value = getattr(config, option)
        if value not in ("", None) and option not in _ALLOWED[config.resolver]:
            raise FormatError(f"The {label} resolver accepts no {option}. Leave it out.", field=option)
    if config.resolver is Resolver.URL and _URL.fullmatch(config.url) is None:
        raise FormatError(
            f"{shown(config.url)} is no address of an account server. Write one that starts with http:// or https://, "
            "such as https://nsc.example.com/jwt/v1/accounts/.",
            field="url",
        )
    if config.dir:
        config_text.quoted(config.dir, field="dir")
    for option in ("interval", "timeout", "ttl"):
        text: str = getattr(config, option)
        if text and parse_duration(text, field=option) <= 0:
            raise FormatError(
                f"{option} is {shown(text)}; it must be longer than nothing, such as 2m.", field=option
            )
    if config.limit is not None and config.limit < 1:
        raise FormatError(
            f"limit is {config.limit}; it must be at least 1. Leave it out for no limit.", field="limit"
        )


def _check_preload(config: ServerConfig) -> None:
    label = _LABELS[config.resolver]
    if config.resolver is Resolver.URL:
        if config.preload:
            raise FormatError(
                "The URL resolver takes no preload: it asks the account server.", field="preload"
            )
        return
    keys = set()
    for _name, key, jwt in config.preload:
        if not is_public(key, KeyKind.ACCOUNT) or _JWT.fullmatch(jwt) is None:
            raise FormatError(f"{shown(key)} can't be preloaded: its key or JWT is damaged.", field="preload")
        keys.add(key)
    if len(keys) != len(config.preload):
        raise FormatError("An account is preloaded twice. Name each account once.", field="preload")
    if config.resolver is Resolver.MEMORY and not keys:
        raise FormatError(
            "The MEMORY resolver knows only the accounts in the file, and the operator has none. Create one first.",
            field="preload",
        )
    if config.resolver is not Resolver.MEMORY and not config.system_account:
        raise FormatError(
            f"The {label} resolver needs a system account, and none is chosen. "
            "Give the operator one on its page, or use the MEMORY or URL resolver.",
            field="system_account",
        )
    if config.system_account and config.system_account not in keys:
        raise FormatError(
            f"The {label} resolver must preload the system account {config.system_account}, "
            "or the server does not start. Add it to the preload.",
            field="preload",
        )
    if config.limit is not None and config.limit < len(keys):
        raise FormatError(
            f"limit is {config.limit}, but {len(keys)} accounts are preloaded. Raise the limit.",
            field="limit",
        )
