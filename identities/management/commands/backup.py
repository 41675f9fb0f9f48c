"""`manage.py backup`: everything in the database into one sealed file, while others go on working."""

from __future__ import annotations

import base64
import binascii
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from nacl.utils import random

from identities.errors import IdentityError
from identities.formats.sealed_stream import KEY_SIZE, Lock
from identities.nkeys import SecretBytes
from identities.policy.principal import Principal
from identities.services import backing_up

REFUSED = 2


def add_lock(parser: ArgumentParser) -> None:
    """The option that both commands take beside NSCWEB_BACKUP_KEY."""
    parser.add_argument(
        "--passphrase-file",
        metavar="FILE",
        type=Path,
        help="seal with the passphrase in this file instead of NSCWEB_BACKUP_KEY",
    )


def lock_of(passphrase: Path | None) -> Lock:
    """What seals or opens. Raises: IdentityError, CommandError."""
    if passphrase is not None:
        try:
            return Lock.passphrase(SecretBytes(passphrase.read_bytes().strip(b"\r\n")))
        except OSError as failed:
            raise CommandError(f"{passphrase}: {failed.strerror}.", returncode=REFUSED) from None
    given = settings.NSCWEB_BACKUP_KEY
    if not given:
        raise CommandError(
            "There is no backup key. Set NSCWEB_BACKUP_KEY or NSCWEB_BACKUP_KEY_FILE (`manage.py backup --new-key "
            "FILE` makes a key), or give --passphrase-file.",
            returncode=REFUSED,
        )
    try:
        return Lock.key(SecretBytes(base64.b64decode(given, validate=True)))
    except (binascii.Error, ValueError):
        raise CommandError("NSCWEB_BACKUP_KEY is not base64.", returncode=REFUSED) from None


class Command(BaseCommand):
    """Exit code 0: written, 2: refused, and nothing is there."""

    help = (
        "Write everything in the database to FILE, sealed with the backup key; the master key is not in it."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to, and with which key."""
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument(
            "file", metavar="FILE", type=Path, nargs="?", help="a file that does not exist yet"
        )
        where.add_argument(
            "--new-key", metavar="KEYFILE", type=Path, help="make a backup key there, and nothing else"
        )
        add_lock(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Write, and tell."""
        if options["new_key"]:
            _new_key(options["new_key"])
            self.stdout.write(
                f"{options['new_key']}: a new backup key. Keep a copy away from this machine: without it no backup "
                "that it sealed can be opened."
            )
            return
        try:
            written = backing_up.write(
                principal=Principal.command("backup"),
                path=options["file"],
                lock=lock_of(options["passphrase_file"]),
                tick=self._tick if options["verbosity"] > 1 else None,
            )
        except IdentityError as refused:
            raise CommandError(refused.user_message, returncode=REFUSED) from None
        except OSError as failed:
            raise CommandError(
                f"{failed.filename or options['file']}: {failed.strerror}.", returncode=REFUSED
            ) from None
        self.stdout.write(
            f"{options['file']}: {written.rows:,} rows of {written.tables} tables, {written.size:,} bytes. The "
            "master key is not in it: keep a copy of that somewhere else."
        )

    def _tick(self, table: str, rows: int) -> None:
        self.stderr.write(f"{table}: {rows:,} rows")


def _new_key(path: Path) -> None:
    try:
        with open(path, "xb", opener=_private) as file:  # Path.open takes no opener
            file.write(base64.b64encode(random(KEY_SIZE)) + b"\n")
    except OSError as failed:
        raise CommandError(f"{path}: {failed.strerror}.", returncode=REFUSED) from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
