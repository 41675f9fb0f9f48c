"""Archives are read as streams of small files; what is hostile or broken is refused with its reason."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.formats import archives
from identities.formats.archives import ArchiveRefused, Member
from tests import hostile

GOOD = {"stores/Op/Op.jwt": b"one", "stores/Op/accounts/A/A.jwt": b"two", "keys/keys/O/AA/OAA.nk": b"x" * 58}


def wanted(path: str) -> bool:
    return path.endswith((".jwt", ".nk", ".creds", ".bin"))


def read(data: bytes, told: list[tuple[str, str]] | None = None) -> list[Member]:
    heard = told if told is not None else []
    source = io.BytesIO(data)
    return list(archives.members(source, tell=lambda path, words: heard.append((path, words)), wanted=wanted))


def contents(data: bytes, told: list[tuple[str, str]] | None = None) -> dict[str, bytes]:
    return {member.path: member.data for member in read(data, told)}


def packed(files: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    for name, form in (
        ("gnu", tarfile.GNU_FORMAT),
        ("pax", tarfile.PAX_FORMAT),
        ("ustar", tarfile.USTAR_FORMAT),
    ):
        plain = hostile.tar(*files.items(), form=form)
        yield f"tar {name}", plain
        yield f"tar.gz {name}", gzip.compress(plain)
        yield f"tar.xz {name}", lzma.compress(plain)
    yield "zip deflated", hostile.zipped(files)
    yield "zip stored", hostile.zipped(files, method=zipfile.ZIP_STORED)


@pytest.mark.parametrize(
    ("name", "data"), list(packed(GOOD)), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_kind_gives_its_files(name: str, data: bytes) -> None:
    assert archives.is_archive(data[: archives.HEAD])
    assert contents(data) == GOOD


@pytest.mark.parametrize("name", sorted(set(hostile.CASES) - {"tar: larger than itself"}))
def test_what_is_hostile_or_broken_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(ArchiveRefused) as refused:
        read(hostile.archive(name))
    assert hostile.CASES[name][1] in refused.value.user_message


def test_there_are_at_least_sixty_kinds_of_them() -> None:
    assert len(hostile.CASES) >= 60


def test_a_file_larger_than_any_of_nsc_s_is_left_out_and_told_and_then_missed() -> None:
    told: list[tuple[str, str]] = []
    with pytest.raises(ArchiveRefused, match="cut short"):
        read(hostile.archive("tar: larger than itself"), told)
    assert "left out" in told[0][1]


def test_a_large_file_is_left_out_and_the_rest_is_read() -> None:
    for data in (
        hostile.tar(("stores/big.jwt", bytes(2**21)), ("stores/a.jwt", b"a")),
        hostile.zipped({"stores/big.jwt": bytes(2**21), "stores/a.jwt": b"a"}),
    ):
        told: list[tuple[str, str]] = []
        assert contents(data, told) == {"stores/a.jwt": b"a"}
        assert told == [
            (
                "stores/big.jwt",
                "left out: 2,097,152 bytes, while a JWT, seed or creds file has a few kilobytes",
            )
        ]


def test_what_nobody_asks_for_is_passed_over() -> None:
    files = {**GOOD, "stores/README.md": b"hello", "stores/core": b"x" * 3000}
    for _, data in packed(files):
        assert contents(data) == GOOD


def test_a_file_that_is_there_twice_alike_is_read_once_and_told() -> None:
    told: list[tuple[str, str]] = []
    assert contents(hostile.tar(("a.jwt", b"1"), ("./a.jwt", b"1")), told) == {"a.jwt": b"1"}
    assert told == [("a.jwt", "is in the archive twice; one is enough")]


def test_backslashes_are_read_as_slashes_and_told() -> None:
    for data in (hostile.tar(("stores\\a.jwt", b"1")), hostile.zipped({"stores\\a.jwt": b"1"})):
        told: list[tuple[str, str]] = []
        assert contents(data, told) == {"stores/a.jwt": b"1"}
        assert "backslashes" in told[0][1]


def test_names_in_other_encodings_are_read_as_they_can_be() -> None:
    told: list[tuple[str, str]] = []
    latin = hostile.header("stores/Zürich.jwt".encode("latin-1"), b"00000000001\0") + b"1".ljust(512, b"\0")
    assert contents(latin + hostile.END, told) == {"stores/Zürich.jwt": b"1"}
    assert "isn't written in UTF-8" in told[0][1]
    data = hostile.zipped({"stores/Z_rich.jwt": b"1"})
    assert contents(data.replace(b"Z_rich", b"Z\x81rich")) == {"stores/Zürich.jwt": b"1"}
    assert contents(hostile.zipped({"stores/Zürich 日本.jwt": b"1"})) == {"stores/Zürich 日本.jwt": b"1"}
    assert contents(hostile.tar(("stores/日本.jwt", b"1"))) == {"stores/日本.jwt": b"1"}


def test_long_names_of_gnu_and_pax_are_whole() -> None:
    name = "/".join(["a-folder-with-a-name"] * 12) + "/x.jwt"
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        assert contents(hostile.tar((name, b"1"), form=form)) == {name: b"1"}


def test_streams_that_follow_each_other_are_one_archive() -> None:
    data = hostile.tar(*GOOD.items())
    half = len(data) // 2
    assert contents(gzip.compress(data[:half]) + gzip.compress(data[half:])) == GOOD
    assert contents(lzma.compress(data[:half]) + bytes(8) + lzma.compress(data[half:])) == GOOD


def test_a_zip_with_sizes_behind_its_files_is_read() -> None:
    class OneWay(io.RawIOBase):
        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.data += bytes(data)  # type: ignore[call-overload]
            return len(data)  # type: ignore[arg-type]

    out = OneWay()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:  # type: ignore[call-overload]
        for name, data in GOOD.items():
            made.writestr(name, data)
    assert contents(bytes(out.data)) == GOOD


def test_a_zip_of_64_bits_is_read() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, data in GOOD.items():
            with made.open(name, "w", force_zip64=True) as file:
                file.write(data)
    assert contents(out.getvalue()) == GOOD


def test_an_empty_zip_is_an_archive_without_files() -> None:
    assert contents(hostile.zipped({})) == {}


def test_a_bomb_is_stopped_before_it_fills_the_memory() -> None:
    data = hostile.bomb(lambda plain: lzma.compress(plain, preset=1), b"stores/x.bin", 200)
    tracemalloc.start()
    with pytest.raises(ArchiveRefused):
        read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20


def refused_or_read(data: bytes) -> list[Member]:
    """What is read of any bytes; anything else than a refusal is a fault."""
    try:
        return read(data)
    except ArchiveRefused:
        return []


@given(st.binary(max_size=2000))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for start in (b"", b"PK\x03\x04", b"\x1f\x8b\x08", b"\xfd7zXZ\x00"):
        assert all(wanted(member.path) for member in refused_or_read(start + data))


@given(st.sampled_from(["tar", "zip", "gz", "xz"]), st.integers(0, 10_000), st.binary(min_size=1, max_size=4))
def test_a_damaged_archive_is_read_or_refused(kind: str, at: int, damage: bytes) -> None:
    plain = hostile.tar(*GOOD.items())
    packed = {
        "tar": plain,
        "zip": hostile.zipped(GOOD),
        "gz": gzip.compress(plain),
        "xz": lzma.compress(plain),
    }
    data = packed[kind]
    found = refused_or_read(hostile.changed(data, at % len(data), damage))
    assert all(".." not in member.path.split("/") for member in found)
