"""Which servers of a cluster's roster are there, as the worker last saw them."""

from __future__ import annotations

from datetime import timedelta

from identities.models import Cluster, Server

SEEN_TOGETHER = timedelta(seconds=5)
"""A server that was last seen so much earlier than another one of its cluster is away: the roster is taken every three
seconds, so it has been silent twice."""


def present(cluster: Cluster) -> list[Server]:
    """The servers that answered lately, by name; none when nobody has looked yet."""
    return split(list(cluster.servers.order_by("name", "nats_cluster")))[0]


def split(servers: list[Server]) -> tuple[list[Server], list[Server]]:
    """Servers of one cluster: those that are there, and those that are away."""
    if not servers:
        return [], []
    newest = max(server.seen_at for server in servers)
    here = [server for server in servers if server.seen_at >= newest - SEEN_TOGETHER]
    return here, [server for server in servers if server.seen_at < newest - SEEN_TOGETHER]
