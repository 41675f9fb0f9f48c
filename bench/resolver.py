"""How fast nats-servers are answered that ask for account JWTs over HTTP, beside an account server written in Go.

    python bench/resolver.py [--accounts 1000] [--seconds 3] [--rounds 3]

Ours: granian as `make run` starts it (2 workers), SQLite, with access log level and metrics as delivered. The peer:
`nats-account-server` when it is on the path, else a stand-in of ours in Go (`bench/golang/accountserver`) that does
the same work per request (one file read, the JWT decoded for its `jti`, ETag). Both are asked by the same client, 16
connections kept open, in turns; a hit and a 304. Told: requests per second, and CPU seconds of the server per thousand
requests. The aim is to be as fast; the exit status says only whether every answer was right.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = 16
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Run, print a table; 1 when an answer was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", default="", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    if asked.seed:
        return seed(Path(asked.seed), asked.accounts)
    with tempfile.TemporaryDirectory(prefix="nscweb-bench-") as directory:
        return measure(Path(directory), asked.accounts, asked.seconds, asked.rounds)


def seed(folder: Path, accounts: int) -> int:
    """Fill the database of this process with one operator's accounts, and `folder` with their JWTs."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "nscweb.settings"
    import django

    django.setup()
    from django.core.management import call_command

    from identities.claims.drafts import AccountDraft, OperatorDraft
    from identities.policy.principal import Principal
    from identities.services import accounts as service
    from identities.services import operators, secrets

    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    secrets.initialise()
    principal = Principal.command("bench")
    operator = operators.create(principal=principal, draft=OperatorDraft(name="Bench"))
    for number in range(accounts):
        row = service.create(
            principal=principal, operator=operator, draft=AccountDraft(name=f"account-{number}")
        )
        assert row.token is not None
        (folder / f"{row.public_key}.jwt").write_text(row.token.text, encoding="ascii")
    return 0


