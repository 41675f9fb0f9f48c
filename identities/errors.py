"""The base of every error that a user can be told about."""

from __future__ import annotations


class IdentityError(Exception):
    """Something a person asked for cannot be done; `user_message` says what, with which value, and the remedy.

    The message never holds a secret. `code` is stable and machine readable, `field` names the form or schema
    field at fault ("" when none is).
    """

    code = "identity-error"

    def __init__(self, user_message: str, *, field: str = "") -> None:
        super().__init__(user_message)
        self.user_message = user_message
        self.field = field
