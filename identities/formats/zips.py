"""Reads zip archives, file by file, in the order in which they lie (APPNOTE.TXT 6.3.10; stored and deflated files).

Written here because what must hold is what is not done: the directory is not read into memory, both names of a file
must be one, and files that lie over each other (the best zip bombs) end the reading.
"""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from identities.formats.archive_rules import (
    ArchiveRefused,
    Member,
    Tally,
    clean_path,
    decoded_name,
    refuse_device,
    refuse_link,
)
from identities.formats.errors import shown
from identities.formats.inflating import CUT_SHORT

STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_PIECE = 64 * 1024
_LONGEST_COMMENT = 65_535
_NAMES_LIMIT = 4096
_METHODS = {9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "zstd", 95: "xz", 98: "PPMd", 99: "AES"}
_DAMAGED = "Its directory is damaged: it is no zip archive, or not any more. Copy or pack it again."


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of the directory."""

    raw: bytes
    path: str
    folder: bool
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int


def members(source: BinaryIO, tally: Tally) -> Iterator[Member]:
    """Every file that is asked for. Raises: ArchiveRefused."""
    behind = 0
    for entry in sorted(_directory(source, tally), key=lambda entry: entry.offset):
        start = _data_start(source, entry)
        if entry.offset < behind:
            raise ArchiveRefused(f"{shown(entry.path)} in it lies over another file, as in a zip bomb.")
        behind = start + entry.packed
        if entry.folder or not entry.path:
            continue
        if tally.opened(entry.path) and tally.fits(entry.path, entry.size):
            data = _contents(source, entry, start, tally)
            if tally.closed(entry.path, data):
                yield Member(entry.path, data)


def _directory(source: BinaryIO, tally: Tally) -> Iterator[_Entry]:
    """The entries of the central directory, checked; kept by the caller: they are few and small."""
    count, size, offset, end = _end(source)
    if offset + size != end:
        raise ArchiveRefused(
            "Something stands before or between the parts of this zip (a program that unpacks itself, say). "
            "Pack it as a plain zip."
        )
    source.seek(offset)
    for _ in range(count):
        head = source.read(_ENTRY.size)
        if len(head) < _ENTRY.size or not head.startswith(b"PK\x01\x02"):
            raise ArchiveRefused(_DAMAGED)
        tally.member()
        yield _entry(source, head, tally)
    if source.tell() != end:
        raise ArchiveRefused(_DAMAGED)


def _end(source: BinaryIO) -> tuple[int, int, int, int]:
    """Number of entries, size and offset of the directory, and where it ends."""
    length = source.seek(0, 2)
    start = max(0, length - _END.size - _LONGEST_COMMENT)
    source.seek(start)
    tail = source.read()
    at = tail.rfind(b"PK\x05\x06")
    while at >= 0 and not _ends_here(tail, at):
        at = tail.rfind(b"PK\x05\x06", 0, at)
    if at < 0:
        raise ArchiveRefused(CUT_SHORT)
    _, disk, first, here, count, size, offset, _ = _END.unpack_from(tail, at)
    end = start + at
    if 0xFFFF in (disk, first, here, count) or 0xFFFFFFFF in (size, offset):
        disk, first, here, count, size, offset, end = _end64(source, end)
    if disk or first or here != count:
        raise ArchiveRefused("It is one part of a zip in several parts. Pack it as one.")
    return count, size, offset, end


def _ends_here(tail: bytes, at: int) -> bool:
    if at + _END.size > len(tail):
        return False
    comment: int = _END.unpack_from(tail, at)[-1]
    return at + _END.size + comment == len(tail)


def _end64(source: BinaryIO, end: int) -> tuple[int, int, int, int, int, int, int]:
    place = end - _LOCATOR.size
    if place < 0:
        raise ArchiveRefused(_DAMAGED)
    source.seek(place)
    mark, _, at, _ = _LOCATOR.unpack(source.read(_LOCATOR.size))
    if mark != b"PK\x06\x07" or at + _END64.size > place:
        raise ArchiveRefused(_DAMAGED)
    source.seek(at)
    mark, _, _, _, disk, first, here, count, size, offset = _END64.unpack(source.read(_END64.size))
    if mark != b"PK\x06\x06":
        raise ArchiveRefused(_DAMAGED)
    return disk, first, here, count, size, offset, at


def _entry(source: BinaryIO, head: bytes, tally: Tally) -> _Entry:
    (
        _,
        made,
        _,
        flags,
        method,
        _,
        _,
        crc,
        packed,
        size,
        names,
        extras,
        comments,
        disk,
        _,
        attributes,
        offset,
    ) = _ENTRY.unpack(head)
    if names > _NAMES_LIMIT or disk not in (0, 0xFFFF):
        raise ArchiveRefused(_DAMAGED)
    raw, extra = source.read(names), source.read(extras)
    if len(raw) < names or len(extra) < extras or len(source.read(comments)) < comments:
        raise ArchiveRefused(_DAMAGED)
    size, packed, offset = _sizes64(extra, size, packed, offset)
    name = decoded_name(raw, tally.tell) if flags & 0x800 else _old_name(raw, extra, tally)
    mode = attributes >> 16 if made >> 8 == 3 else 0
    entry = _Entry(
        raw=raw,
        path=clean_path(name, tally.tell),
        folder=name.endswith(("/", "\\")) or stat.S_ISDIR(mode),
        flags=flags,
        method=method,
        crc=crc,
        packed=packed,
        size=size,
        offset=offset,
        mode=mode,
    )
    _refuse_unread(entry)
    return entry


def _sizes64(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """The three numbers, those that don't fit into 32 bits from the extra field."""
    found = [size, packed, offset]
    if 0xFFFFFFFF not in found:
        return size, packed, offset
    for kind, data in _extras(extra):
        if kind == 1:
            at = 0
            for index, value in enumerate(found):
                if value == 0xFFFFFFFF:
                    if at + 8 > len(data):
                        raise ArchiveRefused(_DAMAGED)
                    found[index] = int.from_bytes(data[at : at + 8], "little")
                    at += 8
            return found[0], found[1], found[2]
    raise ArchiveRefused(_DAMAGED)


