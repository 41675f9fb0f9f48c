"""A file of any length that only one key opens: compressed, sealed chunk by chunk, and known to be whole at its end.

Layout: a line that names the format, a line of JSON that says which key opens it (with the salt and the costs of a
passphrase), 24 bytes, then chunks behind their length (4 bytes). The chunks are libsodium's secretstream
(XChaCha20-Poly1305); both lines are associated data of each, and the last one carries the final tag. So a changed
byte, a chunk that is missing, moved or from another file, and a file that was cut off are all found.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_ABYTES as EXTRA,
)
from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_HEADERBYTES as HEADER,
)
from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_init_pull,
    crypto_secretstream_xchacha20poly1305_init_push,
    crypto_secretstream_xchacha20poly1305_pull,
    crypto_secretstream_xchacha20poly1305_push,
    crypto_secretstream_xchacha20poly1305_state,
)
from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_TAG_FINAL as FINAL,
)
from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_TAG_MESSAGE as MORE,
)
from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.utils import random

from identities.errors import IdentityError
from identities.nkeys import SecretBytes

MAGIC: Final = b"nscweb backup 1\n"
KEY_SIZE: Final = 32
SHORTEST_PASSPHRASE: Final = 12
CHUNK: Final = 64 * 1024
LONGEST_LINE: Final = 256 * 1024 * 1024
OPS, MEMORY = argon2id.OPSLIMIT_MODERATE, argon2id.MEMLIMIT_MODERATE
_MOST_OPS, _MOST_MEMORY = 16, 1024 * 1024 * 1024
_LONGEST_HEAD = 1024
_LENGTH = 4


class StreamRefused(IdentityError):
    """A sealed file that is none, that was changed or cut off, or that another key opens."""

    code = "sealed-file"


@dataclass(frozen=True, slots=True)
class Lock:
    """What seals a file: a key of 32 bytes, or a passphrase from which a key is made with argon2id."""

    secret: SecretBytes
    is_passphrase: bool

    @classmethod
    def key(cls, secret: SecretBytes) -> Lock:
        """A key. Raises: StreamRefused."""
        if len(secret) != KEY_SIZE:
            raise StreamRefused(f"A backup key has {KEY_SIZE} bytes; this one has {len(secret)}.")
        return cls(secret, is_passphrase=False)

    @classmethod
    def passphrase(cls, secret: SecretBytes) -> Lock:
        """A passphrase. Raises: StreamRefused."""
        if len(secret) < SHORTEST_PASSPHRASE:
            raise StreamRefused(
                f"A passphrase of at least {SHORTEST_PASSPHRASE} characters is needed: whoever holds the file "
                "can try as many as they like."
            )
        return cls(secret, is_passphrase=True)


class Writer:
    """Takes bytes, and writes them sealed; what was written counts once it is closed."""

    def __init__(self, file: BinaryIO, lock: Lock) -> None:
        self._file = file
        about: dict[str, Any] = {"key": "given"}
        if lock.is_passphrase:
            salt = random(argon2id.SALTBYTES)
            about = {"key": "passphrase", "salt": salt.hex(), "ops": OPS, "memory": MEMORY}
        self._head = MAGIC + json.dumps(about).encode() + b"\n"
        self._state = crypto_secretstream_xchacha20poly1305_state()
        header = crypto_secretstream_xchacha20poly1305_init_push(self._state, _key(lock, about))
        file.write(self._head + header)
        self._packer = zlib.compressobj(6)
        self._ready = bytearray()

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._ready += self._packer.compress(data)
        while len(self._ready) > CHUNK:
            self._chunk(bytes(self._ready[:CHUNK]), MORE)
            del self._ready[:CHUNK]

    def close(self) -> None:
        """Write what is left, and that this is the end."""
        self._ready += self._packer.flush()
        while len(self._ready) > CHUNK:
            self._chunk(bytes(self._ready[:CHUNK]), MORE)
            del self._ready[:CHUNK]
        self._chunk(bytes(self._ready), FINAL)
        self._ready.clear()

    def _chunk(self, data: bytes, tag: int) -> None:
        sealed = crypto_secretstream_xchacha20poly1305_push(self._state, data, self._head, tag)
        self._file.write(len(sealed).to_bytes(_LENGTH, "big") + sealed)


def lines(file: BinaryIO, lock: Lock) -> Iterator[bytes]:
    """The lines that were written, without their ends; bounded memory.

    The last line is given only when the file was found to be whole. Raises: StreamRefused.
    """
    rest = b""
    for piece in _unpacked(_opened(file, lock)):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
        if len(rest) > LONGEST_LINE:
            raise StreamRefused("A line of this backup is longer than any that is written.")
    if rest:
        yield rest


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.decompressobj()
    held = b""
    try:
        for piece in pieces:
            data = piece
            while data:
                yield held
                held = packer.decompress(data, CHUNK * 16)
                data = packer.unconsumed_tail
        last = packer.flush()
    except zlib.error:
        raise _changed() from None
    if not packer.eof:
        raise _cut_off()
    yield held
    yield last


def _opened(file: BinaryIO, lock: Lock) -> Iterator[bytes]:
    head, about = _read_head(file)
    if (about["key"] == "passphrase") != lock.is_passphrase:
        needed = "a passphrase" if about["key"] == "passphrase" else "a key"
        raise StreamRefused(f"This backup was sealed with {needed}; give that one.")
    header = file.read(HEADER)
    if len(header) != HEADER:
        raise _cut_off()
    state = crypto_secretstream_xchacha20poly1305_state()
    crypto_secretstream_xchacha20poly1305_init_pull(state, header, _key(lock, about))
    tag = MORE
    while tag != FINAL:
        size = int.from_bytes(_exactly(file, _LENGTH), "big")
        if not EXTRA <= size <= CHUNK + EXTRA:
            raise _changed()
        try:
            data, tag = crypto_secretstream_xchacha20poly1305_pull(state, _exactly(file, size), head)
        except (CryptoError, RuntimeError, ValueError):
            raise _changed() from None
        yield data
    if file.read(1):
        raise StreamRefused("Something follows the end of this backup: it is not as it was written.")


def _read_head(file: BinaryIO) -> tuple[bytes, dict[str, Any]]:
    magic = file.read(len(MAGIC))
    if magic != MAGIC:
        raise StreamRefused("This is no backup of nscweb, or one of a format that is not known here.")
    line = file.readline(_LONGEST_HEAD)
    try:
        about = json.loads(line)
        kind = about["key"]
        if kind == "passphrase":
            salt, ops, memory = bytes.fromhex(about["salt"]), about["ops"], about["memory"]
            fits = len(salt) == argon2id.SALTBYTES and type(ops) is int and type(memory) is int
            fits = fits and argon2id.OPSLIMIT_MIN <= ops <= _MOST_OPS
            fits = fits and argon2id.MEMLIMIT_MIN <= memory <= _MOST_MEMORY
        else:
            fits = kind == "given"
    except (ValueError, TypeError, KeyError):
        raise _changed() from None
    if not fits:
        raise _changed()
    return magic + line, about


def _key(lock: Lock, about: dict[str, Any]) -> bytes:
    secret = lock.secret.reveal()
    if not lock.is_passphrase:
        return secret
    return argon2id.kdf(KEY_SIZE, secret, bytes.fromhex(about["salt"]), about["ops"], about["memory"])


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise _cut_off()
    return data


def _changed() -> StreamRefused:
    return StreamRefused("This backup does not open: it was changed, or it was sealed with another key.")


def _cut_off() -> StreamRefused:
    return StreamRefused("This backup was cut off: its end is missing. Take another copy.")
