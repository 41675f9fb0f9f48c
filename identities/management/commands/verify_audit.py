"""`manage.py verify_audit`: walks the audit chain, and names every row that does not fit."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from identities.errors import IdentityError
from identities.services import audit_checking
from identities.services.audit_checking import MOST_FINDINGS, Checked, Head

BROKEN = 1
CANT_TELL = 2
_FORM = 'one JSON object: {"seq": 12, "hash": "…"}'


class Command(BaseCommand):
    """Reads on while others write. Exit code 0: everything fits, 1: something does not, 2: it could not be checked."""

    help = "Check that no row of the audit was changed, removed, moved or cut off."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where an end of the chain is noted, and in which form to tell."""
        parser.add_argument(
            "--head",
            metavar="FILE",
            type=Path,
            help="an end of the chain that was noted earlier and kept elsewhere: finds a chain that was cut off "
            "or rewritten together with its end",
        )
        parser.add_argument(
            "--note-head",
            metavar="FILE",
            type=Path,
            help="note the end of the chain there, if everything fits; keep the file on another machine",
        )
        parser.add_argument("--json", action="store_true", help="tell it as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Walk, tell, and note the end."""
        noted = _read(options["head"]) if options["head"] else None
        try:
            checked = audit_checking.check(
                noted=noted, tick=lambda done: self.stderr.write(f"checked {done:,} events")
            )
        except IdentityError as refused:
            raise CommandError(refused.user_message, returncode=CANT_TELL) from None
        self.stdout.write(json.dumps(_as_json(checked)) if options["json"] else "\n".join(_told(checked)))
        if checked.findings:
            sys.exit(BROKEN)
        if options["note_head"]:
            _note(options["note_head"], checked)


def _told(checked: Checked) -> list[str]:
    lines = [str(finding) for finding in checked.findings]
    if not lines:
        return [
            f"Every event fits the one before: {checked.events:,} events, last seal {checked.hash or 'none'}"
        ]
    more = " or more" if len(lines) >= MOST_FINDINGS else ""
    return [*lines, f"The audit was changed from outside: {len(lines):,}{more} things do not fit."]


def _as_json(checked: Checked) -> dict[str, object]:
    found = [{"seq": one.seq, "row": one.row, "text": one.text} for one in checked.findings]
    return {"events": checked.events, "seq": checked.seq, "hash": checked.hash, "findings": found}


def _read(path: Path) -> Head:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        seq, seal = held["seq"], held["hash"]
    except OSError as failed:
        raise CommandError(f"{path}: {failed.strerror}.", returncode=CANT_TELL) from None
    except (ValueError, TypeError, KeyError):
        raise CommandError(f"{path} is no noted end: it holds {_FORM}.", returncode=CANT_TELL) from None
    if type(seq) is not int or not isinstance(seal, str):
        raise CommandError(f"{path} is no noted end: it holds {_FORM}.", returncode=CANT_TELL)
    return Head(seq, seal)


def _note(path: Path, checked: Checked) -> None:
    try:
        path.write_text(json.dumps({"seq": checked.seq, "hash": checked.hash}) + "\n", encoding="utf-8")
    except OSError as failed:
        raise CommandError(f"{path}: {failed.strerror}.", returncode=CANT_TELL) from None
