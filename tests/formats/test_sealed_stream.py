"""A sealed file opens whole with its key, and not at all when anything of it is changed, moved, missing or added."""

from __future__ import annotations

import io
import json
import random

import pytest
from nacl.pwhash import argon2id

from identities.formats import sealed_stream
from identities.formats.sealed_stream import CHUNK, MAGIC, Lock, StreamRefused
from identities.nkeys import SecretBytes

KEY = Lock.key(SecretBytes(b"k" * 32))
OTHER = Lock.key(SecretBytes(b"o" * 32))
PASSPHRASE = Lock.passphrase(SecretBytes("zwölf Zeichen mindestens".encode()))


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_stream, "OPS", argon2id.OPSLIMIT_MIN)
    monkeypatch.setattr(sealed_stream, "MEMORY", argon2id.MEMLIMIT_MIN)


def sealed(lines: list[bytes], lock: Lock = KEY) -> bytes:
    file = io.BytesIO()
    writer = sealed_stream.Writer(file, lock)
    for line in lines:
        writer.write(line + b"\n")
    writer.close()
    return file.getvalue()


def opened(data: bytes, lock: Lock = KEY) -> list[bytes]:
    return list(sealed_stream.lines(io.BytesIO(data), lock))


def noise(count: int) -> list[bytes]:
    """Lines that don't get smaller by packing."""
    dice = random.Random(count)
    return [dice.randbytes(500).hex().encode() for _ in range(count)]


@pytest.mark.parametrize("lock", [KEY, PASSPHRASE], ids=["key", "passphrase"])
@pytest.mark.parametrize("count", [0, 1, 1000])
def test_what_was_written_comes_back(lock: Lock, count: int) -> None:
    lines = noise(count)
    data = sealed(lines, lock)
    assert opened(data, lock) == lines
    assert not any(line[:24] in data for line in lines)


def test_long_lines_and_such_as_pack_to_nothing_come_back() -> None:
    lines = [b"x" * (50 * CHUNK), b"", b"end"]
    data = sealed(lines)
    assert len(data) < CHUNK
    assert opened(data) == lines


def test_two_files_of_the_same_lines_have_nothing_in_common() -> None:
    one, other = (sealed(noise(10)).partition(b"}\n")[2] for _ in range(2))
    assert one[:24] != other[:24]
    assert one[28:60] != other[28:60]


def test_another_key_does_not_open_it() -> None:
    for lock, wrong in ((KEY, OTHER), (PASSPHRASE, Lock.passphrase(SecretBytes(b"another passphrase")))):
        with pytest.raises(StreamRefused, match="another key"):
            opened(sealed([b"x"], lock), wrong)
    with pytest.raises(StreamRefused, match="with a key"):
        opened(sealed([b"x"]), PASSPHRASE)
    with pytest.raises(StreamRefused, match="with a passphrase"):
        opened(sealed([b"x"], PASSPHRASE), KEY)


def test_every_changed_byte_is_found() -> None:
    data = sealed([b"one", b"two"], PASSPHRASE)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises(StreamRefused):
            opened(bytes(changed), PASSPHRASE)


def test_every_cut_is_found() -> None:
    data = sealed(noise(300))
    for end in [*range(200), *range(200, len(data), 997), len(data) - 1]:
        with pytest.raises(StreamRefused):
            opened(data[:end])


def pieces(data: bytes) -> tuple[bytes, list[bytes]]:
    """Everything before the chunks, and the chunks."""
    at = data.index(b"\n", len(MAGIC)) + 1 + 24
    head, found = data[:at], []
    while at < len(data):
        size = 4 + int.from_bytes(data[at : at + 4], "big")
        found.append(data[at : at + size])
        at += size
    return head, found


def test_chunks_that_are_moved_missing_doubled_or_of_another_file_are_found() -> None:
    head, chunks = pieces(sealed(noise(1000)))
    _, others = pieces(sealed(noise(1000)))
    assert len(chunks) > 4
    for wrong in (
        [chunks[1], chunks[0], *chunks[2:]],
        [chunks[0], *chunks[2:]],
        [chunks[0], *chunks],
        [others[0], *chunks[1:]],
        chunks[:-1],
        [*chunks, chunks[-1]],
        [*chunks, b"x"],
    ):
        with pytest.raises(StreamRefused):
            opened(head + b"".join(wrong))


def test_costs_of_a_passphrase_that_would_eat_the_memory_are_refused() -> None:
    head = json.dumps({"key": "passphrase", "salt": "00" * 16, "ops": 3, "memory": 1 << 40})
    with pytest.raises(StreamRefused, match="does not open"):
        opened(MAGIC + head.encode() + b"\n" + bytes(100), PASSPHRASE)


def test_short_passphrases_and_keys_of_another_length_are_refused() -> None:
    with pytest.raises(StreamRefused, match="at least 12"):
        Lock.passphrase(SecretBytes(b"too short"))
    with pytest.raises(StreamRefused, match="this one has 31"):
        Lock.key(SecretBytes(b"k" * 31))


def test_something_else_is_no_backup() -> None:
    for data in (b"", b"SQLite format 3\0", b"nscweb backup 2\n{}\n"):
        with pytest.raises(StreamRefused, match="no backup"):
            opened(data)