def _old_name(raw: bytes, extra: bytes, tally: Tally) -> str:
    """A name without the mark of UTF-8: what Info-ZIP keeps beside it, UTF-8 all the same, or that of old DOS."""
    for kind, data in _extras(extra):
        if kind == 0x7075 and data[:1] == b"\x01" and int.from_bytes(data[1:5], "little") == zlib.crc32(raw):
            return decoded_name(data[5:], tally.tell)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return decoded_name(raw, tally.tell, "cp437")


def _extras(extra: bytes) -> Iterator[tuple[int, bytes]]:
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        yield kind, extra[4 : 4 + length]
        extra = extra[4 + length :]


def _refuse_unread(entry: _Entry) -> None:
    if stat.S_ISLNK(entry.mode):
        raise refuse_link(entry.path, "another file")
    if stat.S_IFMT(entry.mode) in (stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK):
        raise refuse_device(entry.path)
    if entry.flags & 0x2041:
        raise ArchiveRefused(f"{shown(entry.path)} in it is encrypted. Pack it without a password.")
    if entry.method not in (0, 8):
        method = _METHODS.get(entry.method, f"method {entry.method}")
        raise ArchiveRefused(
            f"{shown(entry.path)} in it is packed by {method}, which is not read. Use deflate."
        )
    if entry.method == 0 and entry.packed != entry.size:
        raise ArchiveRefused(_DAMAGED)


def _data_start(source: BinaryIO, entry: _Entry) -> int:
    """Where the contents begin, behind the second header, which must name the same file."""
    source.seek(entry.offset)
    head = source.read(_LOCAL.size)
    if len(head) < _LOCAL.size or not head.startswith(b"PK\x03\x04"):
        raise ArchiveRefused(_DAMAGED)
    *_, names, extras = _LOCAL.unpack(head)
    if source.read(names) != entry.raw:
        raise ArchiveRefused(f"{shown(entry.path)} in it has two names. Pack it again.")
    return entry.offset + _LOCAL.size + int(names) + int(extras)


def _contents(source: BinaryIO, entry: _Entry, start: int, tally: Tally) -> bytes:
    source.seek(start)
    engine = zlib.decompressobj(wbits=-15)
    left, parts, length = entry.packed, [], 0
    while left > 0 and length <= entry.size:
        piece = source.read(min(left, _PIECE))
        if not piece:
            raise ArchiveRefused(CUT_SHORT)
        left -= len(piece)
        part = piece if entry.method == 0 else _unpacked(engine, piece, entry.size - length + 1)
        tally.grown(len(piece), len(part))
        parts.append(part)
        length += len(part)
    data = b"".join(parts)
    if length != entry.size or zlib.crc32(data) != entry.crc:
        raise ArchiveRefused(f"{shown(entry.path)} in it is damaged: its checksum or size is wrong.")
    return data


def _unpacked(engine: zlib._Decompress, piece: bytes, most: int) -> bytes:
    try:
        return engine.decompress(piece, most)
    except zlib.error:
        raise ArchiveRefused(
            "It is damaged: what is packed in it doesn't unpack, or fails its checksum. Copy or pack it again."
        ) from None
