"""Unpacks gzip and xz as it is read: with bounded memory, counted, to the last byte."""

from __future__ import annotations

import lzma
import zlib
from typing import BinaryIO, Protocol

from identities.formats.archive_rules import ArchiveRefused, Tally

_READ = 64 * 1024
_XZ_MEMORY = 96 * 1024 * 1024
CUT_SHORT = "It ends in the middle: it was cut short while it was copied. Copy or pack it again."


class Reader(Protocol):
    """A stream that gives exactly what is asked for."""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; fewer only at the end."""


class Plain:
    """What is not packed at all, counted."""

    def __init__(self, source: BinaryIO, tally: Tally) -> None:
        self.source, self.tally = source, tally

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; fewer only at the end."""
        parts = []
        while size > 0 and (part := self.source.read(min(size, _READ))):
            parts.append(part)
            size -= len(part)
            self.tally.grown(len(part), len(part))
        return b"".join(parts)


class Inflated:
    """A packed stream, unpacked; one stream or several behind each other, as `gzip` and `xz` take them."""

    def __init__(self, source: BinaryIO, tally: Tally, *, xz: bool) -> None:
        self.source, self.tally, self.xz = source, tally, xz
        self.ready = bytearray()
        self.packed = b""
        self.engine = self._fresh()
        self.begun = self.ended = False

    def read(self, size: int) -> bytes:
        """Up to `size` unpacked bytes; fewer only at the end. Raises: ArchiveRefused."""
        while len(self.ready) < size and not self.ended:
            try:
                self._more()
            except (zlib.error, lzma.LZMAError) as broken:
                if "emory" in str(broken):
                    raise ArchiveRefused(
                        f"It needs more than {_XZ_MEMORY // 2**20} MiB of memory to unpack. Pack it with xz -6."
                    ) from None
                raise ArchiveRefused(
                    "It is damaged: what is packed in it doesn't unpack, or fails its checksum. Copy or pack it again."
                ) from None
        taken = bytes(self.ready[:size])
        del self.ready[:size]
        return taken

    def _more(self) -> None:
        """Unpack one more piece."""
        fresh = 0
        if not self.packed and self._wants_input():
            self.packed = self.source.read(_READ)
            fresh = len(self.packed)
            if not self.packed and not self.begun:
                self.ended = True
                return
        if not self.begun:
            self.packed = self.packed.lstrip(b"\0")  # padding between and after streams
            if not self.packed:
                self.tally.grown(fresh, 0)
                return
            self.begun = True
        out = self._unpack()
        if not fresh and not out and not self.engine.eof and not self.packed:
            raise ArchiveRefused(CUT_SHORT)
        self.tally.grown(fresh, len(out))
        self.ready += out
        if self.engine.eof:
            self.packed = self.engine.unused_data
            self.engine, self.begun = self._fresh(), False

    def _wants_input(self) -> bool:
        return not isinstance(self.engine, lzma.LZMADecompressor) or self.engine.needs_input

    def _unpack(self) -> bytes:
        if isinstance(self.engine, lzma.LZMADecompressor):
            given, self.packed = self.packed, b""
            return self.engine.decompress(given, _READ)
        out = self.engine.decompress(self.packed, _READ)
        self.packed = self.engine.unconsumed_tail
        return out

    def _fresh(self) -> lzma.LZMADecompressor | zlib._Decompress:
        if self.xz:
            return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        return zlib.decompressobj(wbits=31)
