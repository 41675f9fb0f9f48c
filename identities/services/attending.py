"""Keeps a connection to every live cluster, and brings it what waits: one worker a cluster, another when it dies.

A thread for each cluster that this worker has in hand; one more takes clusters that nobody has, and says for all of
them that the work goes on. A cluster that is down is tried again after a while that grows, and keeps nobody waiting.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.db.models import Q

from identities.errors import IdentityError
from identities.models import Cluster, ClusterState, Delivery, Server
from identities.resolver.system import SystemLink
from identities.services import (
    clock,
    delivering,
    drifting,
    event_log,
    leases,
    links,
    live,
    outbox,
    roster,
    secrets,
)
from identities.services.delivering_roster import Roster
from identities.services.leases import Held, LostCluster

LOOK_SECONDS = 0.3
ROSTER_SECONDS = 3.0
AGAIN_SECONDS = 60.0
"""How often what a server did not tell of itself is asked again."""
TEND_SECONDS = 1.0
LONGEST_PAUSE = 30.0

log = structlog.get_logger("identities.attending")


@dataclass(slots=True)
class Attendant:
    """One cluster in hand: `stop` ends the work on it."""

    held: Held
    stop: threading.Event
    thread: threading.Thread = field(init=False)

    def begin(self) -> None:
        """Work on it in a thread of its own."""
        self.thread = threading.Thread(target=self._run, name=f"cluster-{self.held.cluster}")
        self.thread.start()

    def _run(self) -> None:
        try:
            attend(self.held, self.stop)
        finally:
            self.stop.set()
            connection.close()


def tend(stop: threading.Event) -> None:
    """Take in hand whatever cluster nobody has, until `stop` is set; then end the work on all of them in good order."""
    mine: dict[int, Attendant] = {}
    try:
        while not stop.is_set():
            try:
                close_old_connections()
                if not secrets.is_sealed():
                    _tend_once(mine)
            except (DatabaseError, InterfaceError) as error:
                log.error("the database can't be used", error=type(error).__name__)
                connection.close()
            stop.wait(TEND_SECONDS)
    finally:
        for one in mine.values():
            one.stop.set()
        for one in mine.values():
            one.thread.join()
        connection.close()


def once() -> None:
    """Bring every cluster that nobody has in hand what waits now, then let go of it."""
    for cluster in leases.free():
        held = leases.take(cluster)
        if held is not None:
            _guarded(held, threading.Event(), once=True)
            leases.release(held)


def attend(held: Held, stop: threading.Event) -> None:
    """Work on one cluster until `stop` is set or another worker has it."""
    failures = 0
    while not stop.is_set():
        began = time.monotonic()
        if _guarded(held, stop):
            return
        failures = 1 if time.monotonic() - began > LONGEST_PAUSE else failures + 1
        longest = min(0.5 * 2**failures, LONGEST_PAUSE)
        stop.wait(random.uniform(longest / 2, longest))  # noqa: S311 - spreads load, keeps no secret
    try:
        leases.release(held)
    except (DatabaseError, InterfaceError) as error:
        log.error("the database can't be used", error=type(error).__name__)


def _tend_once(mine: dict[int, Attendant]) -> None:
    for cluster, one in [*mine.items()]:
        if one.stop.is_set() or not leases.renew(one.held):
            one.stop.set()
            if not one.thread.is_alive():
                del mine[cluster]
    for cluster in leases.free():
        if cluster not in mine and (held := leases.take(cluster)) is not None:
            mine[cluster] = Attendant(held, threading.Event())
            mine[cluster].begin()


def _guarded(held: Held, stop: threading.Event, *, once: bool = False) -> bool:
    """One connection's life; True when this worker is done with the cluster. Whatever happens, the worker goes on."""
    try:
        close_old_connections()
        cluster = Cluster.objects.select_related("operator", "user").get(pk=held.cluster)
        _visit(held, cluster, stop, once=once)
    except (LostCluster, Cluster.DoesNotExist):
        return True
    except IdentityError as refused:
        _note(held, ClusterState.DOWN, refused.user_message)
    except (DatabaseError, InterfaceError) as error:
        log.error("the database can't be used", error=type(error).__name__)
        connection.close()
    except Exception as error:  # a fault in one cluster's work must not end the worker
        log.error("cluster failed", cluster=held.cluster, error=type(error).__name__, exc_info=True)
        _note(held, ClusterState.DOWN, "This failed by a fault of nscweb. The server's log says more.")
    return False


