"""`manage.py sign_claims`: signs claims that were downloaded, on the machine where the key is; needs no database."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from identities.claims import codec
from identities.errors import IdentityError
from identities.nkeys import KeyPair
from identities.services import clock

_SEED = re.compile(r"(?<![A-Z2-7])S[OAU][A-Z2-7]{56}(?![A-Z2-7])")


class Command(BaseCommand):
    """Sets the times of issue and the issuer, signs, and checks its own output. The seed is read and never shown."""

    help = "Sign claims (a .claims.json file of nscweb) with a seed that is on this machine."
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What is signed, and by whom."""
        parser.add_argument("claims", metavar="FILE", type=Path, help="the claims that were downloaded")
        parser.add_argument(
            "--seed-file",
            metavar="KEY.nk",
            type=Path,
            required=True,
            help="the seed that signs, as nsc keeps it",
        )
        parser.add_argument("--out", metavar="FILE", type=Path, help="where the JWT goes; else it is printed")

    def handle(self, *args: Any, **options: Any) -> None:
        """Sign one file."""
        try:
            payload = options["claims"].read_text(encoding="utf-8")
            seed = _SEED.findall(options["seed_file"].read_text(encoding="latin-1"))
        except OSError as unread:
            raise CommandError(f"{unread.filename}: {unread.strerror}") from None
        if len(seed) != 1:
            raise CommandError(f"{options['seed_file']} holds no seed, or more than one.")
        try:
            text = _signed(payload, seed[0])
        except IdentityError as refused:
            raise CommandError(refused.user_message) from None
        if options["out"] is None:
            self.stdout.write(text)
        else:
            options["out"].write_text(text, encoding="ascii")


def _signed(payload: str, seed: str) -> str:
    claims = codec.from_payload(payload)
    pair = KeyPair.from_seed(seed)
    try:
        return codec.encode_checked(claims, pair, max(clock.unix(), claims.iat + 1)).text
    finally:
        pair.wipe()
