"""What can be wrong with a file or a value that a person hands in or asks for."""

from __future__ import annotations

from identities.errors import IdentityError


class FormatError(IdentityError):
    """A text cannot be read, or a file cannot be written from these options; the message says what to do."""

    code = "format-error"


LONGEST_SHOWN = 60


def shown(text: str) -> str:
    """The offending value for a message: control characters made visible, cut to a readable length."""
    clean = "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[: LONGEST_SHOWN + 1]
    )
    return f"“{clean}”" if len(clean) <= LONGEST_SHOWN else f"“{clean[:LONGEST_SHOWN]}…”"
