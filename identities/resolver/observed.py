"""What was seen of connections, of an account's use, and of servers: plain values, without any JWT."""

from __future__ import annotations

from dataclasses import dataclass

from identities.resolver.messages import ServerInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One client: who it is by key, what it runs, where it is. Times are Unix seconds by the server's own clock.

    `issued` is the `iat` of the JWT that it logged in with, 0 when the server did not tell.
    """

    cid: int
    kind: str = ""
    user: str = ""
    account: str = ""
    issuer: str = ""
    issued: int = 0
    name: str = ""
    language: str = ""
    version: str = ""
    address: str = ""
    since: float = 0.0
    idle: str = ""
    rtt: str = ""
    pending: int = 0
    subscriptions: int = 0
    in_messages: int = 0
    in_bytes: int = 0
    out_messages: int = 0
    out_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One server's connections, as asked for: `total` may be more than are here, and `problem` says why a list
    that was to be whole is not. `now` is the server's clock.
    """

    server: ServerInfo
    connections: tuple[Connection, ...] = ()
    total: int = 0
    now: float = 0.0
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an account uses on one server."""

    server: ServerInfo
    connections: int = 0
    leaf_nodes: int = 0
    subscriptions: int = 0
    in_messages: int = 0
    in_bytes: int = 0
    out_messages: int = 0
    out_bytes: int = 0
    slow: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TierUse:
    """What an account's streams use: `tier` is R1, R3 …; bytes are those of one replica."""

    tier: str
    memory: int = 0
    disk: int = 0
    streams: int = 0
    consumers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What one server holds of an account that it has loaded. `complete` is false when an import does not work."""

    server: ServerInfo
    expired: bool = False
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSeen:
    """An operator JWT that a server runs with; Unix seconds, `expires` 0 for never."""

    key: str
    issued: int = 0
    expires: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """What one server tells of itself."""

    server: ServerInfo
    started: float = 0.0
    now: float = 0.0
    connections: int = 0
    subscriptions: int = 0
    routes: int = 0
    leaf_nodes: int = 0
    slow: int = 0
    in_messages: int = 0
    in_bytes: int = 0
    out_messages: int = 0
    out_bytes: int = 0
    memory: int = 0
    cpu: float = 0.0
    jetstream: bool = False
    js_memory: int = 0
    js_disk: int = 0
    operators: tuple[OperatorSeen, ...] = ()
