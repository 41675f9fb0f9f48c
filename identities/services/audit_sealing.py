"""What seals an event of the audit chain to the one before: an HMAC by a key of this installation."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from identities.models import Installation
from identities.services import secrets

KEY_ID = "audit-1"
Seal = Callable[[str, str], str]
"""The seal (hex) of an event: of the seal before it and of its canonical text."""


@contextmanager
def sealing() -> Iterator[Seal]:
    """What seals, for the length of a block."""
    installed = Installation.objects.only("audit_key").get()
    with secrets.opened(
        bytes(installed.audit_key), table="installation", public_key="", purpose="audit"
    ) as key:
        secret = key.reveal()
        yield lambda prev, canonical: hmac.new(
            secret,
            # surrogates stand for bytes that somebody put into the table and that are no text
            (prev + canonical).encode("utf-8", "surrogateescape"),
            hashlib.sha256,
        ).hexdigest()
