"""How a form says what it refuses: the value itself, in a readable length, what is wrong with it, what to write."""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError

from identities.formats.errors import LONGEST_SHOWN, shown

UNSEEN = "It holds a character that cannot be seen. Type it anew."
_ENDLESS = re.compile(r"\S{121,}")
_KEPT = 40


def sentence(message: str, remedy: str = "") -> str:
    """A Go message as a sentence, the name of the server as it is written, with what to do about it."""
    begun = message if message.startswith("nats-server ") else message[:1].upper() + message[1:]
    return f"{begun.rstrip('.')}. {remedy}" if remedy else begun


def worded(refused: ValidationError, typed: str) -> ValidationError:
    """The same refusal, its messages made readable; those that don't name the value `typed` begin with it."""
    return ValidationError(
        [
            ValidationError(_worded(message, each.code or "", typed), code=each.code)
            for each in refused.error_list
            for message in each.messages
        ]
    )


def _worded(message: str, code: str, typed: str) -> str:
    text = UNSEEN if code == "null_characters_not_allowed" else message
    text = _ENDLESS.sub(lambda found: f"{found[0][:_KEPT]}…", text)
    if code == "required" or not typed.strip() or len(typed) > LONGEST_SHOWN or typed.strip() in text:
        return text
    return f"{shown(typed)}: {text}"
