"""Archives that are broken or mean harm, each with what has to be said about it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping

from identities.formats.archive_rules import MOST_FILES

JWT = "stores/Test/Test.jwt"
GOOD = b"eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.e30.AAAA"
BLOCK = 512
Case = tuple[bytes | Callable[[], bytes], str]


def tar(*members: tuple[str, bytes] | tarfile.TarInfo, form: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar of files, and of whatever else is given as its header."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as made:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                made.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                made.addfile(info, io.BytesIO(member[1]))
    return out.getvalue()


def odd(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    """A member of a tar that is no file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def zipped(files: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED, mode: int = 0) -> bytes:
    """A zip of files; `mode` is what Unix says they are."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            if mode:
                info.create_system, info.external_attr = 3, mode << 16
            made.writestr(info, data)
    return out.getvalue()


def rechecked(header: bytes) -> bytes:
    """A tar header with the right checksum."""
    blank = header[:148] + b" " * 8 + header[156:]
    return header[:148] + b"%06o\0 " % sum(blank) + header[156:]


def header(
    name: bytes, size: bytes = b"00000000000\0", kind: bytes = b"0", magic: bytes = b"ustar\x0000"
) -> bytes:
    """A tar header by hand."""
    made = name.ljust(100, b"\0") + b"0000644\0" * 3 + size + b"0" * 11 + b"\0" + b" " * 8 + kind
    return rechecked(made.ljust(257, b"\0") + magic + bytes(BLOCK - 257 - len(magic)))


END = bytes(2 * BLOCK)
ONE = tar((JWT, GOOD))
ZIP = zipped({JWT: GOOD})


def changed(data: bytes, at: int, by: bytes) -> bytes:
    """The same with other bytes in one place."""
    return data[:at] + by + data[at + len(by) :]


def flagged(flag: int) -> bytes:
    """A zip whose one file has a flag set in both of its headers."""
    central = ZIP.index(b"PK\x01\x02")
    return changed(changed(ZIP, 6, struct.pack("<H", flag)), central + 8, struct.pack("<H", flag))


def method(number: int) -> bytes:
    """A zip whose one file is packed by another method."""
    central = ZIP.index(b"PK\x01\x02")
    return changed(changed(ZIP, 8, struct.pack("<H", number)), central + 10, struct.pack("<H", number))


def central(offset: int, by: bytes) -> bytes:
    """A zip with other bytes in its directory's one entry."""
    return changed(ZIP, ZIP.index(b"PK\x01\x02") + offset, by)


def at_the_end(offset: int, by: bytes) -> bytes:
    """A zip with other bytes in its end record."""
    return changed(ZIP, ZIP.index(b"PK\x05\x06") + offset, by)


def overlapping() -> bytes:
    """Two entries of a zip's directory that lie over each other."""
    two = zipped({"stores/a.jwt": GOOD, "stores/b.jwt": GOOD}, method=zipfile.ZIP_STORED)
    first, second = two.index(b"PK\x01\x02"), two.rindex(b"PK\x01\x02")
    name = second + 46
    same = changed(two, name, two[first + 46 : first + 46 + len("stores/a.jwt")])
    return changed(same, second + 42, two[first + 42 : first + 46])


def zip_of_many(count: int) -> bytes:
    """A zip whose directory lists one file many times."""
    body = ZIP[: ZIP.index(b"PK\x01\x02")]
    entry = ZIP[ZIP.index(b"PK\x01\x02") : ZIP.index(b"PK\x05\x06")]
    directory = entry * count
    end64 = struct.pack(
        "<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(directory), len(body)
    )
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(body) + len(directory), 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return body + directory + end64 + locator + end


def tar_of_many(count: int) -> bytes:
    """A tar.gz of many empty files."""
    out = io.BytesIO()
    with gzip.open(out, "wb", compresslevel=1) as packed:
        for number in range(count):
            packed.write(header(b"stores/%d.jwt" % number))
        packed.write(END)
    return out.getvalue()


def bomb(wrap: Callable[[bytes], bytes], name: bytes = b"stores/x.bin", mib: int = 64) -> bytes:
    """A tar of zeros, packed."""
    size = mib * 2**20
    return wrap(header(name, b"%011o\0" % size) + bytes(size) + END)


def zip_bomb() -> bytes:
    """A zip of 80 files of a mebibyte of zeros each."""
    return zipped({f"stores/{number}.jwt": bytes(2**20) for number in range(80)})


def sparse() -> bytes:
    """A file that pax says is sparse."""
    info = tarfile.TarInfo(JWT)
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.name": JWT}
    return tar(info, form=tarfile.PAX_FORMAT)


def long_header() -> bytes:
    """An extended header as long as a film."""
    size = 4 * 2**20
    return gzip.compress(header(b"././@LongLink", b"%011o\0" % size, b"L") + b"a" * size + END)


