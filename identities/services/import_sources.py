"""Where an import reads from: a folder of this machine, what somebody uploaded, an account server."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from identities.errors import IdentityError
from identities.formats import archives, nsc_layout
from identities.formats.archive_rules import LARGEST_FILE
from identities.services import uploads
from identities.services.import_notes import Tone
from identities.services.import_reading import Collector

Tick = Callable[[int, int], None]
"""Takes how many bytes or files were read so far, of how many (0 = not known)."""
Place = tuple[str, str]
"""Where a file lies, and its path as it is told."""
LARGEST_TEXT = 32 * 1024 * 1024
OFTEN = 200
"""Files between two ticks."""


def folder(collector: Collector, root: Path, tick: Tick) -> None:
    """Everything of nsc's below a folder of this machine; links are not followed."""
    files(collector, below(collector, root), tick)


def below(collector: Collector, root: Path) -> list[Place]:
    """The files of nsc's below a folder, in order of their names."""
    return list(_below(collector, str(root), root.name))


def files(collector: Collector, places: Sequence[Place], tick: Tick) -> None:
    """These files of this machine."""
    for number, (path, shown) in enumerate(places, 1):
        try:
            data = _contents(path)
        except OSError as unread:
            collector.collected.notes.add(Tone.LEFT, f"can't be read: {unread.strerror}", shown)
            continue
        if len(data) > LARGEST_FILE:
            words = "left out: too large for a JWT, seed or creds file"
            collector.collected.notes.add(Tone.LEFT, words, shown)
        else:
            collector.file(shown, data)
        if number % OFTEN == 0:
            tick(number, len(places))


def upload(collector: Collector, number: str, tick: Tick) -> None:
    """Every file of an upload: archives, single files, texts.

    Raises: ArchiveRefused: one of them is broken or hostile; the message names it.
    """
    parts = uploads.parts(number)
    total, before = sum(part.size for part in parts), 0
    for part in parts:
        with uploads.Reader(number, part.number) as raw:
            reader = cast("BinaryIO", io.BufferedReader(raw, 64 * 1024))
            for _ in _part(collector, part, reader):
                tick(before + raw.tell(), total)
        before += part.size


def _part(collector: Collector, part: uploads.Part, reader: BinaryIO) -> Iterator[None]:
    """Read one file; stops every now and then, so that its caller can tell how far it is."""
    try:
        head = reader.read(archives.HEAD)
        reader.seek(0)
        if archives.is_archive(head):
            yield from _archive(collector, reader)
        elif part.size > LARGEST_TEXT:
            raise IdentityError(
                "This is no archive, and too large for a text. Pack the folder as zip or tar.gz."
            )
        elif nsc_layout.is_wanted(part.label):
            collector.file(part.label, reader.read())
        else:
            collector.text(part.label, reader.read())
    except IdentityError as refused:
        raise type(refused)(f"{part.label}: {refused.user_message}") from None


def _archive(collector: Collector, reader: BinaryIO) -> Iterator[None]:
    passed = [0]

    def wanted(path: str) -> bool:
        passed[0] += not nsc_layout.is_wanted(path)
        return nsc_layout.is_wanted(path)

    for number, member in enumerate(archives.members(reader, tell=collector.tell, wanted=wanted), 1):
        collector.file(member.path, member.data)
        if number % OFTEN == 0:
            yield
    if passed[0]:
        files = "file" if passed[0] == 1 else "files"
        collector.collected.notes.add(Tone.INFO, f"{passed[0]:,} other {files} were passed over")


def _below(collector: Collector, place: str, shown: str) -> Iterator[Place]:
    """The files that are asked for, in order of their names."""
    with os.scandir(place) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    notes = collector.collected.notes
    for entry in entries:
        path = f"{shown}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _below(collector, entry.path, path)
        elif not nsc_layout.is_wanted(path):
            continue
        elif not entry.is_file(follow_symlinks=False):
            notes.add(Tone.LEFT, "is a link or device, which is not followed", path)
        else:
            yield entry.path, path


def _contents(path: str) -> bytes:
    """A file's bytes, one more than are taken at most: with 100,000 files a Path and a buffer for each take long."""
    opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        data = os.read(opened, LARGEST_FILE + 1)
        while len(data) <= LARGEST_FILE and (more := os.read(opened, LARGEST_FILE)):
            data += more
        return data
    finally:
        os.close(opened)
