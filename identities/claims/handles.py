"""Short names for entries of lists in claims, for addresses of pages: the same as long as the entry is the same one.

Positions won't do: encoding sorts the lists (spec §9.1), and somebody else may add an entry before it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

LENGTH = 12


def handle(*identity: str) -> str:
    """Twelve hexadecimal digits that stand for what makes an entry itself, such as its type and subject."""
    return hashlib.sha256("\x00".join(identity).encode()).hexdigest()[:LENGTH]


def handles(identities: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """One handle an entry, in their order; the second of two entries with one identity gets one of its own."""
    seen: Counter[tuple[str, ...]] = Counter()
    found = []
    for identity in identities:
        seen[identity] += 1
        again = (str(seen[identity]),) if seen[identity] > 1 else ()
        found.append(handle(*identity, *again))
    return tuple(found)
