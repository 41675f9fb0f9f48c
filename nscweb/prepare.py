"""Everything between a fresh checkout (or a new version) and a server that can start: `python -m nscweb.prepare`.

Runs again at every start, so each step is quick when there is nothing to do.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import socket
import sys
from io import StringIO
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command

NATS_PORT = 4222
UNUSED = ["htmx-4*", "htmax-4*", "hx-*", "htmx-2.js"]
"""What django-htmx ships beside the one script that pages load: compressing it would double the first start."""


def main() -> int:
    """Database, cache table, keys, static files, first administrator; 0, or 1 when the database can't be used."""
    parser = argparse.ArgumentParser(prog="python -m nscweb.prepare", description=__doc__)
    parser.add_argument("--demo", action="store_true", help="also set up the sample operator")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nscweb.settings")
    django.setup()
    from django.db import DatabaseError  # after the settings have chosen the SQLite library

    try:
        if open_database():
            if options.demo:
                demo()
            first_administrator()
    except DatabaseError as error:
        sys.stderr.write(f"nscweb: the database can't be used: {str(error).strip()}\n")
        return 1
    collect_static()
    return 0


def open_database() -> bool:
    """Migrate and unseal; False when the master key does not fit, and then nothing has been written."""
    from django.db import connection

    from identities.services import secrets

    if (
        "identities_installation" in connection.introspection.table_names()
        and _installed()
        and secrets.is_sealed()
    ):
        return _sealed(secrets.sealed_reason())
    call_command("migrate", interactive=False, verbosity=0)
    call_command("createcachetable", verbosity=0)
    try:
        secrets.initialise()
    except secrets.SealedInstallation as sealed:
        return _sealed(sealed.user_message)
    return True


def _installed() -> bool:
    from identities.models import Installation

    return Installation.objects.only("pk").exists()


def _sealed(reason: str) -> bool:
    sys.stderr.write(f"nscweb: SEALED. {reason}\n")
    return False


def first_administrator() -> None:
    """Print the one-time link while there is no administrator."""
    from identities.services import people

    if people.needs_first_administrator():
        call_command("first_admin")


def demo() -> None:
    """Set up the sample operator, and the configuration of its nats-server on NATS's usual port or a free one."""
    with socket.socket() as probe:
        usual = probe.connect_ex(("127.0.0.1", NATS_PORT)) != 0
    if not usual:
        sys.stdout.write(f"nscweb: port {NATS_PORT} is taken, so the sample nats-server takes a free one\n")
    said = StringIO()
    call_command("demo", nats_port=NATS_PORT if usual else 0, stdout=said)
    sys.stdout.write(f"nscweb: sample nats-server configuration: {said.getvalue().strip()}\n")


def collect_static() -> None:
    """Collect, hash and compress the static files, unless none of their sources has changed."""
    stamp = Path(settings.STATIC_ROOT) / ".sources"
    sources = _sources()
    if stamp.exists() and stamp.read_text(encoding="ascii") == sources:
        return
    call_command("collectstatic", interactive=False, clear=True, verbosity=0, ignore_patterns=UNUSED)
    stamp.write_text(sources, encoding="ascii")


def _sources() -> str:
    """A digest over name, size and time of change of every static file that there is to collect."""
    from django.contrib.staticfiles.finders import get_finders

    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            state = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
