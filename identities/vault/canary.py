"""A known sealed text that tells at start whether the key ring is the one this database was sealed with."""

from __future__ import annotations

from identities.nkeys import SecretBytes
from identities.vault import envelope
from identities.vault.errors import VaultError
from identities.vault.keyring import KeyRing

_SONG = b"nscweb canary 1"
_TABLE, _PURPOSE = "canary", "check the key ring"


def canary(ring: KeyRing) -> bytes:
    """A canary under the ring's sealing key; keep it in the database."""
    return envelope.seal(ring, SecretBytes(_SONG), table=_TABLE, public_key=ring.primary, purpose=_PURPOSE)


def check_canary(ring: KeyRing, blob: bytes) -> bool:
    """True when the ring holds the key under which the canary was sealed, and it opens."""
    try:
        key_id = envelope.key_id_of(blob)
        opened = envelope.open_(ring, blob, table=_TABLE, public_key=key_id, purpose=_PURPOSE)
    except VaultError:
        return False
    with opened:
        return opened == SecretBytes(_SONG)
