"""The key ring: named 32-byte keys, the first of which seals; the others only open what they sealed."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterator, Mapping
from typing import Final, NoReturn

from nacl.utils import random

from identities.vault.errors import VaultError

KEY_SIZE: Final = 32
_KEY_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_LONGEST_TEXT = 64 * 1024
FORM = (
    "one key or several as id:base64 (32 bytes each), separated by commas or line ends, the sealing key first"
)


class KeyRing:
    """Keys by id. Never printed, never pickled, never compared; `primary` is the id of the sealing key."""

    __slots__ = ("_keys", "primary")

    def __init__(self, keys: Mapping[str, bytes], primary: str) -> None:
        """Take keys of 32 bytes each. Raises: VaultError."""
        for key_id, key in keys.items():
            if _KEY_ID.fullmatch(key_id) is None:
                raise VaultError("A key id of the ring is malformed. Use up to 32 of a-z, 0-9, - and _.")
            if len(key) != KEY_SIZE:
                raise VaultError(f"Key {key_id} of the ring has {len(key)} bytes instead of {KEY_SIZE}.")
        if primary not in keys:
            raise VaultError("The key ring is empty, or its sealing key is not in it.")
        if len({bytes(key) for key in keys.values()}) != len(keys):
            raise VaultError("Two keys of the ring are the same. Make a new key instead of renaming one.")
        self._keys = {key_id: bytes(key) for key_id, key in keys.items()}
        self.primary = primary

    @classmethod
    def from_text(cls, text: str) -> KeyRing:
        """Read `k2:base64,k1:base64`, or one key a line with `#` comments; the first key seals.

        Raises: VaultError.
        """
        if len(text) > _LONGEST_TEXT:
            raise VaultError(f"The key ring's text is too long. It holds {FORM}.")
        keys: dict[str, bytes] = {}
        for entry in _entries(text):
            key_id, colon, encoded = entry.partition(":")
            if not colon or _KEY_ID.fullmatch(key_id) is None:
                raise VaultError(f"Key {len(keys) + 1} of the ring has no id. The ring holds {FORM}.")
            if key_id in keys:
                raise VaultError(f"The key ring holds {key_id} twice. Give each key its own id.")
            keys[key_id] = _decoded(key_id, encoded)
        if not keys:
            raise VaultError(f"The key ring is empty. It holds {FORM}.")
        return cls(keys, next(iter(keys)))

    def key(self, key_id: str) -> bytes:
        """The key's 32 bytes. Raises: VaultError when the ring lacks it."""
        try:
            return self._keys[key_id]
        except KeyError:
            raise VaultError(
                f"The master key ring has no key {key_id!r}, with which this was sealed. "
                f"It has: {', '.join(sorted(self._keys))}. Start again with the ring that holds it."
            ) from None

    def holds(self, key: bytes) -> bool:
        """True when `key` is one of the ring's."""
        return any(hmac.compare_digest(key, held) for held in self._keys.values())

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the sealing one first."""
        return (self.primary, *sorted(key_id for key_id in self._keys if key_id != self.primary))

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return f"<KeyRing {', '.join(self.ids)}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key ring is never pickled or copied")


def _entries(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if not line.lstrip().startswith("#"):
            yield from (entry.strip() for entry in line.split(",") if entry.strip())


def _decoded(key_id: str, encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded.strip().translate({0x2D: "+", 0x5F: "/"}), validate=True)
    except (binascii.Error, ValueError):
        raise VaultError(f"Key {key_id} of the ring is not base64. The ring holds {FORM}.") from None
    if len(key) != KEY_SIZE:
        raise VaultError(f"Key {key_id} of the ring has {len(key)} bytes instead of {KEY_SIZE}.")
    return key


def new_key_text(key_id: str) -> str:
    """A fresh random key as one entry of a ring's text: `id:base64`."""
    return f"{key_id}:{base64.b64encode(random(KEY_SIZE)).decode('ascii')}"