def _visit(held: Held, cluster: Cluster, stop: threading.Event, *, once: bool) -> None:
    """Open a connection and work with it until it goes, or `stop` is set, or the cluster was edited.

    Between deliveries it writes down what happened to clients, and asks for what somebody looks at.
    """
    with links.linked(cluster) as link, _heard(cluster, link) as store:
        known: dict[int, str] | None = None
        looked, told = float("-inf"), time.monotonic()
        while not stop.is_set() and link.is_up:
            if time.monotonic() - looked > ROSTER_SECONDS:
                again = time.monotonic() - told > AGAIN_SECONDS
                now, seen = _look(held, cluster, link, known, again=again)
                known, looked = now, time.monotonic()
                told = looked if again else told
                drifting.when_due(Cluster.objects.get(pk=cluster.pk))
            tried = delivering.deliver(held, cluster, link, seen)
            store()
            live.refresh(cluster, link)
            if once and not tried:
                return
            if not tried:
                stop.wait(LOOK_SECONDS)
                if _edited(cluster):
                    return


def _look(
    held: Held, cluster: Cluster, link: SystemLink, known: dict[int, str] | None, *, again: bool = False
) -> tuple[dict[int, str], Roster]:
    """See who is there. Servers that came back, started anew, are new or turn out to have another resolver get all
    that waits, and are compared again.
    """
    before = _ids(cluster) if known is None else known
    present = {server.pk: _run_of(server) for server in roster.refresh(cluster, link, again=again)}
    servers = list(Server.objects.filter(cluster=cluster).order_by("name", "pk"))
    if any(before.get(pk) != run for pk, run in present.items()):
        outbox.again(Delivery.objects.filter(cluster=cluster))
    _note(held, ClusterState.UP, "")
    return present, Roster(servers, present)


def _ids(cluster: Cluster) -> dict[int, str]:
    """The servers that were there when somebody last looked."""
    rows = Server.objects.filter(cluster=cluster)
    if cluster.checked_at is not None:
        rows = rows.filter(seen_at__gte=cluster.checked_at)
    return {row.pk: _run_of(row) for row in rows}


def _run_of(server: Server) -> str:
    """Which run of a server it is, and from where it has accounts by what is known."""
    return f"{server.server_id} {server.resolver}"


def _edited(cluster: Cluster) -> bool:
    """True when the cluster is reached another way now, or was removed."""
    same = Cluster.objects.live().filter(pk=cluster.pk, version=cluster.version, user=cluster.user_id)
    return not same.exists()


def _note(held: Held, state: ClusterState, problem: str) -> None:
    """Say how the cluster is, when that is news."""
    rows = Cluster.objects.filter(pk=held.cluster, fence=held.fence)
    try:
        rows.exclude(Q(state=state) & Q(problem=problem)).update(
            state=state, problem=problem, checked_at=clock.now()
        )
    except (DatabaseError, InterfaceError) as error:
        log.error("the database can't be used", error=type(error).__name__)


@contextmanager
def _heard(cluster: Cluster, link: SystemLink) -> Iterator[Callable[[], object]]:
    """What the servers tell by themselves, as long as the connection stands; the call that writes it down."""
    store = event_log.collect(cluster, link).store
    try:
        yield store
    finally:
        with suppress(DatabaseError, InterfaceError):
            store()
