"""Which worker has a cluster in hand: one at a time, for as long as it says so; its fence is asked at every write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q

from identities.models import Cluster
from identities.services import clock

LEASE = timedelta(seconds=10)
"""A worker that was killed is replaced after so long; one that lives renews its lease several times within it."""


class LostCluster(Exception):
    """Another worker has taken the cluster over, or it was removed: nothing may be written about it here."""


@dataclass(frozen=True, slots=True)
class Held:
    """The right to speak with the servers of a cluster, until somebody holds a higher fence."""

    cluster: int
    fence: int


def free() -> list[int]:
    """The ids of the live clusters that no worker has in hand."""
    return list(Cluster.objects.live().filter(_free()).order_by("pk").values_list("pk", flat=True))


def take(cluster: int) -> Held | None:
    """Take a cluster in hand; None when another worker was quicker."""
    with transaction.atomic():
        rows = Cluster.objects.live().filter(_free(), pk=cluster)
        if not rows.update(fence=F("fence") + 1, lease_until=clock.now() + LEASE):
            return None
        return Held(cluster, Cluster.objects.values_list("fence", flat=True).get(pk=cluster))


def renew(held: Held) -> bool:
    """Say that the work goes on; False when the cluster is another worker's now, or was removed."""
    rows = Cluster.objects.live().filter(pk=held.cluster, fence=held.fence)
    return bool(rows.update(lease_until=clock.now() + LEASE))


def release(held: Held) -> None:
    """Give the cluster back, so that nobody has to wait for the lease to run out."""
    Cluster.objects.filter(pk=held.cluster, fence=held.fence).update(lease_until=None)


def still(held: Held) -> None:
    """Make sure, inside a transaction and until its end, that the cluster is held. Raises: LostCluster."""
    rows = Cluster.objects.live().select_for_update(no_key=True).filter(pk=held.cluster, fence=held.fence)
    if rows.values_list("pk", flat=True).first() is None:
        raise LostCluster(f"cluster {held.cluster}, fence {held.fence}")


def _free() -> Q:
    return Q(lease_until=None) | Q(lease_until__lt=clock.now())
