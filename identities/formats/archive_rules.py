"""What an archive from somebody else may hold: plain files with plain paths, not too many, not too large."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from identities.formats.errors import FormatError, shown

MOST_FILES = 100_000
MOST_MEMBERS = 2 * MOST_FILES
"""Folders count too."""
LARGEST_FILE = 1024 * 1024
LARGEST_TOTAL = 512 * 1024 * 1024
LARGEST_RATIO = 200
RATIO_FROM = 32 * 1024 * 1024
"""From this size on the ratio is asked: small archives of like files are packed tightly without ill intent."""
LONGEST_PATH = 1024
LONGEST_NAME = 255
DEEPEST = 32
_DRIVE = re.compile(r"[A-Za-z]:")
_HIDDEN = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")

Tell = Callable[[str, str], None]
"""Takes the path of a file and what was repaired or left out of it, in words."""
Wanted = Callable[[str], bool]
"""Whether a file of this path is read at all."""


class ArchiveRefused(FormatError):
    """An archive that is broken or hostile; nothing of it is used."""

    code = "archive-refused"


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive: its cleaned path, and what is in it."""

    path: str
    data: bytes = field(repr=False)


def clean_path(raw: str, tell: Tell) -> str:
    """The path of a member, relative and without detours; "" for the folder that everything lies in.

    Raises: ArchiveRefused: it leads out of the archive, or no file system would hold it.
    """
    if not raw:
        raise ArchiveRefused("A file in it has no name.")
    if len(raw) > LONGEST_PATH:
        raise ArchiveRefused(
            f"The path {shown(raw)} in it has {len(raw)} characters; {LONGEST_PATH} are read."
        )
    if _HIDDEN.search(raw):
        raise ArchiveRefused(f"The path {shown(raw)} in it holds a character that cannot be seen.")
    path = raw
    if "\\" in path:
        path = path.replace("\\", "/")
        tell(raw, "its path is written with backslashes, which are read as slashes")
    if path.startswith("/") or _DRIVE.match(path):
        raise ArchiveRefused(
            f"The path {shown(raw)} in it is absolute. Pack the folder from inside its parent: "
            "tar -czf store.tar.gz stores."
        )
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ArchiveRefused(f"The path {shown(raw)} in it leads out of the archive (“..”).")
    if len(parts) > DEEPEST:
        raise ArchiveRefused(f"The path {shown(raw)} in it is {len(parts)} folders deep; {DEEPEST} are read.")
    if any(len(part.encode("utf-8", "replace")) > LONGEST_NAME for part in parts):
        raise ArchiveRefused(f"The path {shown(raw)} in it has a name of more than {LONGEST_NAME} bytes.")
    return "/".join(parts)


def decoded_name(raw: bytes, tell: Tell, encoding: str = "utf-8") -> str:
    """A member's name as text; one in another encoding is taken as it can be read."""
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
        tell(_HIDDEN.sub("\ufffd", text), "its name isn't written in UTF-8; what is in it counts")
        return text


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts what comes out of an archive, and stops it in time. `packed` is the bytes that went in so far."""

    tell: Tell
    wanted: Wanted
    packed: int = 0
    unpacked: int = 0
    members: int = 0
    files: int = 0
    seen: dict[str, bytes] = field(default_factory=dict)

    def member(self) -> None:
        """One more entry of any kind. Raises: ArchiveRefused."""
        self.members += 1
        if self.members > MOST_MEMBERS:
            raise ArchiveRefused(
                f"It holds more than {MOST_MEMBERS:,} files and folders. Pack stores and keys apart."
            )

    def opened(self, path: str) -> bool:
        """One more file; whether its contents are asked for. Raises: ArchiveRefused."""
        self.files += 1
        if self.files > MOST_FILES:
            raise ArchiveRefused(f"It holds more than {MOST_FILES:,} files. Pack stores and keys apart.")
        return self.wanted(path)

    def fits(self, path: str, size: int) -> bool:
        """Whether a file that is asked for is small enough to be one; else that is told."""
        if size <= LARGEST_FILE:
            return True
        self.tell(path, f"left out: {size:,} bytes, while a JWT, seed or creds file has a few kilobytes")
        return False

    def grown(self, packed: int, unpacked: int) -> None:
        """So many bytes were read and came out of them. Raises: ArchiveRefused."""
        self.packed += packed
        self.unpacked += unpacked
        if self.unpacked > LARGEST_TOTAL:
            raise ArchiveRefused(
                f"Unpacked it is larger than {LARGEST_TOTAL // 2**20} MiB. Pack the folders “stores” and “keys” alone."
            )
        if self.unpacked > RATIO_FROM and self.unpacked > LARGEST_RATIO * self.packed:
            raise ArchiveRefused(
                f"It unpacks to more than {LARGEST_RATIO} times its size, as no store of JWTs does: not read further."
            )

    def closed(self, path: str, data: bytes) -> bool:
        """A file was read; whether it counts. Raises: ArchiveRefused when its path came before with other contents."""
        digest = hashlib.sha256(data).digest()[:16]
        before = self.seen.setdefault(path, digest)
        if before is digest:
            return True
        if before != digest:
            raise ArchiveRefused(f"{shown(path)} is in it twice, with different contents.")
        self.tell(path, "is in the archive twice; one is enough")
        return False


def refuse_link(path: str, target: str) -> ArchiveRefused:
    """The refusal of a link."""
    return ArchiveRefused(
        f"{shown(path)} in it is a link to {shown(target)}. Links are not followed: pack the files themselves (tar -h)."
    )


def refuse_device(path: str) -> ArchiveRefused:
    """The refusal of what is neither file nor folder."""
    return ArchiveRefused(f"{shown(path)} in it is a device, pipe or socket, which no store of JWTs holds.")
