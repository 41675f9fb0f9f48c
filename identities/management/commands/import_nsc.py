"""`manage.py import_nsc`: brings an nsc store in, with its keys, as it is."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from identities.errors import IdentityError
from identities.policy.principal import Principal
from identities.services import import_parallel, importing
from identities.services.import_items import Choices
from identities.services.import_reading import Collected, Collector
from identities.services.import_staging import EVERY
from identities.services.import_summaries import Summary

EVERY_SECONDS = 1.0
_WORDS = {
    "new": "new",
    "changed": "changed",
    "unchanged": "unchanged",
    "older": "older than here",
    "ask": "with a taken name",
    "left": "left out",
}


class Command(BaseCommand):
    """Nothing is signed and no text changes. Doing it again changes nothing. Exit code 1 when something stays out."""

    help = "Import operators, accounts, users and keys from an nsc store; every JWT stays as it is."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where store and keys are, and how much is done."""
        parser.add_argument(
            "stores",
            metavar="STORES_DIR",
            type=Path,
            help="nsc's stores (nsc env shows where), or any folder of JWTs",
        )
        parser.add_argument(
            "--keystore",
            metavar="DIR",
            type=Path,
            help="nsc's keys and creds; without them keys are public only",
        )
        parser.add_argument(
            "--operator", metavar="NAME", default="", help="of several operators this one alone; or the operator here "
            "that accounts without a known operator are to belong to",
        )  # fmt: skip
        parser.add_argument(
            "--rename", metavar="KEY=NAME", action="append", default=[],
            help="a name for what would otherwise stay out, as its own is taken; may be given several times",
        )  # fmt: skip
        parser.add_argument(
            "--resign", metavar="KEY", action="append", default=[],
            help="an account that its operator did not sign, to be signed anew; all: every one",
        )  # fmt: skip
        parser.add_argument("--dry-run", action="store_true", help="show the plan and change nothing")
        parser.add_argument("--json", action="store_true", help="the plan or report as one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, then plan or import, then tell."""
        principal = Principal.command("import_nsc")
        try:
            collected = self._read(options)
            choices = self._choices(options, collected)
            if options["dry_run"]:
                report = importing.plan(principal=principal, collected=collected, choices=choices)
            else:
                report = importing.perform(principal=principal, collected=collected, choices=choices)
        except IdentityError as refused:
            raise CommandError(refused.user_message) from None
        if options["json"]:
            self.stdout.write(json.dumps(report, ensure_ascii=False))
        else:
            for line in _told(report, planned=options["dry_run"]):
                self.stdout.write(line)
        if any(note["tone"] == "left" for note in report["notes"]):
            sys.exit(1)

    def _read(self, options: dict[str, Any]) -> Collected:
        collector = Collector(seal=not options["dry_run"])
        told = [time.monotonic()]

        def tick(done: int, total: int) -> None:
            if time.monotonic() - told[0] > EVERY_SECONDS and not options["json"]:
                told[0] = time.monotonic()
                self.stderr.write(f"read {done:,} of {total:,} files")

        folders = [folder for folder in (options["stores"], options["keystore"]) if folder is not None]
        for folder in folders:
            if not folder.is_dir():
                raise CommandError(f"{folder} is no folder.")
        import_parallel.folders(collector, [folder.resolve() for folder in folders], tick)
        return collector.finished()

    def _choices(self, options: dict[str, Any], collected: Collected) -> Choices:
        operator = options["operator"]
        brought = any(operator in (one.key, one.name) for one in collected.operators.values())
        if operator and not brought and not importing.is_here(operator):
            raise CommandError(f"There is no operator “{operator}” in this store, and none here.")
        return Choices(
            only=operator if brought else "",
            under="" if brought else operator,
            renames=dict(_pair(text) for text in options["rename"]),
            resign=frozenset(EVERY if key == "all" else key for key in options["resign"]),
        )


def _pair(text: str) -> tuple[str, str]:
    key, sign, name = text.partition("=")
    if not sign:
        raise CommandError(f"--rename {text}: write it as KEY=NAME.")
    return key, name


def _told(report: Summary, *, planned: bool) -> Iterator[str]:
    """A plan or report in lines."""
    for kind in ("operator", "account", "user"):
        counts = report["counts"][kind]
        if counts:
            words = ", ".join(f"{counts[state]:,} {_WORDS[state]}" for state in _WORDS if state in counts)
            yield f"{kind}s: {words}"
    seeds = report["seeds"]
    yield (
        f"seeds: {seeds['brought']:,} came along, {seeds['fills']:,} had been missing, {seeds['here']:,} are here, "
        f"{seeds['missing']:,} are missing"
    )
    for asked in report["asks"]:
        yield f"taken    {asked['kind']} “{asked['name']}” ({asked['key']}): {asked['why']}"
    for note in report["notes"]:
        where = ", ".join(note["where"]) + (" …" if note["count"] > len(note["where"]) else "")
        yield f"{note['tone']:8} {note['message']}{f': {where}' if where else ''}"
    for line in report["stuck"]:
        yield f"note     {line}"
    if planned:
        yield "Nothing was changed: this was the plan."
    elif report["nothing"]:
        yield "Nothing was changed: all of it is here already."
    else:
        yield "Done."
