"""`make check`: all that can be said about the code without running it. Every check runs; one failure fails it all."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BIN = Path(sys.executable).parent
MANAGE = [sys.executable, "manage.py"]
DEPLOYED = {
    "NSCWEB_URL": "https://nscweb.example.com",
    "NSCWEB_TRUSTED_PROXIES": "1",
    "NSCWEB_LOG_LEVEL": "WARNING",
}

CHECKS: tuple[tuple[str, list[str]], ...] = (
    ("formatting", [str(BIN / "ruff"), "format", "--check", "."]),
    ("lint", [str(BIN / "ruff"), "check", "--quiet", "."]),
    ("types", [str(BIN / "mypy")]),
    ("layers", [str(BIN / "lint-imports")]),
    ("security", [str(BIN / "bandit"), "--quiet", "--recursive", "-ll", "identities", "nscweb"]),
    ("templates", [str(BIN / "djlint"), "--lint", "--quiet", "templates"]),
    ("deployment", [*MANAGE, "check", "--deploy", "--fail-level", "WARNING"]),
    ("migrations", [*MANAGE, "makemigrations", "--check", "--dry-run"]),
)


def main() -> int:
    """Run all checks, print the output of those that fail; the number of failures."""
    failures = 0
    with tempfile.TemporaryDirectory(prefix="nscweb-check-") as directory:
        environ = {**os.environ, **DEPLOYED, "NSCWEB_DATA_DIR": directory}
        environ.pop("DATABASE_URL", None)
        for name, command in CHECKS:
            started = time.monotonic()
            done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
            verdict = "ok" if done.returncode == 0 else "FAILED"
            print(f"{name:<12} {verdict} ({time.monotonic() - started:.1f} s)", flush=True)
            if done.returncode:
                failures += 1
                print(done.stdout + done.stderr, flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(main())
