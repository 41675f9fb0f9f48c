"""A backup holds everything of one moment, whoever writes meanwhile, and comes back row by row on either database."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from identities.formats import sealed_stream
from identities.formats.sealed_stream import Lock, StreamRefused
from identities.models import Account, AuditEvent, User
from identities.nkeys import SecretBytes
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.services import audit, audit_checking, backing_up, backup_tables, restoring, secrets
from tests import make, natsclient, natsserver, postgres, rows
from tests.house import canary
from tests.restored import as_json

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parents[2]
RAW = b"b" * 32
LOCK = Lock.key(SecretBytes(RAW))
OF_RESTORING = ("installation.restore",)


@pytest.fixture(autouse=True)
def _folder(settings: Any, tmp_path: Path) -> None:
    settings.NSCWEB_DATA_DIR = tmp_path / "data"
    settings.NSCWEB_DATA_DIR.mkdir()


@pytest.fixture
def account() -> Account:
    """Something in most tables."""
    operator = make.operator("Original")
    held = make.account(operator, "Shop")
    make.user(held, "ann")
    make.export(held, "orders.>")
    make.imported(make.account(operator, "Desk"), "orders.>", of=held)
    make.cluster(operator)
    make.principal(Role.USER_MANAGER, account=held)
    make.principal()
    return held


def backup(tmp_path: Path, lock: Lock = LOCK) -> Path:
    path = tmp_path / "backup"
    backing_up.write(principal=make.COMMAND, path=path, lock=lock)
    return path


def lines(path: Path) -> list[Any]:
    with path.open("rb") as file:
        return [json.loads(line) for line in sealed_stream.lines(file, LOCK)]


def elsewhere(folder: Path, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run something for another installation, whose data lie in `folder`."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("NSCWEB_", "DATABASE_"))
    }
    kept.pop("DJANGO_SETTINGS_MODULE", None)
    given = {
        "NSCWEB_DATA_DIR": str(folder),
        "NSCWEB_MASTER_KEY": settings.NSCWEB_MASTER_KEY,
        "NSCWEB_BACKUP_KEY": base64.b64encode(RAW).decode(),
        **environ,
    }
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**kept, **{name: value for name, value in given.items() if value}},
        capture_output=True,
        text=True,
        check=False,
    )


def restore(folder: Path, path: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return elsewhere(folder, "manage.py", "restore", str(path), **environ)


def look(folder: Path, *wanted: str, **environ: str) -> dict[str, Any]:
    told = elsewhere(folder, "-m", "tests.restored", *wanted, **environ)
    assert told.returncode == 0, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def without_the_restoring(held: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of a restored installation without the event that says so, and with the head before it."""
    *events, last = held["AuditEvent"]
    assert last["action"] in OF_RESTORING
    (head,) = held["AuditHead"]
    assert head["hash"] == last["hash"]
    before = {**head, "seq": head["seq"] - 1, "hash": last["prev"]}
    return {**held, "AuditEvent": events, "AuditHead": [before]}


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Where to restore to: each kind of database, whichever the tests themselves run on."""
    if request.param == "sqlite":
        yield {}
        return
    with postgres.server() as url:
        yield {"DATABASE_URL": url}


def test_everything_comes_back_row_by_row_and_its_creds_are_still_accepted(
    account: Account, target: dict[str, str], tmp_path: Path, nats: natsserver.Stable
) -> None:
    """The drill: backup, a new machine with the master key alone, restore, and servers and clients go on."""
    path = backup(tmp_path)
    before = as_json(rows.everything())
    folder = tmp_path / "new"
    done = restore(folder, path, **target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The master key fits, and so do all" in done.stdout
    found = look(folder, "ann", **target)
    assert found["broken"] == []
    after = without_the_restoring(found["rows"])
    assert sorted(after) == sorted(before)
    for name, held in before.items():
        assert after[name] == held, name
    creds = tmp_path / "ann.creds"
    creds.write_text(found["creds"])
    server = nats.start(found["config"])
    assert natsclient.lets_in(server.url, creds)
    again = restore(folder, path, **target)
    assert again.returncode == 2
    assert "not empty" in again.stderr


def test_under_load_it_holds_one_moment(account: Account, tmp_path: Path) -> None:
    """Each writer makes a user in one transaction with its event: none is in the backup by halves."""
    stop = threading.Event()
    raised: list[Exception] = []
    made: list[int] = []

    def write(letter: str) -> None:
        try:
            number = 0
            while not stop.wait(0.002):  # SQLite's lock is not fair: who never pauses starves the others
                held = Account.objects.get(pk=account.pk)
                made.append(make.user(held, f"{letter}{number}").pk)
                number += 1
        except Exception as error:  # noqa: BLE001  the test looks at it
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "xyz"]
    for thread in threads:
        thread.start()
    try:
        natsserver.eventually(lambda: len(made) >= 10, "the first users")
        path = backup(tmp_path)
        count = len(made)
        natsserver.eventually(lambda: len(made) >= count + 10, "users after the backup")
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert not raised
    folder = tmp_path / "new"
    done = restore(folder, path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = look(folder)
    assert found["broken"] == []
    held = without_the_restoring(found["rows"])
    here = as_json(rows.everything())
    for name in ("User", "IssuedToken", "Key", "AuditEvent", "AuditTarget", "Permission"):
        now = {row["id"]: row for row in here[name]}
        assert all(row == now[row["id"]] for row in held[name]), name
    written = {row["name"] for row in held["User"] if row["name"][0] in "xyz"}
    events = {row["seq"] for row in held["AuditEvent"] if row["action"] == "user.create"}
    told = {row["name"] for row in held["AuditTarget"] if row["seq"] in events and row["kind"] == "user"}
    assert {name for name in told if name[0] in "xyz"} == written
    assert 10 < len(held["User"]) < User.objects.count()


def test_no_seed_token_or_password_is_in_it_and_none_in_what_it_seals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs = canary.hear_of_everything(monkeypatch)
    songs.learn(make.PASSWORD.encode(), "a password")
    account = make.account()
    make.user(account, "ann")
    make.principal()
    assert not canary.open_everything(songs)
    path = backup(tmp_path)
    assert not songs.heard_in(path.read_bytes())
    with path.open("rb") as file:
        clear = list(sealed_stream.lines(file, LOCK))
    assert account.public_key.encode() in b"".join(clear)
    for line in clear:
        assert not songs.heard_in(line)
        for value in json.loads(line) if line.startswith(b"[") else ():
            if isinstance(value, str) and len(value) % 4 == 0 and value.isascii():
                try:
                    inner = base64.b64decode(value, validate=True)
                except ValueError:
                    continue
                assert not songs.heard_in(inner)


def test_without_the_master_key_it_ends_sealed_and_goes_on_when_the_key_is_there(
    account: Account, tmp_path: Path
) -> None:
    path, folder = backup(tmp_path), tmp_path / "new"
    before = as_json(rows.everything())
    done = restore(folder, path, NSCWEB_MASTER_KEY="")
    assert done.returncode == 3, done.stderr
    assert "SEALED" in done.stdout
    assert "there is no master key" in done.stdout
    assert not (folder / "master.key").exists()
    found = look(folder, NSCWEB_MASTER_KEY="")
    assert "there is no master key" in found["sealed"]
    assert found["rows"] == before
    with_key = elsewhere(folder, "manage.py", "verify_audit")
    assert with_key.returncode == 0, with_key.stdout + with_key.stderr


def test_an_installation_that_was_only_started_is_empty(account: Account, tmp_path: Path) -> None:
    path, folder = backup(tmp_path), tmp_path / "new"
    started = elsewhere(folder, "-m", "nscweb.prepare")
    assert "/first/" in started.stdout
    done = restore(folder, path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert look(folder)["broken"] == []


def test_nothing_is_restored_over_something(account: Account, tmp_path: Path) -> None:
    path = backup(tmp_path)
    before = rows.everything()
    with pytest.raises(restoring.NotEmpty, match="not empty"):
        restoring.restore(principal=make.COMMAND, path=path, lock=LOCK)
    assert rows.everything() == before
    assert audit_checking.check().findings == ()


Damage = Callable[[bytearray], bytes]
DAMAGES: dict[str, Damage] = {
    "cut off": lambda data: bytes(data[:-40]),
    "changed near the end": lambda data: bytes(data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]),
    "something behind": lambda data: bytes(data + b"x"),
}


@pytest.mark.parametrize("name", sorted(DAMAGES))
def test_a_damaged_backup_leaves_nothing_half_written(account: Account, tmp_path: Path, name: str) -> None:
    path, folder = backup(tmp_path), tmp_path / "new"
    path.write_bytes(DAMAGES[name](bytearray(path.read_bytes())))
    done = restore(folder, path)
    assert done.returncode == 2, done.stdout + done.stderr
    found = look(folder, NSCWEB_MASTER_KEY="")
    assert not any(found["rows"].values())


def test_another_version_or_key_is_refused_with_the_remedy(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = backup(tmp_path)
    with pytest.raises(StreamRefused, match="another key"):
        restoring.restore(principal=make.COMMAND, path=path, lock=Lock.key(SecretBytes(b"x" * 32)))
    real = backup_tables.migrations
    monkeypatch.setattr(backup_tables, "migrations", lambda held: [*real(held), ["identities", "9999_later"]])
    with pytest.raises(restoring.IdentityError, match=r"identities\.9999_later.*then upgrade"):
        restoring.restore(principal=make.COMMAND, path=path, lock=LOCK)


def test_it_is_audited_before_and_not_written_when_that_fails(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = backup(tmp_path)
    event = AuditEvent.objects.latest("seq")
    assert (event.action, event.summary) == ("installation.backup", "Wrote a backup to backup")
    head = lines(path)[0]
    assert head["audit"] == {"seq": event.seq, "hash": event.hash}

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("the audit can't be written")

    monkeypatch.setattr(audit, "record_all", fail)
    with pytest.raises(OSError, match="audit"):
        backing_up.write(principal=make.COMMAND, path=tmp_path / "other", lock=LOCK)
    assert sorted(held.name for held in tmp_path.iterdir()) == ["backup", "data"]
    assert not list((tmp_path / "data").iterdir())


def test_only_owners_may(account: Account, tmp_path: Path) -> None:
    admin = make.principal(Role.ADMINISTRATOR, operator=account.operator)
    with pytest.raises(Forbidden):
        backing_up.write(principal=admin, path=tmp_path / "b", lock=LOCK)
    with pytest.raises(Forbidden):
        restoring.restore(principal=admin, path=tmp_path / "b", lock=LOCK)
    assert not (tmp_path / "b").exists()


def test_the_master_key_seals_no_backup_and_no_file_is_written_over(account: Account, tmp_path: Path) -> None:
    master = base64.b64decode(settings.NSCWEB_MASTER_KEY.partition(":")[2])
    with pytest.raises(restoring.IdentityError, match="the master key"):
        backing_up.write(principal=make.COMMAND, path=tmp_path / "b", lock=Lock.key(SecretBytes(master)))
    (tmp_path / "b").write_text("mine")
    with pytest.raises(restoring.IdentityError, match="exists already"):
        backing_up.write(principal=make.COMMAND, path=tmp_path / "b", lock=LOCK)
    assert (tmp_path / "b").read_text() == "mine"


def test_only_the_owner_of_the_file_reads_it_and_a_sealed_installation_writes_none(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert backup(tmp_path).stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(secrets, "_unseal", lambda: None)
    secrets.forget()
    with pytest.raises(secrets.SealedInstallation):
        backing_up.write(principal=make.COMMAND, path=tmp_path / "b", lock=LOCK)
    assert not (tmp_path / "b").exists()


def test_ids_that_were_given_once_are_not_given_again(account: Account, tmp_path: Path) -> None:
    """The envelopes of clusters are sealed to their number."""
    extra = make.person()
    number = extra.pk
    extra.delete()
    held = {line["table"]: line["last_id"] for line in lines(backup(tmp_path)) if "table" in line}
    assert held["identities_person"] == number


def test_the_commands_take_a_passphrase_and_make_a_key(
    account: Account, tmp_path: Path, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    key, words, path = tmp_path / "key", tmp_path / "words", tmp_path / "one"
    call_command("backup", "--new-key", str(key))
    assert key.stat().st_mode & 0o777 == 0o600
    settings.NSCWEB_BACKUP_KEY = key.read_text().strip()
    call_command("backup", str(path))
    assert "The master key is not in it" in capsys.readouterr().out
    folder = tmp_path / "new"
    done = restore(folder, path, NSCWEB_BACKUP_KEY="", NSCWEB_BACKUP_KEY_FILE=str(key))
    assert done.returncode == 0, done.stdout + done.stderr
    words.write_text("correct horse battery\n")
    call_command("backup", str(tmp_path / "two"), "--passphrase-file", str(words))
    command = ("manage.py", "restore", str(tmp_path / "two"), "--passphrase-file", str(words))
    done = elsewhere(tmp_path / "newer", *command, NSCWEB_BACKUP_KEY="")
    assert done.returncode == 0, done.stdout + done.stderr
    without = restore(tmp_path / "third", path, NSCWEB_BACKUP_KEY="")
    assert without.returncode == 2
    assert "There is no backup key" in without.stderr
