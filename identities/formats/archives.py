"""Reads archives that somebody uploads: zip, tar, tar.gz and tar.xz, as a stream of small files, safely.

Nothing is ever written to a disk, so that a path can lead nowhere. What is hostile or broken is refused whole; what
can be put right is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from identities.formats import tars, zips
from identities.formats.archive_rules import ArchiveRefused, Member, Tally, Tell, Wanted
from identities.formats.inflating import Inflated, Plain

__all__ = ["ArchiveRefused", "Member", "is_archive", "members"]

HEAD = 512
_GZIP, _XZ = b"\x1f\x8b", b"\xfd7zXZ\x00"
_OTHERS = {
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!": "RAR",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x1f\x9d": "compress",
    b"LZIP": "lzip",
    b"\x5d\x00\x00": "LZMA",
    b"PK00": "zip in several parts",
    b"PK\x07\x08": "zip in several parts",
}


def is_archive(head: bytes) -> bool:
    """Whether a file that begins so (`HEAD` bytes) is an archive of a kind that is read.

    Raises: ArchiveRefused: it is one of another kind.
    """
    for start, name in _OTHERS.items():
        if head.startswith(start):
            raise ArchiveRefused(f"This is packed by {name}, which is not read. Pack it as zip or tar.gz.")
    return head.startswith((_GZIP, _XZ, *zips.STARTS)) or tars.looks_like_tar(head)


def members(source: BinaryIO, *, tell: Tell, wanted: Wanted) -> Iterator[Member]:
    """The files of an archive that `wanted` asks for by path, one after the other; `source` can be sought in.

    `tell` is told of what was put right or left out. Raises: ArchiveRefused, at any file.
    """
    tally = Tally(tell=tell, wanted=wanted)
    source.seek(0)
    head = source.read(HEAD)
    source.seek(0)
    if not is_archive(head):
        raise ArchiveRefused("This is no archive. Pack the folder as zip or tar.gz.")
    if head.startswith(zips.STARTS):
        yield from zips.members(source, tally)
        return
    if not head.startswith((_GZIP, _XZ)):
        yield from tars.members(Plain(source, tally), tally)
        return
    yield from tars.members(Inflated(source, tally, xz=head.startswith(_XZ)), tally)
