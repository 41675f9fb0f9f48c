"""`make test`: the whole suite on SQLite, then everything that touches a database again on PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter

from tests import postgres

ONE_IS_ENOUGH = (
    *("nkeys", "claims", "formats", "vault", "policy"),
    *(f"house/test_{name}.py" for name in ("code", "frontend", "forms", "parity", "security_documents")),
    "e2e/test_every_page.py",
)
"""The pure floors, tests of texts, and the walk that looks at pages: a second database teaches nothing there."""

_CLOSING = re.compile(
    r"^=+ (?P<counts>.*\b(?:passed|failed|errors?|skipped|no tests ran)\b.*) in [\d.]+s.*=+$"
)


def main() -> int:
    """Run both passes and close with pytest's line over both; 0 when nothing failed in either."""
    started = time.monotonic()
    ensure_chromium()
    extra = sys.argv[1:]
    given = os.environ.get("DATABASE_URL", "")
    environ = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    code, lines = 0, []
    with postgres.server() if not given.startswith("postgres") else contextlib.nullcontext(given) as url:
        passes = (
            ("SQLite", environ, []),
            (
                "PostgreSQL",
                {**environ, "DATABASE_URL": url},
                [f"--ignore=tests/{name}" for name in ONE_IS_ENOUGH],
            ),
        )
        for name, variables, options in passes:
            print(f"\n### {name}", flush=True)
            ended, line = run([*options, *extra], variables)
            code = code or ended
            lines.append((name, line))
    total: Counter[str] = Counter()
    for name, line in lines:
        print(f"{name}: {line or 'pytest did not finish'}")
        total.update({word: int(number) for number, word in re.findall(r"(\d+) (\w+)", line)})
    words = [
        f"{total[word]} {word}" for word in ("failed", "passed", "skipped", "error", "errors") if total[word]
    ]
    print(f"===== {', '.join(words) or 'nothing ran'} in {time.monotonic() - started:.2f}s =====", flush=True)
    return code


def run(options: list[str], environ: dict[str, str]) -> tuple[int, str]:
    """One pytest run with its output passed on; its exit code and the counts of its closing line."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal", *options]
    closing = ""
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            if match := _CLOSING.match(line.strip()) or re.match(
                r"(?P<counts>\d+ (?:passed|failed|skipped|error).*) in [\d.]+s", line.strip()
            ):
                closing = match["counts"]
    return process.returncode, closing


def ensure_chromium() -> None:
    """Install Debian's chromium where that is allowed; otherwise the browser tests skip, saying so."""
    if os.environ.get("NSCWEB_TEST_CHROMIUM") or shutil.which("chromium"):
        return
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        print(
            "There is no chromium: the browser tests will be skipped. (Debian: apt install chromium)",
            flush=True,
        )
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", "chromium"]):
        if subprocess.run([apt, *words], env=quiet, stdout=subprocess.DEVNULL, check=False).returncode:
            print("chromium can't be installed: the browser tests will be skipped.", flush=True)
            return


if __name__ == "__main__":
    sys.exit(main())
