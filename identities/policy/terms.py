"""How long what is handed out lives: the short-lived creds of a role, and one-time links."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

LEAST = 10
MOST = 366 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Lifetimes in seconds."""

    shortest: int = 60
    usual: int = 3600
    longest: int = 86_400

    def lifetime(self, asked: int | None) -> int:
        """How long creds live for which `asked` seconds were asked for (None: nothing was)."""
        return self.usual if asked is None else min(max(asked, self.shortest), self.longest)


USUAL = Terms()
"""Those of a role of which nobody said anything else."""


LINK_LEAST, LINK_MOST = timedelta(minutes=5), timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkWish:
    """How long a one-time link opens, and for whom: a person by the name that they sign in with ("" for whoever has
    the link), or `for_name` in words.
    """

    lasting: timedelta
    username: str = ""
    for_name: str = ""
