"""`manage.py reseal`: after a new key was put first in the master key ring, move every secret under it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from identities.errors import IdentityError
from identities.policy.principal import Principal
from identities.services import rotation, secrets


class Command(BaseCommand):
    """Re-wraps sealed seeds and bearer tokens under the first key of the ring."""

    help = "Move every sealed secret under the first key of the master key ring; the older keys can go afterwards."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run it."""
        try:
            changed = rotation.reseal_all(principal=Principal.command("reseal"))
        except IdentityError as refused:
            raise CommandError(refused.user_message) from None
        self.stdout.write(f"{changed} secrets moved under master key “{secrets.key_ids()[0]}”.")
