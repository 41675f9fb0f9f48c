"""What comes back to one question: how long it is waited for, and when it is complete."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Final

from identities.resolver.messages import Reply

LARGEST_ANSWER: Final = 16 * 1024 * 1024
_NOBODY: Final = re.compile(rb"NATS/1\.0 +503\b")
"""The status line by which a server says that nobody listens there."""


class Collector:
    """Takes the answers to one question; made in the event loop that waits for `ended`."""

    def __init__(self, expect: int, until: Callable[[bytes], bool] | None = None) -> None:
        self.expect, self.until = expect, until
        self.reply = Reply()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._timer: asyncio.TimerHandle | None = None

    def patience(self, loop: asyncio.AbstractEventLoop, seconds: float, *, quiet: bool) -> None:
        """End after `seconds`; with `quiet`, when nothing has come for so long."""
        heard = len(self.reply.payloads)

        def over() -> None:
            if quiet and len(self.reply.payloads) > heard:
                self.patience(loop, seconds, quiet=True)
            else:
                self.end()

        self._timer = loop.call_later(seconds, over)

    def forget_patience(self) -> None:
        """The question is over, one way or another."""
        if self._timer is not None:
            self._timer.cancel()

    def end(self) -> None:
        """Nothing more is waited for."""
        if not self.ended.done():
            self.ended.set_result(None)

    def take(self, payload: bytes, headers: bytes | None) -> None:
        """Note one message, and whether it was the last."""
        if self.ended.done():
            return
        if not payload and headers is not None and _NOBODY.match(headers):
            self.reply.nobody = True
            self.end()
            return
        if self.until is not None and self.until(payload):
            self.reply.complete = True
            self.end()
            return
        self.reply.payloads.append(payload if len(payload) <= LARGEST_ANSWER else b"")
        if self.expect and len(self.reply.payloads) >= self.expect:
            self.reply.complete = True
            self.end()
