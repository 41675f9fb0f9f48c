"""Clients that stay connected while a test goes on, each a real one with its creds file."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from identities.models import User
from identities.services import creds
from tests import make, natsclient


def creds_file(folder: Path, user: User) -> Path:
    """A user's creds as they are handed out now, in a file of their own."""
    path = folder / f"{user.name}-{user.last_iat}.creds"
    path.write_text(creds.creds_file(principal=make.COMMAND, user=user).text)
    return path


class Crew:
    """Connected clients by name, on an event loop of their own. A context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stack = AsyncExitStack()
        self._clients: dict[str, natsclient.Connected] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._do(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def join(self, name: str, url: str, creds: Path | str) -> None:
        """Connect one more. Raises: natsclient.LoginRefused."""

        async def connect() -> None:
            held = await self._stack.enter_async_context(natsclient.connected(url, creds))
            await held.client.flush()
            self._clients[name] = held

        self._do(connect())

    def is_on(self, name: str) -> bool:
        """Whether that client is still connected."""
        return bool(self._clients[name].client.is_connected)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)
