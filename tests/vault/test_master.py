from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from identities.vault import master
from identities.vault.keyring import KeyRing, new_key_text
from identities.vault.master import Sealed, canary, check_canary, load_or_create


def test_a_key_file_is_made_once_for_an_empty_database_and_only_for_its_owner(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    ring = load_or_create(None, None, folder, database_is_empty=True)
    assert isinstance(ring, KeyRing)
    path = folder / "master.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in folder.iterdir()] == ["master.key"]
    before = path.read_bytes()
    again = load_or_create("", "", str(folder), database_is_empty=True)
    assert isinstance(again, KeyRing)
    assert path.read_bytes() == before
    assert again.key("k1") == ring.key("k1")


def test_no_key_is_ever_made_over_a_database_that_holds_secrets(tmp_path: Path) -> None:
    sealed = load_or_create(None, None, tmp_path, database_is_empty=False)
    assert isinstance(sealed, Sealed)
    assert "No new key was made" in sealed.reason
    assert list(tmp_path.iterdir()) == []


def test_a_named_key_file_is_never_made(tmp_path: Path) -> None:
    sealed = load_or_create(None, tmp_path / "ring", tmp_path, database_is_empty=True)
    assert isinstance(sealed, Sealed)
    assert "NSCWEB_MASTER_KEY_FILE" in sealed.reason
    assert list(tmp_path.iterdir()) == []


def test_an_unreadable_key_file_is_not_replaced(tmp_path: Path) -> None:
    for content in (b"", b"k1:AAAA\n", b"\xff\xfe", b"x" * 70_000):
        (tmp_path / "master.key").write_bytes(content)
        assert isinstance(load_or_create(None, None, tmp_path, database_is_empty=True), Sealed)
        assert (tmp_path / "master.key").read_bytes() == content


def test_a_dangling_link_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "master.key").symlink_to(tmp_path / "gone")
    assert isinstance(load_or_create(None, None, tmp_path, database_is_empty=True), Sealed)
    assert not (tmp_path / "gone").exists()


def test_a_folder_that_cannot_be_written_seals(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    sealed = load_or_create(None, None, tmp_path / "file", database_is_empty=True)
    assert isinstance(sealed, Sealed)
    assert "can't be written" in sealed.reason


def test_the_environment_goes_before_the_file_and_both_are_too_many(tmp_path: Path) -> None:
    text = new_key_text("env1")
    (tmp_path / "ring").write_text(new_key_text("file1") + "\n")
    by_value = load_or_create(text, None, tmp_path, database_is_empty=False)
    by_file = load_or_create(None, tmp_path / "ring", tmp_path, database_is_empty=False)
    assert isinstance(by_value, KeyRing)
    assert isinstance(by_file, KeyRing)
    assert (by_value.primary, by_file.primary) == ("env1", "file1")
    both = load_or_create(text, tmp_path / "ring", tmp_path, database_is_empty=True)
    assert isinstance(both, Sealed)
    assert "Set only one" in both.reason


def test_a_bad_value_seals_without_showing_it(tmp_path: Path) -> None:
    sealed = load_or_create("hunter2hunter2", None, tmp_path, database_is_empty=True)
    assert isinstance(sealed, Sealed)
    assert "hunter2" not in sealed.reason


def test_processes_that_start_at_once_agree_on_one_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = iter(range(1000))
    monkeypatch.setattr(master.os, "getpid", lambda: next(pids))  # each thread stands for a process
    found: list[bytes] = []
    start = threading.Barrier(8)

    def process() -> None:
        start.wait()
        ring = load_or_create(None, None, tmp_path, database_is_empty=True)
        assert isinstance(ring, KeyRing)
        found.append(ring.key("k1"))

    threads = [threading.Thread(target=process) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]


def test_the_canary_sings_only_for_its_own_ring() -> None:
    ring = KeyRing({"k1": bytes(range(32))}, "k1")
    song = canary(ring)
    assert check_canary(ring, song)
    assert check_canary(KeyRing({"k2": bytes(32), "k1": bytes(range(32))}, "k2"), song)
    assert not check_canary(KeyRing({"k1": bytes(32)}, "k1"), song)
    assert not check_canary(KeyRing({"k2": bytes(range(32))}, "k2"), song)
    assert not check_canary(ring, b"")
    assert not check_canary(ring, song[:-1])
