"""`manage.py apply`: makes an operator what a manifest says, or tells what that would change."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from identities.errors import IdentityError
from identities.formats.yaml_nodes import MOST_BYTES
from identities.management import manifests as words
from identities.policy.principal import Principal
from identities.services import manifests

DIFFERS = 2
STDIN = "-"


class Command(BaseCommand):
    """All of it, or nothing. Exit code 0: it is as the manifest says; 2: `--dry-run` found differences; 1: refused."""

    help = "Make an operator what a manifest (YAML) says; what is so already is not signed again."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The manifest, and how far it goes."""
        parser.add_argument("file", metavar="FILE", help="the manifest; - reads it from standard input")
        parser.add_argument(
            "--operator",
            metavar="NAME",
            default="",
            help="the operator, by name or key; else the one it names",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="show the plan and change nothing; 2 = something differs"
        )
        parser.add_argument(
            "--prune",
            action="store_true",
            help="delete what the manifest does not name, but of the system account",
        )
        parser.add_argument(
            "--plan",
            metavar="PLAN",
            default="",
            help="apply only what this plan (of --dry-run --json) has shown",
        )
        parser.add_argument("--json", action="store_true", help="the plan as one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, plan or apply, tell."""
        principal = Principal.command("apply")
        data, trial = _read(options["file"]), bool(options["dry_run"])
        try:
            operator = manifests.operator_named(principal, data, options["operator"])
            wanted: dict[str, Any] = {
                "principal": principal,
                "operator": operator,
                "data": data,
                "prune": options["prune"],
            }
            plan = manifests.plan(**wanted) if trial else manifests.apply(**wanted, token=options["plan"])
        except IdentityError as refused:
            raise CommandError(refused.user_message) from None
        if options["json"]:
            self.stdout.write(json.dumps(words.document(plan, applied=not trial), ensure_ascii=False))
        else:
            for line in words.told(plan, applied=not trial):
                self.stdout.write(line)
        if trial and not plan.is_empty:
            sys.exit(DIFFERS)


def _read(name: str) -> bytes:
    if name == STDIN:
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    try:
        with Path(name).open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as failed:
        raise CommandError(f"{name} can't be read: {failed.strerror}.") from None
