"""Keys that were generated ahead of their use: whoever gives one's public key gets its seed with it.

That is how nsc's keystore works: `nsc generate nkey --store`, then the public key wherever one is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from identities.models import Key, Purpose
from identities.nkeys import KeyKind


def of(operator_id: int, kind: KeyKind, public_keys: Sequence[str]) -> dict[str, Key]:
    """The spare keys of that kind under an operator among `public_keys`, by public key."""
    if not public_keys:
        return {}
    rows = Key.objects.filter(
        operator_id=operator_id,
        public_key__in=public_keys,
        kind=kind.value,
        purpose=Purpose.SPARE,
        deleted_at=None,
    )
    return {key.public_key: key for key in rows}


def one(operator_id: int, kind: KeyKind, public_key: str) -> Key | None:
    """The spare key with this public key; None when there is none."""
    return of(operator_id, kind, [public_key]).get(public_key)


def taken(operator_id: int, kind: KeyKind, public_keys: Sequence[str]) -> dict[str, bytes]:
    """The sealed seeds of the spare keys among `public_keys`, whose rows give way to those that their caller makes."""
    rows = of(operator_id, kind, public_keys)
    Key.objects.filter(pk__in=[key.pk for key in rows.values()]).delete()
    return {text: bytes(key.sealed) for text, key in rows.items() if key.sealed is not None}
