"""`manage.py worker`: does the background jobs. Several may run, on several hosts over PostgreSQL."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import structlog
from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from identities.services import (
    attending,
    audit_walks,
    biting,
    client_tests,
    cluster_tests,
    drifting,
    event_log,
    expiry_warnings,
    idempotency,
    import_jobs,
    jobs,
    live,
    lockouts,
    reissuing,
    resets,
    secrets,
    stakes,
    waiting_mails,
    webhook_messages,
)

HANDLERS: Mapping[str, jobs.Handler] = {
    client_tests.KIND: client_tests.HANDLER,
    cluster_tests.KIND: cluster_tests.HANDLER,
    reissuing.KIND: reissuing.HANDLER,
    lockouts.KIND: biting.HANDLER,
    resets.KIND: resets.HANDLER,
    expiry_warnings.KIND: expiry_warnings.HANDLER,
    waiting_mails.KIND: waiting_mails.HANDLER,
    audit_walks.KIND: audit_walks.HANDLER,
    **import_jobs.HANDLERS,
    **drifting.HANDLERS,
    **stakes.HANDLERS,
}
AT_ONCE = 4
SENDERS = 3
"""Threads that send messages of webhooks."""
POLL_SECONDS = 0.5
BEAT_SECONDS = 10.0
AWAY_SECONDS = 5.0
TIDY_SECONDS = 3600.0

log = structlog.get_logger("identities.worker")


class Command(BaseCommand):
    """Polls for jobs until SIGTERM or Ctrl-C; a job in hand is finished first."""

    help = (
        "Do the background jobs (client tests, imports, signing anew in bulk), and deliver accounts to servers. "
        "Run at least one, beside the web server."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--once`, for tests and schedulers."""
        parser.add_argument("--once", action="store_true", help="do what waits now, then end")
        parser.add_argument("--at-once", type=int, default=AT_ONCE, help="how many jobs side by side")

    def handle(self, *args: Any, once: bool = False, at_once: int = AT_ONCE, **options: Any) -> None:
        """Work until asked to stop."""
        if once:
            expiry_warnings.warn()
            while jobs.work_once(HANDLERS):
                pass
            attending.once()
            webhook_messages.once()
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        name = f"{socket.gethostname()}:{os.getpid()}"
        log.info("worker started", worker=name)
        beside = [threading.Thread(target=_thread, args=(stop,)) for _ in range(at_once - 1)]
        beside.append(threading.Thread(target=_tend, args=(stop,)))
        beside += [threading.Thread(target=_post, args=(stop, number)) for number in range(SENDERS)]
        for thread in beside:
            thread.start()
        try:
            run(stop, name=name)
        finally:
            stop.set()
            for thread in beside:
                thread.join()
        log.info("worker ended", worker=name)


def _thread(stop: threading.Event) -> None:
    """One more job side by side: a test that listens for half a minute keeps nobody waiting."""
    try:
        run(stop)
    finally:
        stop.set()  # a fault here ends the whole worker, so that whoever watches it starts it again
        connection.close()


def _tend(stop: threading.Event) -> None:
    """The connections to clusters, beside the jobs."""
    try:
        attending.tend(stop)
    finally:
        stop.set()
        connection.close()


def _post(stop: threading.Event, number: int) -> None:
    """Messages of webhooks, some side by side: a server that answers slowly holds up its own alone."""
    try:
        webhook_messages.tend(stop, gathers=number == 0)
    finally:
        stop.set()
        connection.close()


def run(stop: threading.Event, *, name: str = "") -> None:
    """Work until `stop` is set; a database that is away, or a missing master key, is waited for.

    With a `name` it shows that the worker is alive, and tidies up.
    """
    beaten = tidied = float("-inf")
    while not stop.is_set():
        now, busy = time.monotonic(), False
        try:
            close_old_connections()
            if secrets.is_sealed():  # nothing is written, a sign of life included
                stop.wait(POLL_SECONDS)
                continue
            if name and now - beaten > BEAT_SECONDS:
                jobs.beat(name)
                beaten = now
            if name and now - tidied > TIDY_SECONDS:
                jobs.forget_old()
                idempotency.forget_old()
                import_jobs.tidy()
                event_log.prune()
                live.forget_old()
                webhook_messages.forget_old()
                expiry_warnings.forget_old()
                expiry_warnings.warn()
                tidied = now
            busy = jobs.work_once(HANDLERS)
        except (DatabaseError, InterfaceError) as error:
            log.error("the database can't be used", error=type(error).__name__)
            connection.close()
            stop.wait(AWAY_SECONDS)
        if not busy:
            stop.wait(POLL_SECONDS)
    if name and beaten > float("-inf"):
        with suppress(DatabaseError):
            jobs.leave(name)
