"""`manage.py validate`: what `nsc validate --all-accounts` says, and what only servers would."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from identities.claims.report import Grade
from identities.claims.validate_text import quote
from identities.formats import tables
from identities.models import Operator
from identities.policy.principal import Principal
from identities.services import clock, validating
from identities.services.columns import folded
from identities.services.validating import Checked
from identities.services.validating_users import Finding


class Command(BaseCommand):
    """Exit code 1 when something is wrong, as nsc's: an error or a time check; warnings alone are 0."""

    help = (
        "Check every operator, account and user: claims, who signed them, imports, and what servers refuse."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One operator, or all; for people or for programs."""
        parser.add_argument(
            "--operator", metavar="NAME", help="only this operator, by its name or public key"
        )
        parser.add_argument("--json", action="store_true", help="one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check, print, and say by the exit code whether all is well."""
        principal = Principal.command("validate")
        checked: dict[str, list[Checked]] = {}
        for operator in _operators(options["operator"]):
            found = validating.check(principal=principal, operator=operator, now=clock.unix())
            if options["json"]:
                checked[operator.public_key] = list(found)
                continue
            checked[operator.public_key] = [self._print(one) for one in found]
        fatal = any(one.fatal for found in checked.values() for one in found)
        if options["json"]:
            self.stdout.write(json.dumps(_document(checked, ok=not fatal), ensure_ascii=False, indent=2))
        elif fatal:
            self.stderr.write("Error: validation found errors")
        if fatal:
            sys.exit(1)

    def _print(self, one: Checked) -> Checked:
        self.stdout.write(told(one, one.findings))
        return one


def told(one: Checked, findings: Iterable[Finding]) -> str:
    """Findings of one object as nsc's table of it."""
    title = f"{one.kind.capitalize()} {quote(one.name)}"
    rows = [
        (str(number), "" if grade is Grade.WARNING else "!", text)
        for number, (grade, text) in enumerate(_lines(findings), start=1)
    ]
    if not rows:
        return tables.table(title, (), [("No issues found",)])
    return tables.table(title, ("#", " ", "Description"), rows)


def _lines(findings: Iterable[Finding]) -> Iterator[tuple[Grade, str]]:
    """One line a finding, and one a user; of many users the first, and how many more."""
    for found in findings:
        if not found.count:
            yield found.grade, found.message
            continue
        for name, _ in found.users:
            yield found.grade, f"user {quote(name)}{_said(found.message)}"
        if (more := found.count - len(found.users)) > 0:
            yield (
                found.grade,
                f"and {more:,} more {'user' if more == 1 else 'users'} likewise: {found.message}",
            )


def _said(message: str) -> str:
    """nsc's own findings about users go on as a sentence; all others follow a colon."""
    return f" {message}" if message.startswith("is ") else f": {message}"


def _operators(name: str | None) -> list[Operator]:
    live = Operator.objects.live().order_by("name", "pk")
    if not name:
        return list(live)
    found = live.filter(name_fold=folded(name)).first() or live.filter(public_key=name).first()
    if found is None:
        raise CommandError(f"There is no operator “{name}”.")
    return [found]


def _document(checked: dict[str, list[Checked]], *, ok: bool) -> dict[str, Any]:
    return {
        "ok": ok,
        "operators": [
            {"key": key, "name": found[0].name, "objects": [_object(one) for one in found if one.findings]}
            for key, found in checked.items()
        ],
    }


def _object(one: Checked) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "name": one.name,
        "key": one.key,
        "findings": [
            {
                "grade": found.grade.value,
                "path": found.path,
                "message": found.message,
                "nsc": found.nsc,
                **(
                    {"users": found.count, "first": [{"name": name, "key": key} for name, key in found.users]}
                    if found.count
                    else {}
                ),
            }
            for found in one.findings
        ],
    }
