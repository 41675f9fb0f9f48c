"""`manage.py inspect`: what a JWT or creds file says, who stands behind it, and what is wrong with it."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from identities.errors import IdentityError
from identities.policy.principal import Principal
from identities.services import clock, inspection


class Command(BaseCommand):
    """Nothing is stored. Exit code 1 when some token is refused or has blocking errors."""

    help = "Decode, verify and judge JWTs of NATS, or creds files; nothing is stored."
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Files, or - for standard input."""
        parser.add_argument(
            "files", nargs="+", metavar="FILE", help="a JWT or creds file, or - for standard input"
        )
        parser.add_argument("--json", action="store_true", help="one JSON document for each file")
        parser.add_argument(
            "--lines",
            action="store_true",
            help="one token a line in, one JSON object a line out; no database is asked",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Inspect every file."""
        inspect = self._lines if options["lines"] else self._json if options["json"] else self._words
        good = [inspect(name, _read(name)) for name in options["files"]]
        if not all(good):
            sys.exit(1)

    def _lines(self, name: str, text: str) -> bool:
        good = True
        now = clock.unix()
        for line in text.splitlines():
            if token := line.strip():
                verdict = inspection.judge(token, now=now)
                good = good and not verdict.blocking
                self.stdout.write(json.dumps(verdict.as_json(), ensure_ascii=False))
        return good

    def _json(self, name: str, text: str) -> bool:
        try:
            found = _inspected(text)
        except IdentityError as refused:
            said = {"file": name, "ok": False, "decode_error": refused.user_message}
            self.stdout.write(json.dumps(said, ensure_ascii=False))
            return False
        said = {
            "file": name,
            **found.verdict.as_json(),
            "advice": [{"path": issue.path, "message": issue.message} for issue in found.advice],
            "chain": [{"text": link.text, "grade": link.tone, "key": link.key} for link in found.chain],
            "names": found.names,
        }
        self.stdout.write(json.dumps(said, ensure_ascii=False, indent=2))
        return not found.verdict.blocking

    def _words(self, name: str, text: str) -> bool:
        try:
            found = _inspected(text)
        except IdentityError as refused:
            self.stdout.write(f"{name}: {refused.user_message}")
            return False
        for line in _told(name, found):
            self.stdout.write(line)
        return not found.verdict.blocking


def _told(name: str, found: inspection.Inspection) -> Iterator[str]:
    verdict = found.verdict
    if not verdict.ok:
        yield f"{name}: refused: {verdict.decode_error}"
    else:
        yield f"{name}: {verdict.type or 'generic'} JWT, version {verdict.version}, its signature is right"
    if found.seed:
        yield f"  the seed beside it {found.seed}"
    for link in found.chain:
        yield f"  {link.tone:6} {link.text}{f': {link.key}' if link.key else ''}"
    for issue in (*verdict.report, *found.advice):
        yield f"  {issue.grade.value:9} {issue.message}{f' ({issue.path})' if issue.path else ''}"
    for key, known in found.names.items():
        yield f"  {key}  {known}"
    if (document := verdict.document()) is not None:
        yield json.dumps(document, ensure_ascii=False, indent=2)


def _inspected(text: str) -> inspection.Inspection:
    principal = Principal.command("inspect")
    try:
        return inspection.inspect(principal=principal, text=text, now=clock.unix())
    except DatabaseError:  # a machine without an installation: the token itself can still be judged
        return inspection.inspect_alone(text=text, now=clock.unix())


def _read(name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from None
    return data.decode("utf-8", "replace")
