"""Granian, started so that its workers also end while they are still loading: `python -m nscweb.web <options>`.

A worker is a fork of granian's main process and inherits its signal handlers, which only wake that process's own loop;
it sets handlers of its own once the application is loaded. A SIGTERM of the second in between would be lost, and the
worker killed when its time to end is over. Imports no Django: the main process stays small.
"""

from __future__ import annotations

import os
import signal

from granian.cli import entrypoint


def die_while_loading() -> None:
    """In a fresh worker: SIGTERM and SIGINT end it at once, until granian sets the handlers that end it gently."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=die_while_loading)
    entrypoint()  # type: ignore[no-untyped-call]
