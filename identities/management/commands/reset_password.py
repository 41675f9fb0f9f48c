"""`manage.py reset_password NAME`: print a one-time link by which somebody sets a new password."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from identities.errors import IdentityError
from identities.models import Person
from identities.policy.principal import Principal
from identities.services import resets
from identities.services import second_factors as factors


class Command(BaseCommand):
    """For installations without mail, and for owners who lost what they sign in with."""

    help = "Print a one-time link by which somebody sets a new password; --second-factors also removes those they lost."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose, and whether the second factors go."""
        parser.add_argument("name", help="the name that the person signs in with")
        parser.add_argument(
            "--second-factors", action="store_true", help="remove all their second factors, too"
        )

    def handle(self, *args: Any, name: str, second_factors: bool = False, **options: Any) -> None:
        """Print the link."""
        principal = Principal.command("reset_password")
        person = Person.objects.filter(username__iexact=name).first()
        if person is None:
            raise CommandError(f"Nobody signs in as “{name}” here.")
        try:
            if second_factors:
                factors.take_all(principal=principal, person=person)
            link = resets.link_for(principal=principal, person=person)
        except IdentityError as refused:
            raise CommandError(refused.user_message) from None
        self.stdout.write(
            f"To set a new password, {person.username} opens (works once, for {resets.hours()} hours):"
        )
        self.stdout.write(f"  {link}")
