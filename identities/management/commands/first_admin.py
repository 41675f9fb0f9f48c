"""`manage.py first_admin`: print the one-time link that makes the first administrator."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.urls import reverse

from identities.errors import IdentityError
from identities.policy.principal import Principal
from identities.services import people, secrets


class Command(BaseCommand):
    """Sets up the installation when it is new, and prints the link again while there is no administrator."""

    help = "Print the one-time link that makes the first administrator (while there is none)."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the link; earlier ones stop working."""
        try:
            secrets.initialise()
            token = people.first_admin_token(principal=Principal.command("first_admin"))
        except IdentityError as refused:
            raise CommandError(refused.user_message) from None
        except DatabaseError as error:
            raise CommandError(f"The database can't be used: {error}. Run manage.py migrate first.") from None
        link = settings.NSCWEB_URL + reverse("first-admin", args=[token])
        self.stdout.write(
            f"To make the first administrator, open (works once, for {people.LINK_HOURS} hours):"
        )
        self.stdout.write(f"  {link}")
