"""`manage.py export_nsc`: an operator goes out as a store that nsc takes as its own."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from identities.errors import IdentityError
from identities.models import Operator
from identities.policy.principal import Principal
from identities.services import export_folders, export_reading, exporting
from identities.services.columns import folded
from identities.services.export_plans import Plan

EVERY_SECONDS = 1.0
MOST_NAMED = 5
_WORDS = {
    "new": "written",
    "replaced": "replaced by newer ones",
    "same": "unchanged",
    "kept": "kept as they were there",
}


class Command(BaseCommand):
    """Every JWT leaves as it is. Doing it again brings an earlier export up to date, and loses nothing newer in it.
    Exit code 1 when something could not be opened."""

    help = "Write an operator as an nsc store: DIR/stores, and with its keys DIR/keys."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which operator, where to, and how much of it."""
        parser.add_argument("operator", metavar="OPERATOR", help="its name or public key")
        parser.add_argument(
            "folder",
            metavar="DIR",
            type=Path,
            help="a new or empty folder, or an earlier export",
        )
        parser.add_argument(
            "--with-keys",
            action="store_true",
            help="seeds, creds and the JWTs of bearer users too, in the clear; audited",
        )
        parser.add_argument(
            "--keystore",
            metavar="DIR",
            type=Path,
            help="where nsc's keystore is to be, instead of DIR/keys",
        )
        parser.add_argument(
            "--flat",
            action="store_true",
            help="as nsc export keys --include-jwts: all in DIR, each file named by its key; no creds",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Look at the folder before anything is audited, then plan, write and tell."""
        if options["keystore"] and (options["flat"] or not options["with_keys"]):
            raise CommandError("--keystore goes with --with-keys, and not with --flat.")
        root = options["folder"].expanduser().resolve()
        keystore = options["keystore"].expanduser().resolve() if options["keystore"] else None
        principal = Principal.command("export_nsc")
        told = [time.monotonic()]

        def tick(done: int, total: int) -> None:
            if time.monotonic() - told[0] > EVERY_SECONDS:
                told[0] = time.monotonic()
                self.stderr.write(f"wrote {done:,} of {total:,} files")

        try:
            operator = _operator(options["operator"])
            plan = exporting.prepare(
                principal=principal,
                operator=operator,
                with_keys=options["with_keys"],
                flat=options["flat"],
                placed=lambda found: export_folders.target(found, root, keystore),
            )
            outcome = export_folders.write(plan, root, keystore, tick)
        except IdentityError as refused:
            raise CommandError(refused.user_message) from None
        except OSError as failed:
            raise CommandError(f"{failed.filename or root}: {failed.strerror}.") from None
        for line in _told(plan, outcome):
            self.stdout.write(line)
        if export_reading.UNREADABLE in plan.remarks:
            sys.exit(1)


def _operator(name: str) -> Operator:
    live = Operator.objects.live()
    found = live.filter(name_fold=folded(name)).first() or live.filter(public_key=name).first()
    if found is None:
        raise CommandError(f"There is no operator “{name}”.")
    return found


def _told(plan: Plan, outcome: export_folders.Outcome) -> Iterator[str]:
    users = sum(1 for _ in plan.users())
    yield f"operator “{plan.operator.name}”: {len(plan.accounts):,} accounts, {users:,} users"
    if plan.with_keys:
        yield f"seeds: {sum(1 for _ in plan.all_keys()):,}, in the clear: keep the folder as you would a password"
    if plan.managed:
        yield "none of the operator's keys is here, so nsc is told that somebody else signs its accounts"
    for message, things in plan.remarks.items():
        more = f" … ({len(things):,} in all)" if len(things) > MOST_NAMED else ""
        yield f"note     {message}: {', '.join(things[:MOST_NAMED])}{more}"
    yield ", ".join(
        f"{outcome.counts[state]:,} files {words}" for state, words in _WORDS.items() if outcome.counts[state]
    )
    yield "Done."
