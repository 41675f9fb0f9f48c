"""Writes a zip file as it goes: each file's bytes are handed on at once, and of each only a line is kept for the end.

The library's own writer keeps an object of half a kilobyte for each file, which 100,000 files make felt.
"""

from __future__ import annotations

import struct
import zlib
from datetime import datetime

_LOCAL = struct.Struct("<4s5H3L2H")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_END64_AT = struct.Struct("<4sLQL")
_EXTRA64 = struct.Struct("<2HQ")
_VERSION, _VERSION64 = 20, 45
_BY_UNIX = 3 << 8
_UTF8 = 1 << 11
_STORED, _DEFLATED = 0, 8
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_FILE, _SHIFT = 0o100600, 16
LARGEST = 64 * 1024 * 1024


class ZipWriter:
    """One archive. `now` is the time that its files carry; they are their owner's alone (0600)."""

    def __init__(self, now: datetime) -> None:
        self._time = now.hour << 11 | now.minute << 5 | now.second // 2
        self._date = max(now.year - 1980, 0) << 9 | now.month << 5 | now.day
        self._entries = bytearray()
        self._count = self._offset = 0

    def add(self, path: str, data: bytes) -> bytes:
        """The bytes of one more file (64 MiB at most), to be written behind those that came before."""
        if len(data) > LARGEST:
            raise ValueError(f"{path} is too large for this archive")
        name, crc = path.encode(), zlib.crc32(data)
        packed = _deflated(data)
        method = _DEFLATED if len(packed) < len(data) else _STORED
        body = packed if method == _DEFLATED else data
        sizes = (crc, len(body), len(data), len(name))
        head = _LOCAL.pack(b"PK\x03\x04", _VERSION, _UTF8, method, self._time, self._date, *sizes, 0)
        far = self._offset >= _FULL32
        extra = _EXTRA64.pack(1, 8, self._offset) if far else b""
        version = _VERSION64 if far else _VERSION
        self._entries += _ENTRY.pack(
            b"PK\x01\x02", version | _BY_UNIX, version, _UTF8, method, self._time, self._date, *sizes, len(extra),
            0, 0, 0, _FILE << _SHIFT, _FULL32 if far else self._offset,
        ) + name + extra  # fmt: skip
        self._count += 1
        self._offset += len(head) + len(name) + len(body)
        return b"".join((head, name, body))

    def end(self) -> bytes:
        """The last bytes: the directory of all files."""
        size, start = len(self._entries), self._offset
        found = bytes(self._entries)
        if self._count >= _FULL16 or start >= _FULL32 or size >= _FULL32:
            rest = _END64.size - 12
            found += _END64.pack(
                b"PK\x06\x06", rest, _VERSION64 | _BY_UNIX, _VERSION64, 0, 0, self._count, self._count, size, start
            ) + _END64_AT.pack(b"PK\x06\x07", 0, start + size, 1)  # fmt: skip
        count = min(self._count, _FULL16)
        return found + _END.pack(
            b"PK\x05\x06", 0, 0, count, count, min(size, _FULL32), min(start, _FULL32), 0
        )


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()