def pax(record: bytes) -> bytes:
    """A tar with this record in a pax header."""
    padded = record.ljust(BLOCK, b"\0")
    return header(b"pax", b"%011o\0" % len(record), b"x") + padded + ONE


NAMES: dict[str, tuple[str, str]] = {
    "leads out": ("../../etc/passwd.jwt", "leads out of the archive"),
    "leads out in the middle": ("stores/../../x.jwt", "leads out of the archive"),
    "leads out by backslashes": ("stores\\..\\..\\x.jwt", "leads out of the archive"),
    "ends in dots": ("stores/..", "leads out of the archive"),
    "absolute": ("/etc/cron.d/x.jwt", "is absolute"),
    "a drive": ("C:/Windows/x.jwt", "is absolute"),
    "a drive without a slash": ("c:x.jwt", "is absolute"),
    "a host": ("\\\\host\\share\\x.jwt", "is absolute"),
    "a bell": ("stores/\x07.jwt", "cannot be seen"),
    "a line end": ("stores/a\nb.jwt", "cannot be seen"),
    "written backwards": ("stores/\u202etwj.exe", "cannot be seen"),
    "of no width": ("stores/a\u200bb.jwt", "cannot be seen"),
    "deep": ("/".join("d" * 1 for _ in range(40)) + "/x.jwt", "folders deep"),
    "long": ("/".join(["long-folder-name"] * 70) + "/x.jwt", "characters; 1024 are read"),
    "a long name": ("stores/" + "n" * 300 + ".jwt", "name of more than 255 bytes"),
}

