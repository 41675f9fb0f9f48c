"""How long pages take at 100, 4,000 and 40,000 users, beside a 50-row reference page in the same run.

    python bench/pages.py [--sizes 100,4000,40000] [--rounds 15] [--pages users]

Each size is a database of its own, filled by raw bulk rows; all are open at once and take turns, so that they meet the
same load. The reference page is the least that a signed-in list page of 50 rows can be: session, person and grants,
one query, strings in a table in the page's frame. Time is the CPU time of the request (the database runs in the same
thread), the median of the rounds. Bounds, for each page: at most 8 queries; at most twice the reference page (three
times for “Who can …”); at the
largest size at most 1.3 times the smallest. The exit status says whether they hold. Names in brackets are told, not
bound: the filter above a list looks inside every name of the account.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from pages_asked import addresses, ask, count, set_up, signed_in
from pages_users import seed

ROOT = Path(__file__).resolve().parent.parent
MOST_QUERIES = 8
OF_REFERENCE = 2.0
OF_SMALLEST = 1.3
WHO_CAN_OF_REFERENCE = 3.0
"""“Who can …” has two answers on one page: from which accounts, and which users."""


def main() -> int:
    """Seed, measure, print; 1 when a bound is broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="100,4000,40000")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--pages", default="", help="only pages whose name holds this")
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("NSCWEB_LOG_LEVEL", "ERROR")
    if asked.seed:
        return seed(asked.seed)
    sizes = [int(size) for size in asked.sizes.split(",")]
    with tempfile.TemporaryDirectory(prefix="nscweb-bench-") as directory:
        return measure(Path(directory), sizes, asked.rounds, asked.pages)


@dataclass(slots=True)
class Times:
    """What one page took at one size: CPU and wall seconds, those of the reference page beside it, queries."""

    beside: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    queries: int = 0


def measure(directory: Path, sizes: list[int], rounds: int, only: str) -> int:
    """Seed a database for each size, measure all pages on them in turns, and print what came out."""
    environ = dict(os.environ, NSCWEB_MASTER_KEY="bench:" + "YmVuY2gtb25seS1iZW5jaC1vbmx5LWJlbmNoLW9ubHk=")
    for size in sizes:
        environ["NSCWEB_DATA_DIR"] = str(directory)
        environ["DATABASE_URL"] = f"sqlite:///{directory}/{size}.sqlite3"
        started = time.perf_counter()
        subprocess.run([sys.executable, __file__, "--seed", str(size)], env=environ, check=True, cwd=ROOT)
        print(f"seeded {size:,} users in {time.perf_counter() - started:.1f} s", flush=True)
    os.environ.update(environ)
    set_up(directory, sizes)
    clients = {size: signed_in(size) for size in sizes}
    pages = {size: {"reference": "/reference", **addresses(size)} for size in sizes}
    names = [name for name in pages[sizes[0]] if only in name or name == "reference"]
    times = {(name, size): Times() for name in names for size in sizes}
    for number in range(rounds + 2):
        for name in names:
            for size in sizes:
                # Each beside a reference page of the same moment: the machine's load changes within a round.
                beside = ask(clients[size], size, "/reference")
                cpu, wall = ask(clients[size], size, pages[size][name])
                kept = times[name, size]
                if number >= 2:  # the first rounds fill caches
                    kept.beside.append(beside[0])
                    kept.cpu.append(cpu)
                    kept.wall.append(wall)
                else:
                    kept.queries = count(clients[size], size, pages[size][name])
    return report(names, sizes, times)


def report(names: list[str], sizes: list[int], times: dict[tuple[str, int], Times]) -> int:
    """Print the table; 1 when a bound is broken."""

    def cpu(name: str, size: int) -> float:
        return statistics.median(times[name, size].cpu) * 1000

    def paired(ours: list[float], theirs: list[float]) -> float:
        return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))

    small, large = sizes[0], sizes[-1]
    heads = "".join(f"{size:>9,}" for size in sizes)
    print(f"\n{'CPU ms, median':34}{heads}   of reference   {large:,} of {small:,}   queries   p95 wall ms")
    broken = 0
    for name in names:
        figures = "".join(f"{cpu(name, size):9.2f}" for size in sizes)
        of_reference = max(paired(times[name, size].cpu, times[name, size].beside) for size in sizes)
        of_small = paired(times[name, large].cpu, times[name, small].cpu)
        queries = max(times[name, size].queries for size in sizes)
        walls = sorted(wall for size in sizes for wall in times[name, size].wall)
        p95 = walls[int(len(walls) * 0.95)] * 1000
        bad = [
            word
            for word, breaks in (
                (
                    "reference",
                    of_reference > (WHO_CAN_OF_REFERENCE if name.startswith("who can") else OF_REFERENCE),
                ),
                ("size", of_small > OF_SMALLEST),
                ("queries", queries > MOST_QUERIES),
            )
            if breaks and name != "reference" and not name.startswith("(")
        ]
        broken += bool(bad)
        said = f"   BROKEN: {', '.join(bad)}" if bad else ""
        print(f"{name:34}{figures}{of_reference:15.2f}{of_small:18.2f}{queries:10}{p95:14.1f}{said}")
    print(
        f"\nBounds: {MOST_QUERIES} queries, {OF_REFERENCE} x the reference page, {OF_SMALLEST} x from {small:,} to "
        f"{large:,} users: {'all held' if not broken else f'{broken} pages broke one'}."
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
