"""`manage.py restore`: a backup comes back into an empty installation, all of it or nothing."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from identities.errors import IdentityError
from identities.management.commands.backup import REFUSED, add_lock, lock_of
from identities.policy.principal import Principal
from identities.services import restoring

BROKEN = 1
SEALED = 3


class Command(BaseCommand):
    """Exit code 0: restored, and the audit fits; 1: restored, but the audit does not fit; 2: refused, and nothing has
    changed; 3: restored, but sealed until the master key is here."""

    help = (
        "Read a backup into this installation, which must be empty; makes the tables of a new database first."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where from, and which key opens it."""
        parser.add_argument("file", metavar="FILE", type=Path, help="what `manage.py backup` wrote")
        add_lock(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore, and tell."""
        try:
            lock = lock_of(options["passphrase_file"])
            if not connection.introspection.table_names():
                call_command("migrate", interactive=False, verbosity=0)
                call_command("createcachetable", verbosity=0)
            outcome = restoring.restore(
                principal=Principal.command("restore"),
                path=options["file"],
                lock=lock,
                tick=self._tick if options["verbosity"] > 1 else None,
            )
        except IdentityError as refused:
            raise CommandError(refused.user_message, returncode=REFUSED) from None
        except OSError as failed:
            raise CommandError(
                f"{failed.filename or options['file']}: {failed.strerror}.", returncode=REFUSED
            ) from None
        self.stdout.write(
            f"Restored {outcome.rows:,} rows, as they were on {outcome.made_at} (nscweb {outcome.version})."
        )
        if outcome.sealed:
            self.stdout.write(
                f"SEALED: nothing can be signed or written yet. {outcome.sealed} Then `manage.py verify_audit` tells "
                "whether the audit fits."
            )
            sys.exit(SEALED)
        if outcome.broken:
            self.stdout.write(
                f"The audit was changed before the backup was made: {len(outcome.broken):,} things do not fit. "
                "`manage.py verify_audit` names them."
            )
            sys.exit(BROKEN)
        self.stdout.write(f"The master key fits, and so do all {outcome.events:,} events of the audit.")

    def _tick(self, table: str, rows: int) -> None:
        self.stderr.write(f"{table}: {rows:,} rows")