def measure(directory: Path, accounts: int, seconds: float, rounds: int) -> int:
    """Start both servers and let the client ask them in turns."""
    folder = directory / "jwts"
    folder.mkdir()
    environ = {
        **os.environ,
        "NSCWEB_DATA_DIR": str(directory / "data"),
        "NSCWEB_LOG_LEVEL": "INFO",
        "PYTHONPATH": str(ROOT),
    }
    subprocess.run(
        [sys.executable, __file__, "--seed", str(folder), "--accounts", str(accounts)],
        env=environ,
        check=True,
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    keys = [path.stem for path in sorted(folder.glob("*.jwt"))]
    lengths = {key: (folder / f"{key}.jwt").stat().st_size for key in keys}
    with contextlib.ExitStack() as stack:
        sides = [stack.enter_context(ours(directory, environ))]
        peer = go_peer(directory, folder)
        if peer is not None:
            sides.append(stack.enter_context(peer))
        for side in sides:
            side.tags = tags(side, keys)
            ask(side, keys, lengths, 0.5, revalidate=False)  # warm
        print(f"{accounts} accounts, {CONNECTIONS} connections, {rounds} × {seconds:g} s each, in turns")
        for revalidate in (False, True):
            figures: dict[str, list[tuple[float, float]]] = {}
            for _ in range(rounds):
                for side in sides:
                    figures.setdefault(side.name, []).append(
                        ask(side, keys, lengths, seconds, revalidate=revalidate)
                    )
            tell("304" if revalidate else "hit", figures)
    return 0


def tell(what: str, figures: dict[str, list[tuple[float, float]]]) -> None:
    """One line a server, and the ratios."""
    middle = {
        name: (statistics.median(rate for rate, _ in runs), statistics.median(cost for _, cost in runs))
        for name, runs in figures.items()
    }
    for name, (rate, cost) in middle.items():
        print(f"  {what}: {name:42} {rate:8,.0f} requests/s   {cost:6.3f} CPU s / 1,000 requests")
    if len(middle) == 2:
        (ours_rate, ours_cost), (peer_rate, peer_cost) = middle.values()
        rate, cost = ours_rate / peer_rate, ours_cost / peer_cost
        print(f"  {what}: ours / peer {rate:.2f} in requests, {cost:.2f} in CPU (aim 1.0)")


@dataclass(slots=True)
class Side:
    """A running server."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    tags: dict[str, str] = field(default_factory=dict)

    def cpu_seconds(self) -> float:
        """What the server and its workers have used so far."""
        return sum(_cpu(pid) for pid in _family(self.process.pid))


@contextlib.contextmanager
def ours(directory: Path, environ: dict[str, str]) -> Iterator[Side]:
    """The product's web server as `make run` starts it."""
    from nscweb.serve import web_command

    port = _free_port()
    metrics = directory / "metrics"
    metrics.mkdir()
    with running(
        web_command("127.0.0.1", port), {**environ, "PROMETHEUS_MULTIPROC_DIR": str(metrics)}, port
    ) as process:
        yield Side("nscweb (granian, 2 workers)", port, process)


def go_peer(directory: Path, folder: Path) -> contextlib.AbstractContextManager[Side] | None:
    """nats-account-server, or the stand-in; None without either."""
    port = _free_port()
    original = shutil.which("nats-account-server")
    if original is not None:
        command = [original, "-dir", str(folder), "-hp", f"127.0.0.1:{port}"]
        return _side("nats-account-server", command, port)
    if shutil.which("go") is None:
        return None
    binary = directory / "accountserver"
    subprocess.run(
        ["go", "build", "-o", str(binary), "./accountserver"], cwd=ROOT / "bench" / "golang", check=True
    )
    return _side(
        "stand-in for nats-account-server (Go)", [str(binary), str(folder), f"127.0.0.1:{port}"], port
    )


@contextlib.contextmanager
def _side(name: str, command: Sequence[str], port: int) -> Iterator[Side]:
    with running(command, dict(os.environ), port) as process:
        yield Side(name, port, process)


@contextlib.contextmanager
def running(command: Sequence[str], environ: dict[str, str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The command, once its port takes connections, until the block ends."""
    process = subprocess.Popen(
        command, env=environ, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


# --- the client: one process, an epoll loop, one request under way on each connection


def request(key: str, tag: str = "") -> bytes:
    """What nats-server's resolver sends; with a tag, as a cache in between would."""
    asked = f"If-None-Match: {tag}\r\n" if tag else ""
    return f"GET /jwt/v1/accounts/{key} HTTP/1.1\r\nHost: localhost\r\n{asked}\r\n".encode()


def tags(side: Side, keys: Sequence[str]) -> dict[str, str]:
    """Every account's ETag; the first round also shows that every answer is there."""
    found = {}
    with socket.create_connection(("127.0.0.1", side.port)) as connection:
        for key in keys:
            connection.sendall(request(key))
            head, body = _whole(connection)
            lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
            assert head.startswith(b"HTTP/1.1 200"), head
            assert body.count(b".") == 2, body[:100]
            found[key] = {name.lower(): value for name, value in lines.items()}["etag"]
    return found


def ask(
    side: Side, keys: Sequence[str], lengths: dict[str, int], seconds: float, *, revalidate: bool
) -> tuple[float, float]:
    """Requests per second, and the server's CPU seconds per 1,000 requests.

    Raises: AssertionError when an answer has another status or length.
    """
    requests = [request(key, side.tags[key] if revalidate else "") for key in keys]
    sizes = [0 if revalidate else lengths[key] for key in keys]
    status = b"HTTP/1.1 304" if revalidate else b"HTTP/1.1 200"
    selector = selectors.DefaultSelector()
    turn = 0
    for number in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", side.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        turn = number % len(keys)
        selector.register(connection, selectors.EVENT_READ, [b"", turn])
        connection.sendall(requests[turn])
    turn = CONNECTIONS
    done, cpu, started = 0, side.cpu_seconds(), time.perf_counter()
    deadline = started + seconds
    while time.perf_counter() < deadline:
        for key, _events in selector.select(1):
            held, connection = key.data, key.fileobj
            assert isinstance(connection, socket.socket)
            held[0] += connection.recv(65536)
            head, found, body = held[0].partition(b"\r\n\r\n")
            if not found or len(body) < sizes[held[1]]:
                continue
            assert head.startswith(status), head
            assert len(body) == sizes[held[1]], (len(body), sizes[held[1]])
            done += 1
            turn = (turn + 1) % len(keys)
            held[0], held[1] = b"", turn
            connection.sendall(requests[turn])
    spent = time.perf_counter() - started
    cost = (side.cpu_seconds() - cpu) / done * 1000
    for registered in list(selector.get_map().values()):
        connection = registered.fileobj
        assert isinstance(connection, socket.socket)
        connection.close()
    selector.close()
    return done / spent, cost


def _whole(connection: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head, body


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        children = (task / "children").read_text().split()
        for child in children:
            found += _family(int(child))
    return found


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
