"""Where sessions are kept: the browser holds a random secret, the database only its hash.

Django's `session_key` is that hash, in rows and everywhere in Python: a copy of the database opens no session.
"""

from __future__ import annotations

import hashlib
import secrets

from django.contrib.sessions.backends import db

_BYTES = 32
_DIGITS = 40
"""Hexadecimal digits of SHA-256 that are kept, 160 bits: the columns are of that length. The secret is random, so that
no salt and no slow hash is needed.
"""


def key_of(secret: str) -> str:
    """The session key that belongs to what a browser holds."""
    return hashlib.sha256(secret.encode()).hexdigest()[:_DIGITS]


class SessionStore(db.SessionStore):
    """Django's sessions in the database, found by the hash of their secret; `secret` is never saved."""

    secret = ""

    @classmethod
    def of(cls, secret: str) -> SessionStore:
        """The session of whoever holds this secret; a new one for who holds none."""
        store = cls(key_of(secret) if secret else None)
        store.secret = secret
        return store

    def _get_new_session_key(self) -> str:
        self.secret = secrets.token_urlsafe(_BYTES)
        return key_of(self.secret)
