"""The words of a nats-server configuration: nsc's templates, quoting that nothing can break out of."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from identities.formats.errors import FormatError, shown

if TYPE_CHECKING:  # server_config checks, this module writes
    from identities.formats.server_config import Preload, ServerConfig

_FULL_HEAD = """# configuration of the nats based resolver
resolver {
    type: full
    # Directory in which the account jwt will be stored
    dir: %(dir)s
    # In order to support jwt deletion, set to true
    # If the resolver type is full delete will rename the jwt.
    # This is to allow manual restoration in case of inadvertent deletion.
    # To restore a jwt, remove the added suffix .delete and restart or send a reload signal.
    # To free up storage you must manually delete files with the suffix .delete.
    allow_delete: %(allow_delete)s
    # Interval at which a nats-server with a nats based account resolver will compare
    # it's state with one random nats based account resolver in the cluster and if needed,\x20
    # exchange jwt and converge on the same set of jwt.
    interval: "%(interval)s"
%(limit)s    # Timeout for lookup requests in case an account does not exist locally.
    timeout: "%(timeout)s"
}

"""
_CACHE_HEAD = """# configuration of the nats based cache resolver
resolver {
    type: cache
    # Directory in which the account jwt will be stored
    dir: %(dir)s
    # ttl after which the file will be removed from the cache. Set to a large value in order to disable.
    ttl: "%(ttl)s"
%(limit)s    # Timeout for lookup requests in case an account does not exist locally.
    timeout: "%(timeout)s"
}

"""
_SYSTEM_ONLY = """
# Preload the nats based resolver with the system account jwt.
# This is not necessary but avoids a bootstrapping system account.\x20
# This only applies to the system account. Therefore other account jwt are not included here.
# To populate the resolver:
# 1) make sure that your operator has the account server URL pointing at your nats servers.
#    The url must start with: "nats://"\x20
#    nsc edit operator --account-jwt-server-url nats://localhost:4222
# 2) push your accounts using: nsc push --all
#    The argument to push -u is optional if your account server url is set as described.
# 3) to prune accounts use: nsc push --prune\x20
#    In order to enable prune you must set above allow_delete to true
# Later changes to the system account take precedence over the system account jwt listed here.
"""
_ALL = """
# Preload the nats based resolver with all account jwt, the system account's included.
# Later changes to an account take precedence over its jwt listed here.
"""


def memory(config: ServerConfig, preload: Sequence[Preload]) -> str:
    """The MEMORY resolver's file. Source: nsc `memresolverconfigbuilder.go`."""
    accounts = "".join(
        f'  // Account "{comment(account.name)}"\n  {account.key}: {account.jwt}\n\n' for account in preload
    )
    return f"{_head(config)}resolver: MEMORY\n\nresolver_preload: {{\n{accounts}}}\n"


def url(config: ServerConfig) -> str:
    """The URL resolver's file; its address was checked to hold no quote and no blank."""
    return f'{_head(config)}resolver: URL("{config.url}")\n'


def _head(config: ServerConfig) -> str:
    system = f"system_account: {config.system_account}\n\n" if config.system_account else ""
    return f'// Operator "{comment(config.operator_name)}"\noperator: {_operator(config)}\n\n{system}'


def nats(config: ServerConfig, preload: Sequence[Preload]) -> str:
    """The NATS resolver's file, full or cache. Source: nsc `natsresolverconfigbuilder.go`."""
    system_name = next(account.name for account in preload if account.key == config.system_account)
    values = {
        "dir": quoted(config.dir or "./jwt", field="dir"),
        "allow_delete": "true" if config.allow_delete else "false",
        "interval": config.interval or "2m",
        "ttl": config.ttl or "1h",
        "timeout": config.timeout or "1.9s",
        "limit": ""
        if config.limit is None
        else f"    # The number of account jwt that are stored at most.\n    limit: {config.limit}\n",
    }
    return "".join(
        (
            f"# Operator named {comment(config.operator_name)}\noperator: {_operator(config)}\n",
            f"# System Account named {comment(system_name)}\nsystem_account: {config.system_account}\n\n",
            (_FULL_HEAD if config.resolver == "full" else _CACHE_HEAD) % values,
            _SYSTEM_ONLY if len(preload) == 1 else _ALL,
            "resolver_preload: {\n",
            *(f"\t{account.key}: {account.jwt},\n" for account in preload),
            "}\n\n",
        )
    )


def _operator(config: ServerConfig) -> str:
    """The operator, or a list of those that the server trusts, the present one last."""
    own = quoted(config.operator_path, field="operator_path") if config.operator_path else config.operator_jwt
    if not config.also_trusted:
        return own
    return "".join(("[\n", *(f"  {jwt},\n" for jwt in config.also_trusted), f"  {own}\n]"))


def comment(name: str) -> str:
    """A name for a comment line: whatever could end the line is replaced."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _ends_lines(char) else char for char in name)


def _ends_lines(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def quoted(path: str, *, field: str) -> str:
    """A path as a quoted string: single quotes take everything as it is, double quotes know backslash escapes.

    Raises: FormatError. Source: nats-server `conf/lex.go lexQuotedString, lexDubQuotedString`.
    """
    if any(_ends_lines(char) for char in path):
        raise FormatError(f"{shown(path)} holds a control character. Write a plain path.", field=field)
    if "'" not in path:
        return f"'{path}'"
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
