"""Who is there: the servers of a cluster that answer now, and where each has its accounts from."""

from __future__ import annotations

from django.db import transaction

from identities.models import Cluster, ResolverKind, Server
from identities.resolver import messages
from identities.resolver.messages import ServerInfo
from identities.resolver.system import SystemLink
from identities.services import clock


def refresh(cluster: Cluster, link: SystemLink) -> list[Server]:
    """Ask who is there and note it; the servers that answered. Raises: Refused: the connection is gone."""
    moment = clock.now()
    seconds = link.target.request_seconds / 4
    found = link.ask(messages.of_every_server("STATSZ"), expect=0, seconds=seconds).answers
    servers = {answer.server.key: answer.server for answer in found if answer.server is not None}
    kinds = _kinds(cluster, link, len(servers))
    with transaction.atomic():
        here = [
            _note(cluster, info, kinds.get(key, ResolverKind.OTHER)) for key, info in sorted(servers.items())
        ]
        Cluster.objects.filter(pk=cluster.pk).update(checked_at=moment)
    return here


def _kinds(cluster: Cluster, link: SystemLink, servers: int) -> dict[tuple[str, str], ResolverKind]:
    """Full and cache resolvers answer LIST, full ones LOOKUP too, without their name: told only where all do."""
    stores = link.ask(messages.CLAIMS_LIST, expect=servers)
    if not stores.payloads:
        return {}
    lookup = messages.of_account(cluster.operator.system_account, "CLAIMS.LOOKUP")
    full = link.ask(lookup, expect=len(stores.payloads))
    kind = ResolverKind.CACHE if full.nobody else ResolverKind.UNKNOWN
    if len(full.payloads) == len(stores.payloads):
        kind = ResolverKind.FULL
    return {answer.server.key: kind for answer in stores.answers if answer.server is not None}


def _note(cluster: Cluster, info: ServerInfo, kind: ResolverKind) -> Server:
    seen = {
        "server_id": info.id[:56],
        "host": info.host[:255],
        "version": info.version[:64],
        "resolver": kind,
        "seen_at": clock.now(),
    }
    row, _ = Server.objects.update_or_create(
        cluster=cluster,
        name=info.name[:255],
        nats_cluster=info.cluster[:255],
        defaults=seen,
        create_defaults={**seen, "first_seen_at": clock.now()},
    )
    return row
