"""`manage.py manifest`: an operator as YAML, to keep in git, edit and apply."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from identities.errors import IdentityError
from identities.policy.principal import Principal
from identities.services import manifests


class Command(BaseCommand):
    """The same operator always gives the same text. It holds no secret."""

    help = "Write an operator with its accounts, roles and users as a manifest (YAML) to standard output."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which operator, and how its objects are named."""
        parser.add_argument("operator", metavar="OPERATOR", help="its name or public key")
        parser.add_argument(
            "--keys", action="store_true", help="with public keys, so that a changed name renames"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write it."""
        principal = Principal.command("manifest")
        try:
            operator = manifests.operator_called(principal, options["operator"])
            text = manifests.text(principal, operator, keys=options["keys"])
        except IdentityError as refused:
            raise CommandError(refused.user_message) from None
        self.stdout.write(text, ending="")
