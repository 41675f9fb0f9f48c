"""The log of client events: the worker hears them, keeps them in a bounded queue, and writes them in batches.

A flood costs a count, not memory: what does not fit is dropped, and the log says how many. JWTs are dropped when a
message is read.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from django.conf import settings

from identities.models import Cluster, EventKind, ServerEvent
from identities.resolver import client_events
from identities.resolver.client_events import ClientEvent, What
from identities.resolver.connection import Refused
from identities.services import clock

QUEUE = 2000
"""Events that wait for being written."""
BATCH = 500
OFTEN = 1000
"""After so many rows it is looked for too many."""
_FAR = timedelta(hours=1)
log = structlog.get_logger("identities.event_log")
_KINDS = {
    What.CONNECTED: EventKind.CONNECTED,
    What.DISCONNECTED: EventKind.DISCONNECTED,
    What.REFUSED: EventKind.AUTH_FAILED,
}


class Heard(Protocol):
    """What events are heard from: a `SystemLink`."""

    def listen(self, subjects: Iterable[str], on_message: Callable[[str, bytes], None]) -> None:
        """Hear everything on `subjects`."""


class Collector:
    """The events of one cluster, between the link's thread, which hears them, and the worker, which writes them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster.pk
        self._own = cluster.user.public_key if cluster.user is not None else ""
        self._waiting: deque[ClientEvent] = deque()
        self._lost = self._written = 0
        self._lock = threading.Lock()

    def hear(self, subject: str, payload: bytes) -> None:
        """Take one message; called in the link's thread."""
        event = client_events.read(subject, payload)
        if event is None or (event.user and event.user == self._own):  # our own coming and going
            return
        with self._lock:
            if len(self._waiting) >= QUEUE:
                self._lost += 1
            else:
                self._waiting.append(event)

    def store(self) -> int:
        """Write what waits, `BATCH` rows at most, and how much was lost; how many rows that were."""
        with self._lock:
            taken = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            lost, self._lost = self._lost, 0
        if not taken and not lost:
            return 0
        moment = clock.now()
        rows = [self._row(event, moment) for event in taken]
        if lost:
            rows.append(
                ServerEvent(
                    cluster_id=self._cluster, kind=EventKind.LOST, server="", reason=str(lost), at=moment
                )
            )
        ServerEvent.objects.bulk_create(rows)
        self._written += len(rows)
        if self._written >= OFTEN:
            self._written = 0
            prune_count(self._cluster)
        return len(rows)

    def _row(self, event: ClientEvent, moment: datetime) -> ServerEvent:
        at = clock.at(int(event.at)) if event.at else moment
        return ServerEvent(
            cluster_id=self._cluster,
            kind=_KINDS[event.what],
            server=event.server,
            account_key=event.account,
            user_key=event.user,
            name=event.name,
            client=event.client,
            address=event.address,
            reason=event.reason,
            issued=event.issued,
            expires=event.expires,
            not_before=event.not_before,
            at=at if abs(at - moment) < _FAR else moment,
        )


def collect(cluster: Cluster, link: Heard) -> Collector:
    """Begin to hear a cluster's events; whoever holds the link calls `store` every second or so.

    Where the system user may not hear them, nothing is heard, and everything else goes on.
    """
    collector = Collector(cluster)
    try:
        link.listen(client_events.SUBJECTS, collector.hear)
    except Refused as refused:
        log.warning("events are not heard", cluster=cluster.pk, reason=refused.said)
    return collector


def prune() -> int:
    """Delete the events that are too old, and of each cluster those that are too many; how many they were."""
    oldest = clock.now() - timedelta(days=settings.NSCWEB_EVENT_DAYS)
    gone = ServerEvent.objects.filter(at__lt=oldest).delete()[0]
    return gone + sum(prune_count(pk) for pk in Cluster.objects.values_list("pk", flat=True))


def prune_count(cluster: int) -> int:
    """Delete the oldest events of a cluster that has too many; how many they were."""
    rows = ServerEvent.objects.filter(cluster_id=cluster)
    kept = settings.NSCWEB_EVENTS_KEPT
    first = rows.order_by("-at", "-pk").values_list("at", flat=True)[kept : kept + 1]
    return rows.filter(at__lte=first[0]).delete()[0] if first else 0