CASES: dict[str, Case] = {
    **{f"tar: a path that {what}": (tar((name, GOOD)), words) for what, (name, words) in NAMES.items()},
    **{f"zip: a path that {what}": (zipped({name: GOOD}), words) for what, (name, words) in NAMES.items()},
    "tar: a symbolic link": (tar(odd(JWT, tarfile.SYMTYPE, "/etc/shadow")), "is a link to “/etc/shadow”"),
    "tar: a hard link": (tar((JWT, GOOD), odd("stores/b.jwt", tarfile.LNKTYPE, JWT)), "is a link to"),
    "tar: a linked folder": (tar(odd("stores", tarfile.SYMTYPE, "..")), "is a link to “..”"),
    "tar: a device": (tar(odd(JWT, tarfile.CHRTYPE)), "device, pipe or socket"),
    "tar: a disk": (tar(odd(JWT, tarfile.BLKTYPE)), "device, pipe or socket"),
    "tar: a pipe": (tar(odd(JWT, tarfile.FIFOTYPE)), "device, pipe or socket"),
    "tar: a sparse file": (tar(odd(JWT, tarfile.GNUTYPE_SPARSE)), "of a kind (“S”)"),
    "tar: a sparse file of pax": (sparse(), "stored as a sparse one"),
    "tar: a part of several": (tar(odd(JWT, b"M")), "of a kind (“M”)"),
    "tar: twice with other contents": (tar((JWT, GOOD), (JWT, GOOD + b"A")), "is in it twice"),
    "tar: twice by a detour": (tar((JWT, GOOD), ("stores/./Test//Test.jwt", b"x")), "is in it twice"),
    "tar: without its end": (ONE[: 2 * BLOCK], "cut short"),
    "tar: cut in a file": (ONE[: BLOCK + 10], "cut short"),
    "tar: cut in a header": (ONE + header(b"x.jwt")[:100], "Something follows"),
    "tar: a second archive behind it": (ONE + ONE, "Something follows the end"),
    "tar: a header with a wrong checksum": (
        ONE[: 2 * BLOCK] + changed(header(b"stores/x.jwt"), 0, b"S") + END, "header in it is damaged"
    ),
    "tar: a size in letters": (rechecked(changed(header(b"x.jwt"), 124, b"zzzzzzzzzzz")) + END, "damaged"),
    "tar: a negative size": (rechecked(changed(header(b"x.jwt"), 124, b"\xff" * 12)) + END, "damaged"),
    "tar: larger than itself": (header(b"x.jwt", b"77777777777\0") + END, "left out"),
    "tar: a file without a name": (header(b"") + END, "has no name"),
    "tar: an endless header": (long_header, "bytes long, as none of tar's is"),
    "tar: pax without a length": (pax(b"path=x.jwt\n"), "damaged"),
    "tar: pax with a wrong length": (pax(b"99 path=x.jwt\n"), "damaged"),
    "tar: pax with a size in letters": (pax(b"11 size=x9\n"), "damaged"),
    "tar: pax that leads out": (pax(b"23 path=../../../a.jwt\n"), "leads out of the archive"),
    "tar: pax with a link": (pax(b"19 linkpath=/etc/x\n")[: 2 * BLOCK] + tar(odd(JWT, b"2")), "/etc/x"),
    "gzip: cut short": (gzip.compress(ONE)[:-9], "cut short"),
    "gzip: a wrong checksum": (changed(gzip.compress(ONE), len(gzip.compress(ONE)) - 8, b"\0\0\0\0"), "damaged"),
    "gzip: a flipped byte": (changed(gzip.compress(ONE), 40, b"\xff\xff"), "damaged"),
    "gzip: something behind it": (gzip.compress(ONE) + b"more", "damaged"),
    "gzip: nothing in it": (gzip.compress(b""), "cut short"),
    "gzip: no tar in it": (gzip.compress(b"just a text" * 100), "header in it is damaged"),
    "gzip: a bomb": (lambda: bomb(lambda data: gzip.compress(data, 9)), "more than 200 times its size"),
    "xz: cut short": (lzma.compress(ONE)[:-9], "cut short"),
    "xz: a flipped byte": (changed(lzma.compress(ONE), 60, b"\xff\xff\xff"), "damaged"),
    "xz: a bomb": (lambda: bomb(lambda data: lzma.compress(data, preset=1)), "more than 200 times its size"),
    "xz: hungry": (
        lzma.compress(ONE, filters=[{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 512 * 2**20}]),
        "MiB of memory to unpack",
    ),
    "tar: too many files": (lambda: tar_of_many(MOST_FILES + 1), "more than 100,000 files"),
    "zip: too many files": (lambda: zip_of_many(2 * MOST_FILES + 1), "more than 200,000 files and folders"),
    "zip: a bomb": (zip_bomb, "more than 200 times its size"),
    "zip: a bomb of overlaps": (overlapping(), "lies over another file"),
    "zip: encrypted": (flagged(1), "is encrypted"),
    "zip: strongly encrypted": (flagged(0x41), "is encrypted"),
    "zip: with hidden headers": (flagged(0x2001), "is encrypted"),
    "zip: by bzip2": (zipped({JWT: GOOD}, method=zipfile.ZIP_BZIP2), "packed by bzip2"),
    "zip: by LZMA": (zipped({JWT: GOOD}, method=zipfile.ZIP_LZMA), "packed by LZMA"),
    "zip: by deflate64": (method(9), "packed by deflate64"),
    "zip: by nobody knows what": (method(77), "packed by method 77"),
    "zip: a link": (zipped({JWT: b"/etc/passwd"}, mode=0o120777), "is a link"),
    "zip: a device": (zipped({JWT: b""}, mode=0o020666), "device, pipe or socket"),
    "zip: a socket": (zipped({JWT: b""}, mode=0o140666), "device, pipe or socket"),
    "zip: two names": (changed(ZIP, 30, b"X"), "has two names"),
    "zip: a wrong checksum": (central(16, b"\1\2\3\4"), "checksum or size is wrong"),
    "zip: a wrong size": (central(24, struct.pack("<L", 7)), "checksum or size is wrong"),
    "zip: a broken stream": (changed(ZIP, 30 + len(JWT), b"\xff\xff\xff\xff"), "damaged"),
    "zip: cut short": (ZIP[:-4], "cut short"),
    "zip: cut in half": (ZIP[: len(ZIP) // 2], "cut short"),
    "zip: its file cut away": (central(42, struct.pack("<L", len(ZIP) - 30)), "directory is damaged"),
    "zip: a program before it": (b"PK\x03\x04#!/bin/sh\nrm -rf /\n" + ZIP, "stands before"),
    "zip: of several parts": (at_the_end(4, struct.pack("<2H", 1, 1)), "in several parts"),
    "zip: a wrong count": (at_the_end(8, struct.pack("<2H", 2, 2)), "directory is damaged"),
    "zip: a wrong directory": (central(0, b"PK\x09\x09"), "directory is damaged"),
    "zip: a 64-bit end that isn't there": (at_the_end(10, b"\xff\xff"), "directory is damaged"),
    "zip: a directory entry without its numbers": (central(20, b"\xff" * 4), "directory is damaged"),
    "another archive: bzip2": (bz2.compress(ONE), "packed by bzip2"),
    "another archive: zstd": (b"\x28\xb5\x2f\xfd" + bytes(600), "packed by zstd"),
    "another archive: 7-Zip": (b"7z\xbc\xaf\x27\x1c" + bytes(600), "packed by 7-Zip"),
    "another archive: RAR": (b"Rar!\x1a\x07\x01" + bytes(600), "packed by RAR"),
    "another archive: raw LZMA": (lzma.compress(ONE, format=lzma.FORMAT_ALONE), "packed by LZMA"),
    "another archive: a zip's second part": (b"PK\x07\x08" + ZIP, "zip in several parts"),
    "no archive: a deflated stream": (b"PK\x03\x04" + zlib.compress(GOOD * 50), "cut short"),
}  # fmt: skip
"""What to call each, the bytes (or what makes them, where that takes time), and words of the refusal."""


def archive(name: str) -> bytes:
    """The bytes of one of them."""
    made = CASES[name][0]
    return made if isinstance(made, bytes) else made()
