"""Files that are closed to everybody but their owner, whatever mode their directory has and with whatever umask."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_OWNER_ONLY = 0o600
_BESIDE = ("-wal", "-shm", "-journal")
"""SQLite gives these the mode of their database. Source: SQLite's os_unix.c, `findCreateFileMode`."""


def close(*paths: Path) -> list[Path]:
    """Close those of these files that are there; which stay open to others, because they belong to somebody else.

    No file is opened: closing a database again would let go of the locks of this process's connections.
    """
    left = []
    for path in paths:
        try:
            if stat.S_IMODE(path.stat().st_mode) & ~_OWNER_ONLY:
                path.chmod(_OWNER_ONLY)
        except FileNotFoundError:
            continue
        except OSError:
            left.append(path)
    return left


def database(name: str) -> list[Path]:
    """The files of the SQLite database `name`; it is made, empty, where it is missing: SQLite would go by the umask."""
    if name.startswith((":", "file:")):
        return []
    path = Path(name).resolve()
    if path.parent.is_dir() and not path.exists():
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY))
        except OSError:
            pass  # somebody else was faster, or SQLite will say what is wrong
    return [path, *(path.with_name(path.name + ending) for ending in _BESIDE)]
