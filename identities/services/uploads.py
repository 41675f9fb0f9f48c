"""What people uploaded, until a worker has read it: sealed in files of the data directory, piece by piece as it comes.

Nothing of it is ever on a disk in clear, and nothing is in the database: a job names an upload by its number. Whoever
is done with one forgets it; what is left over (a worker was killed, nobody went on) is cleared away after a day.
"""

from __future__ import annotations

import io
import json
import os
import re
import secrets as random_text
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from django.conf import settings

from identities.errors import IdentityError
from identities.nkeys import SecretBytes
from identities.services import secrets

LARGEST = 256 * 1024 * 1024
"""Bytes of one file."""
KEPT_SECONDS = 24 * 3600
_FOLDER = "uploads"
_PIECE = 256 * 1024
_LENGTH = 4
_NUMBER = re.compile(r"[0-9a-f]{32}")
_SUFFIX = ".sealed"


class UploadGone(IdentityError):
    """An upload that is not here (any more)."""

    code = "upload-gone"

    def __init__(self) -> None:
        super().__init__(
            "What was uploaded is not here any more: it is kept for a day, in the data directory, which web server and "
            "worker have to share. Upload it again."
        )


@dataclass(frozen=True, slots=True)
class Part:
    """One file of an upload: what it was called, and how many bytes it has."""

    number: int
    label: str
    size: int


def begin() -> str:
    """Make room for an upload; its number."""
    upload = random_text.token_hex(16)
    _folder(upload).mkdir(mode=0o700, parents=True)
    return upload


class Writer:
    """Takes one file of an upload, and seals it piece by piece; it counts once it is closed."""

    def __init__(self, upload: str, label: str) -> None:
        self.upload, self.label = upload, label
        self.number = len(list(_folder(upload).iterdir()))
        self.size = 0
        self._path = _folder(upload) / f"{self.number}.part"
        self._file = open(self._path, "xb", opener=_private)  # noqa: SIM115 - Path.open takes no opener
        self._ready = bytearray()
        self._pieces = 0

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._ready += data
        self.size += len(data)
        while len(self._ready) >= _PIECE:
            self._piece(bytes(self._ready[:_PIECE]))
            del self._ready[:_PIECE]

    def close(self) -> Part:
        """The file is whole."""
        self._piece(bytes(self._ready))
        self._ready.clear()
        about = json.dumps({"label": self.label, "size": self.size, "pieces": self._pieces}).encode()
        self._put(about, "about")
        self._file.close()
        self._path.rename(self._path.with_suffix(_SUFFIX))
        return self.part

    @property
    def part(self) -> Part:
        """The file as it is so far."""
        return Part(self.number, self.label, self.size)

    def discard(self) -> None:
        """Nothing of it is kept."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.close()
        finally:
            if not self._file.closed:
                self.discard()

    def _piece(self, data: bytes) -> None:
        self._put(data, str(self._pieces))
        self._pieces += 1

    def _put(self, data: bytes, what: str) -> None:
        sealed = _seal(data, self.upload, self.number, what)
        self._file.write(len(sealed).to_bytes(_LENGTH, "big") + sealed)


def add(upload: str, label: str, data: bytes) -> Part:
    """One more file of an upload, whole."""
    with Writer(upload, label) as writer:
        writer.write(data)
    return writer.part


def parts(upload: str) -> list[Part]:
    """The files of an upload. Raises: UploadGone."""
    found = sorted(_existing(upload).glob(f"*{_SUFFIX}"), key=lambda path: int(path.stem))
    return [Reader(upload, int(path.stem)).part for path in found]


def forget(upload: str) -> None:
    """Remove an upload for good; one that is gone already is no error."""
    if _NUMBER.fullmatch(upload):
        shutil.rmtree(_folder(upload), ignore_errors=True)


def tidy(in_use: frozenset[str] = frozenset()) -> int:
    """Remove the uploads that nobody came back for in a day; those `in_use` stay. How many they were."""
    removed = 0
    for folder in _root().iterdir() if _root().exists() else ():
        old = time.time() - folder.stat().st_mtime > KEPT_SECONDS
        if old and folder.name not in in_use and _NUMBER.fullmatch(folder.name):
            forget(folder.name)
            removed += 1
    return removed


class Reader(io.RawIOBase):
    """One file of an upload, opened piece by piece as it is read; it can be sought in."""

    def __init__(self, upload: str, number: int) -> None:
        super().__init__()
        self._upload, self._number = upload, number
        try:
            self._file = (_existing(upload) / f"{number}{_SUFFIX}").open("rb")
        except OSError:
            raise UploadGone from None
        self._places = list(self._scanned())
        about = json.loads(self._open(self._places.pop(), "about"))
        self.part = Part(number, about["label"], about["size"])
        if len(self._places) != about["pieces"]:
            raise UploadGone
        self._at = 0
        self._held: tuple[int, bytes] = (-1, b"")

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place, as files do."""
        self._at = max(0, offset + {0: 0, 1: self._at, 2: self.part.size}[whence])
        return self._at

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # any buffer, as files take
        """Fill the buffer as far as one piece goes."""
        number, skip = divmod(self._at, _PIECE)
        if number >= len(self._places):
            return 0
        if self._held[0] != number:
            self._held = (number, self._open(self._places[number], str(number)))
        data = self._held[1][skip : skip + len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """Done with it."""
        if not self.closed:
            self._file.close()
            self._held = (-1, b"")
        super().close()

    def _scanned(self) -> Iterator[tuple[int, int]]:
        """Where each sealed piece lies, and how long it is; what describes the file comes last."""
        at = 0
        while head := self._file.read(_LENGTH):
            length = int.from_bytes(head, "big")
            at += _LENGTH
            yield at, length
            at = self._file.seek(at + length)

    def _open(self, place: tuple[int, int], what: str) -> bytes:
        self._file.seek(place[0])
        sealed = self._file.read(place[1])
        with secrets.opened(sealed, **_place(self._upload, self._number, what)) as plain:
            return plain.reveal()


def _seal(data: bytes, upload: str, number: int, what: str) -> bytes:
    with SecretBytes(data) as plain:
        return secrets.seal(plain, **_place(upload, number, what))


def _place(upload: str, number: int, what: str) -> dict[str, str]:
    return {"table": "upload", "public_key": upload, "purpose": f"{number}:{what}"}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _root() -> Path:
    return Path(settings.NSCWEB_DATA_DIR) / _FOLDER


def _folder(upload: str) -> Path:
    return _root() / upload


def _existing(upload: str) -> Path:
    folder = _folder(upload)
    if not _NUMBER.fullmatch(upload) or not folder.is_dir():
        raise UploadGone
    return folder
