"""Values for the official NATS Helm chart: operator, system account, resolver and accounts of a nats-server.

The chart turns `config.merge` into the server's configuration as it stands, and `config.resolver` into its `resolver`
block with a volume of its own. Source: nats-io/k8s `helm/charts/nats/values.yaml` (chart 1.x, 2.x);
peers-and-pains.md (c).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from identities.formats import server_config
from identities.formats.server_config import Preload, Resolver, ServerConfig

FILE_NAME = "values.yaml"
DIR = "/data/resolver"
"""Where the chart mounts the resolver's volume."""
_INTERVAL = "2m"
_TIMEOUT = "1.9s"
_TTL = "1h"


def render(config: ServerConfig) -> str:
    """The values file's text, for `helm install -f`. Every text is quoted as in JSON, which is YAML too.

    A file for the operator's JWT makes no sense in a pod: the JWT stands in the values. `dir` is where the chart mounts
    its volume. Raises: FormatError, with the option at fault as `field`.
    """
    server_config.check(config)
    preload = sorted((Preload(*account) for account in config.preload), key=lambda account: account.key)
    operator: object = config.operator_jwt
    if config.also_trusted:
        operator = [config.operator_jwt, *config.also_trusted]
    merge: dict[str, Any] = {"operator": operator}
    if config.system_account:
        merge["system_account"] = config.system_account
    values: dict[str, Any] = {}
    if config.resolver in (Resolver.FULL, Resolver.CACHE):
        values["resolver"] = {"enabled": True, "dir": DIR, "merge": _resolver(config)}
    else:
        merge["resolver"] = f"URL({config.url})" if config.resolver is Resolver.URL else "MEMORY"
    if preload:
        merge["resolver_preload"] = {account.key: account.jwt for account in preload}
    values["merge"] = merge
    names = {account.key: account.name for account in preload}
    head = f"# nats-servers of operator {_quoted(config.operator_name)}, for the chart nats/nats"
    return "\n".join([head, "config:", *_lines(values, names, 1), ""])


def _resolver(config: ServerConfig) -> dict[str, Any]:
    options: dict[str, Any] = {"type": config.resolver.value}
    if config.resolver is Resolver.FULL:
        options["allow_delete"] = bool(config.allow_delete)
        options["interval"] = config.interval or _INTERVAL
    else:
        options["ttl"] = config.ttl or _TTL
    if config.limit is not None:
        options["limit"] = config.limit
    options["timeout"] = config.timeout or _TIMEOUT
    return options


def _lines(values: Mapping[str, Any], names: Mapping[str, str], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for key, value in values.items():
        if key in names:
            yield f"{indent}# {_quoted(names[key])}"
        if isinstance(value, Mapping):
            yield f"{indent}{key}:"
            yield from _lines(value, names, depth + 1)
        elif isinstance(value, list):
            yield f"{indent}{key}:"
            yield from (f"{indent}  - {_quoted(item)}" for item in value)
        else:
            yield f"{indent}{key}: {_quoted(value)}"


def _quoted(value: object) -> str:
    """As in JSON; what YAML takes for the end of a line, or does not print, is written as its number."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
