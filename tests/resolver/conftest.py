from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from identities.formats.creds import parse_creds
from identities.resolver.plan import TestUser

GOLDEN = Path(__file__).parents[1] / "golden"


def binary() -> str:
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        pytest.skip("there is no nats-server; install requirements-dev.txt")
    return found


StartServer = Callable[..., int]


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Starts nats-servers on free loopback ports from a configuration's text; the port of what it listens for."""
    running = []

    def start(text: str, what: str = "client connections") -> int:
        folder = tmp_path_factory.mktemp("nats")
        (folder / "server.conf").write_text(f'listen: "127.0.0.1:-1"\nmax_payload: 512KB\n{text}')
        server = subprocess.Popen(
            [binary(), "-c", "server.conf"],
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        running.append(server)
        assert server.stderr is not None
        port, log = 0, []
        for line in server.stderr:
            log.append(line)
            if found := re.search(rf"Listening for {what} on (?:\w+://)?127\.0\.0\.1:(\d+)", line):
                port = int(found[1])
            if "Server is ready" in line:
                return port
        pytest.fail("".join(log))

    yield start
    for server in running:
        server.terminate()
        server.communicate(timeout=10)


@pytest.fixture(scope="session")
def basics(start_server: StartServer) -> str:
    """The URL of a server that runs with the tutorial's MEMORY configuration, as nsc wrote it."""
    return f"nats://127.0.0.1:{start_server((GOLDEN / 'basics/out/server-mem-resolver.conf').read_text())}"


def golden_user(path: str) -> TestUser:
    parsed = parse_creds((GOLDEN / path).read_text())
    return TestUser(name=Path(path).stem.split("-")[-1], jwt=parsed.jwt, seed=parsed.seed)


@pytest.fixture(scope="session")
def users() -> dict[str, TestUser]:
    names = ("TestUser", "TestService", "TestClient")
    return {name: golden_user(f"basics/out/creds/TestAccount-{name}.creds") for name in names}
