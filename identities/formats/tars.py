"""Reads tar archives, file by file, in the order in which they come (POSIX ustar and pax, GNU long names).

Written here because what must hold is what is not done: no name is trusted, no header makes memory grow, and what is
neither file nor folder ends the reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from identities.formats.archive_rules import (
    ArchiveRefused,
    Member,
    Tally,
    clean_path,
    decoded_name,
    refuse_device,
    refuse_link,
)
from identities.formats.inflating import CUT_SHORT, Reader

BLOCK = 512
_LARGEST_NAME = 8 * 1024
_LARGEST_PAX = 64 * 1024
_PIECE = 64 * 1024
_ZEROS = bytes(BLOCK)
_FILES = b"0\x007"
_LINKS, _DEVICES = b"12", b"346"
_DAMAGED = "A header in it is damaged: it is no tar archive, or not any more. Copy or pack it again."


@dataclass(slots=True)
class _Given:
    """What extended headers say of the member that follows them."""

    path: str = ""
    link: str = ""
    size: int | None = None


def looks_like_tar(head: bytes) -> bool:
    """Whether the first block is that of a tar archive: its checksum says so."""
    return len(head) >= BLOCK and head[:BLOCK] != _ZEROS and _checksum_fits(head[:BLOCK])


def members(stream: Reader, tally: Tally) -> Iterator[Member]:
    """Every file that is asked for. Raises: ArchiveRefused."""
    given = _Given()
    while (header := _header(stream)) is not None:
        kind = header[156:157]
        size = _number(header[124:136]) if given.size is None else given.size
        if kind in b"LKxXg":
            _extended(kind, _small(stream, size, kind), given, tally)
            continue
        tally.member()
        path = given.path or _name(header, tally)
        link = given.link or decoded_name(_text(header[157:257]), tally.tell)
        given = _Given()
        yield from _member(stream, tally, kind, path, link, size)
    while rest := stream.read(_PIECE):
        if rest.strip(b"\0"):
            raise ArchiveRefused("Something follows the end of the archive. Pack it again, as one archive.")


def _member(stream: Reader, tally: Tally, kind: bytes, raw: str, link: str, size: int) -> Iterator[Member]:
    path = clean_path(raw, tally.tell)
    if kind in _LINKS:
        raise refuse_link(path, link)
    if kind in _DEVICES:
        raise refuse_device(path)
    if kind == b"5" or raw.endswith("/"):
        _skip(stream, size)
        return
    if kind not in _FILES:
        raise ArchiveRefused(
            f"“{path}” in it is of a kind (“{kind.decode('latin-1')}”) that is not read: sparse or multi-volume, say. "
            "Pack it with plain tar."
        )
    if not path:
        raise ArchiveRefused("A file in it has no name.")
    if not tally.opened(path) or not tally.fits(path, size):
        _skip(stream, size)
        return
    data = _exactly(stream, size)
    _skip(stream, -size % BLOCK, padded=False)
    if tally.closed(path, data):
        yield Member(path, data)


def _header(stream: Reader) -> bytes | None:
    """The next header; None at the end mark."""
    block = stream.read(BLOCK)
    if len(block) < BLOCK:
        raise ArchiveRefused(CUT_SHORT)
    if block == _ZEROS:
        return None
    if not _checksum_fits(block):
        raise ArchiveRefused(_DAMAGED)
    return block


def _checksum_fits(block: bytes) -> bool:
    try:
        said = _number(block[148:156])
    except ArchiveRefused:
        return False
    return said == sum(block[:148]) + 8 * 32 + sum(block[156:])


def _number(field: bytes) -> int:
    """An octal number, or a binary one as GNU tar writes large ones."""
    if field[0] & 0x80:
        value = int.from_bytes(bytes((field[0] & 0x7F,)) + field[1:], "big")
        if field[0] & 0x40:
            raise ArchiveRefused(_DAMAGED)
        return value
    digits = field.split(b"\0", 1)[0].strip()
    if not digits:
        return 0
    if not all(digit in b"01234567" for digit in digits):
        raise ArchiveRefused(_DAMAGED)
    return int(digits, 8)


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]


def _name(header: bytes, tally: Tally) -> str:
    name = _text(header[:100])
    if header[257:263] == b"ustar\0" and (prefix := _text(header[345:500])):
        name = prefix + b"/" + name
    return decoded_name(name, tally.tell)


def _extended(kind: bytes, data: bytes, given: _Given, tally: Tally) -> None:
    if kind == b"L":
        given.path = decoded_name(data.rstrip(b"\0"), tally.tell)
    elif kind == b"K":
        given.link = decoded_name(data.rstrip(b"\0"), tally.tell)
    elif kind != b"g":  # a global one holds comments and times; git writes one
        for key, value in _records(data):
            if key == b"path":
                given.path = decoded_name(value, tally.tell)
            elif key == b"linkpath":
                given.link = decoded_name(value, tally.tell)
            elif key == b"size":
                given.size = _decimal(value)
            elif key.startswith(b"GNU.sparse"):
                raise ArchiveRefused("A file in it is stored as a sparse one. Pack it with plain tar.")


def _records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The records of a pax header, each a line: length, blank, key=value."""
    while data.rstrip(b"\0"):
        digits, blank, _ = data[:24].partition(b" ")
        length = _decimal(digits) if blank else 0
        record = data[len(digits) + 1 : length]
        if length < len(digits) + 4 or length > len(data) or not record.endswith(b"\n") or b"=" not in record:
            raise ArchiveRefused(_DAMAGED)
        key, _, value = record[:-1].partition(b"=")
        yield key, value
        data = data[length:]


def _decimal(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 18:
        raise ArchiveRefused(_DAMAGED)
    return int(digits)


def _small(stream: Reader, size: int, kind: bytes) -> bytes:
    """An extended header, which is small or hostile."""
    if size > (_LARGEST_NAME if kind in b"LK" else _LARGEST_PAX):
        raise ArchiveRefused(f"A header in it is {size:,} bytes long, as none of tar's is.")
    data = _exactly(stream, size)
    _skip(stream, -size % BLOCK, padded=False)
    return data


def _exactly(stream: Reader, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise ArchiveRefused(CUT_SHORT)
    return data


def _skip(stream: Reader, size: int, *, padded: bool = True) -> None:
    left = size + (-size % BLOCK if padded else 0)
    while left:
        left -= len(_exactly(stream, min(left, _PIECE)))
