"""Reads a store on two cores: half of the files here, the other half in a copy of this process.

Only a command does so, whose process has no other threads; a worker reads with one. Where there is no second core, or
the copy comes to grief, all is read here.
"""

from __future__ import annotations

import gc
import os
import pickle
import threading
from collections.abc import Sequence
from pathlib import Path

from django.db import connection

from identities.services import import_sources, secrets
from identities.services.import_reading import Collector
from identities.services.import_sources import Place, Tick

FEWEST = 2000
"""Files for which a second process is worth its while."""


def folders(collector: Collector, roots: Sequence[Path], tick: Tick) -> None:
    """Everything of nsc's below these folders. Creds come last, as they repeat what stands elsewhere."""
    places = [place for root in roots for place in import_sources.below(collector, root)]
    gc.disable()  # hundreds of thousands of objects are made that all stay
    try:
        _folders(collector, places, tick)
    finally:
        gc.enable()


def _folders(collector: Collector, places: Sequence[Place], tick: Tick) -> None:
    first = [place for place in places if not place[1].endswith(".creds")]
    if len(first) >= FEWEST and _has_second_core():
        _halved(collector, first, tick)
    else:
        import_sources.files(collector, first, tick)
    import_sources.files(collector, [place for place in places if place[1].endswith(".creds")], tick)


def _has_second_core() -> bool:
    return hasattr(os, "fork") and len(os.sched_getaffinity(0)) > 1 and threading.active_count() == 1


def _halved(collector: Collector, places: Sequence[Place], tick: Tick) -> None:
    secrets.is_sealed()  # the key ring is there before there are two
    connection.close()
    gc.freeze()  # what is there already is not gone through again, and so stays shared
    mine, theirs = places[::2], places[1::2]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _in_the_copy(collector.seal, theirs, writing)
    os.close(writing)
    import_sources.files(collector, mine, lambda done, total: tick(2 * done, 2 * total))
    with os.fdopen(reading, "rb") as sent:
        data = sent.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == 0:
        collector.absorb(pickle.loads(data))  # nosec B301  # noqa: S301 - written by our own copy, through a pipe of its own
    else:
        import_sources.files(collector, theirs, tick)


def _in_the_copy(seal: bool, places: Sequence[Place], writing: int) -> None:  # noqa: FBT001 - one call, right above
    """Read, send what was read, and end without a trace: nothing of the parent's is closed or written."""
    code = 1
    try:
        collector = Collector(seal=seal)
        import_sources.files(collector, places, _untold)
        with os.fdopen(writing, "wb") as sent:
            pickle.dump(collector, sent, protocol=pickle.HIGHEST_PROTOCOL)
        code = 0
    finally:
        os._exit(code)


def _untold(done: int, total: int) -> None:
    """The copy does not say how far it is: the other half does."""
