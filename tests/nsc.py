"""The real nsc, built once from the module pinned in `tests/golang/nsc`, and run far from anybody's home."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODULE = Path(__file__).parent / "golang/nsc"
PACKAGE = "github.com/nats-io/nsc/v2"


class NotHere(Exception):
    """Go is not here, or nsc can't be built with it; the text says which."""


@dataclass(frozen=True)
class Nsc:
    """nsc with stores, keystore and configuration of its own."""

    binary: Path
    stores: Path
    keystore: Path
    config: Path

    def run(self, *arguments: str, code: int = 0) -> str:
        """What it prints, tables and all. Raises: AssertionError: it ended with another code."""
        done = self._done(*arguments)
        assert done.returncode == code, (
            f"nsc {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done.stdout + done.stderr

    def json(self, *arguments: str) -> Any:
        """What it prints as JSON."""
        done = self._done(*arguments, "--json")
        assert done.returncode == 0, f"nsc {' '.join(arguments)}: {done.stderr}"
        return json.loads(done.stdout)

    def raw(self, *arguments: str) -> str:
        """The JWT that `describe` prints, as it stands."""
        done = self._done("describe", *arguments, "--raw")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _done(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        self.config.mkdir(parents=True, exist_ok=True)
        places = (("config", self.config), ("data", self.stores), ("keystore", self.keystore))
        folders = [f"--{name}-dir={path}" for name, path in places]
        home = str(self.config)
        environ = {
            **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            **dict.fromkeys(("HOME", "NSC_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), home),
            "NKEYS_PATH": str(self.keystore), "NO_COLOR": "1", "TERM": "dumb", "TZ": "UTC",
        }  # fmt: skip
        return subprocess.run(
            [self.binary, *arguments, *folders],
            env=environ, cwd=home, capture_output=True, text=True, check=False, timeout=300, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def go() -> str | None:
    """Where Go is, on the path or where its own installer puts it."""
    return shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")


def built() -> Path:
    """nsc, built on the first call and kept outside of the checkout. Raises: NotHere."""
    compiler = go()
    if compiler is None:
        raise NotHere("there is no Go (https://go.dev/dl): nsc can't be built")
    environ = {
        **os.environ,
        "GOTOOLCHAIN": "auto",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "CGO_ENABLED": "0",
    }
    version = subprocess.run([compiler, "version"], env=environ, capture_output=True, check=True).stdout
    pinned = version + b"".join((MODULE / name).read_bytes() for name in ("go.mod", "go.sum"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nscweb-tests"
    cache.mkdir(parents=True, exist_ok=True)
    binary = cache / f"nsc-{hashlib.sha256(pinned).hexdigest()[:16]}"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several processes one builds
        if not binary.exists():
            beside = binary.with_suffix(".new")
            done = subprocess.run(
                [compiler, "build", "-trimpath", "-o", beside, PACKAGE],
                cwd=MODULE, env=environ, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                raise NotHere(f"nsc can't be built: {done.stderr.strip()[-2000:]}")
            beside.rename(binary)
    return binary
