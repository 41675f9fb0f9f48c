"""The servers that a delivery is for, and which of them answer now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from identities.models import ResolverKind, Server
from identities.resolver.claims_requests import ServerKey

STORES = (ResolverKind.FULL, ResolverKind.CACHE)


@dataclass(frozen=True, slots=True)
class Roster:
    """The servers of a cluster, and the ids of those that answer now."""

    servers: Sequence[Server]
    present: Collection[int]

    @property
    def here(self) -> list[Server]:
        """Those that answer now."""
        return [server for server in self.servers if server.pk in self.present]

    @property
    def away(self) -> list[Server]:
        """Those that don't."""
        return [server for server in self.servers if server.pk not in self.present]

    @property
    def full(self) -> list[Server]:
        """Those here that store accounts and can be asked for one."""
        return [server for server in self.here if server.resolver == ResolverKind.FULL]

    @property
    def rest(self) -> list[Server]:
        """Those here that can't: they tell of accounts that they have loaded."""
        return [server for server in self.here if server.resolver != ResolverKind.FULL]

    @property
    def stores(self) -> list[Server]:
        """Those here that hear what is sent to all stores at once."""
        return [server for server in self.here if server.resolver in STORES]


def key_of(server: Server) -> ServerKey:
    """What a server is called in its answers."""
    return server.name, server.nats_cluster
