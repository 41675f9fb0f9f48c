"""Drift: what every server of a cluster holds of every account, beside what it is to hold; seen, judged, kept.

Nothing is changed on a server here. What can't be told apart is unknown, never equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from django.db import transaction

from identities.claims import holdings as judging
from identities.claims.holdings import Judged, Seen
from identities.models import Account, Cluster, Holding, HoldingState, Server
from identities.resolver import holdings
from identities.resolver.holdings import Held, Observed
from identities.resolver.system import SystemLink
from identities.services import clock

BATCH = 500
Wanted = Mapping[str, str]
"""The JWT that an account is to have, by its key."""


def compare(cluster: Cluster, link: SystemLink) -> Counter[str]:
    """Compare all accounts of the cluster's operator with what its servers hold, and keep what was found.

    Returns: how many holdings are in which state, over all servers that answered.
    Raises: Refused: the connection is gone.
    """
    wanted = wanted_of(cluster)
    return keep(cluster, wanted, holdings.observe(link, wanted))


def wanted_of(cluster: Cluster) -> dict[str, str]:
    """The current JWT of every live account of the operator."""
    rows = Account.objects.live().filter(operator=cluster.operator_id, token__isnull=False)
    return dict(rows.values_list("public_key", "token__text"))


def keep(cluster: Cluster, wanted: Wanted, observed: Observed) -> Counter[str]:
    """Write what was seen, one row an account and server, in few statements; a row that says the same stays."""
    now = clock.unix()
    counts: Counter[str] = Counter()
    with transaction.atomic():
        servers = _servers(cluster, observed)
        for key, held in observed.servers.items():
            judged = {
                account: judging.judge(wanted.get(account), _seen(held, account), now=now)
                for account in {*wanted, *(held.listed or ()), *held.texts}
            }
            counts.update(one.state.value for one in judged.values())
            _write(servers[key], judged)
        Cluster.objects.filter(pk=cluster.pk).update(compared_at=clock.at(now))
    return counts


def _seen(held: Held, account: str) -> Seen:
    return Seen(
        listed=None if held.listed is None else account in held.listed,
        text=held.texts.get(account),
        unloaded=account in held.unloaded,
    )


def _servers(cluster: Cluster, observed: Observed) -> dict[tuple[str, str], Server]:
    rows = {(row.name, row.nats_cluster): row for row in Server.objects.filter(cluster=cluster)}
    moment = clock.now()
    for key, held in observed.servers.items():
        if key not in rows:
            rows[key] = Server.objects.create(
                cluster=cluster,
                name=held.server.name,
                nats_cluster=held.server.cluster,
                server_id=held.server.id,
                host=held.server.host,
                version=held.server.version,
                first_seen_at=moment,
                seen_at=moment,
            )
    return rows


def _write(server: Server, judged: Mapping[str, Judged]) -> None:
    moment = clock.now()
    fields = ("account_key", "state", "digest", "iat")
    before = {key: rest for key, *rest in Holding.objects.filter(server=server).values_list(*fields)}
    changed = [
        Holding(
            server=server,
            account_key=account,
            state=HoldingState(one.state.value),
            digest=one.digest,
            jti=one.jti,
            iat=one.iat,
            at=moment,
        )
        for account, one in judged.items()
        if before.get(account) != [one.state.value, one.digest, one.iat]
    ]
    Holding.objects.bulk_create(
        changed,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["server", "account_key"],
        update_fields=["state", "digest", "jti", "iat", "said", "at"],
    )
    _forget(server, before.keys() - judged.keys())


def _forget(server: Server, accounts: Iterable[str]) -> None:
    gone = sorted(accounts)
    for start in range(0, len(gone), BATCH):
        Holding.objects.filter(server=server, account_key__in=gone[start : start + BATCH]).delete()
