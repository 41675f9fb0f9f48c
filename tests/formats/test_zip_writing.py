"""What is written as it goes is a zip file for everybody: the library, our own reader, with few files and with many."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.formats import archives, zip_writing
from identities.formats.zip_writing import ZipWriter

NOON = datetime(2026, 3, 4, 12, 30, 58, tzinfo=UTC)


def packed(files: dict[str, bytes]) -> bytes:
    writer = ZipWriter(NOON)
    return b"".join([*(writer.add(path, data) for path, data in files.items()), writer.end()])


@given(st.dictionaries(st.from_regex(r"[a-zé ]{1,9}(/[a-z]{1,9})?", fullmatch=True), st.binary(max_size=400)))
def test_every_file_is_found_again(files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(packed(files))) as archive:
        assert archive.testzip() is None
        assert {info.filename: archive.read(info) for info in archive.infolist()} == files


def test_files_carry_their_time_and_are_their_owners_alone() -> None:
    with zipfile.ZipFile(io.BytesIO(packed({"keys/a.nk": b"secret" * 50}))) as archive:
        (info,) = archive.infolist()
    assert info.date_time == (2026, 3, 4, 12, 30, 58)
    assert info.external_attr >> 16 == 0o100600
    assert info.compress_size < info.file_size


def test_more_files_than_a_plain_zip_counts_are_read_by_the_library_and_by_us() -> None:
    files = {f"f/{number}.jwt": b"%d" % number for number in range(66_000)}
    data = packed(files)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert len(archive.infolist()) == len(files)
        assert archive.read("f/65999.jwt") == b"65999"
    read = archives.members(io.BytesIO(data), tell=lambda path, message: None, wanted=lambda path: True)
    assert {member.path: member.data for member in read} == files


def test_what_lies_beyond_four_gigabytes_is_found_too() -> None:
    writer = ZipWriter(NOON)
    hole = 2**32 + 5
    first = writer.add("near", b"here")
    writer._offset += hole  # as if so much had been written
    last, end = writer.add("far", b"there"), writer.end()

    class Sparse(io.RawIOBase):
        """The archive with a hole of four gigabytes in it."""

        def __init__(self) -> None:
            self.at = 0
            self.size = len(first) + hole + len(last) + len(end)

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return True

        def tell(self) -> int:
            return self.at

        def seek(self, offset: int, whence: int = 0) -> int:
            self.at = offset + {0: 0, 1: self.at, 2: self.size}[whence]
            return self.at

        def read(self, size: int = -1) -> bytes:
            size = self.size - self.at if size < 0 else size
            rest, behind = last + end, len(first) + hole
            found = (
                first[self.at : self.at + size] if self.at < len(first) else rest[self.at - behind :][:size]
            )
            self.at += len(found)
            return found

    with zipfile.ZipFile(Sparse()) as archive:  # type: ignore[arg-type]  # reads all that the library asks of a file
        assert [archive.read(name) for name in ("near", "far")] == [b"here", b"there"]


def test_a_file_beyond_all_measure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_writing, "LARGEST", 3)
    with pytest.raises(ValueError, match="too large"):
        ZipWriter(NOON).add("a", b"1234")
