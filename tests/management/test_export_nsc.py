"""`manage.py export_nsc`: whole files, nothing newer lost, folders of others refused, the large store as it came in."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from identities.claims import codec
from identities.claims.drafts import AccountEdit
from identities.models import Account, AuditEvent, Key, Operator, User
from identities.services import accounts, export_folders, importing, operators, users
from identities.services.import_items import Choices
from tests import goldens, make, nscfiles

pytestmark = pytest.mark.django_db
LARGE = goldens.GOLDEN / "large/large-200x20.tar.xz"


@pytest.fixture(autouse=True)
def _installed(db: None) -> None:
    make.installation()


@pytest.fixture
def account() -> Account:
    made = make.account(make.operator("Op"), "App")
    make.user(made, "ann")
    return made


def run(*arguments: Any, **options: Any) -> str:
    out = io.StringIO()
    call_command("export_nsc", *map(str, arguments), stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def described(account: Account, words: str) -> Account:
    account.refresh_from_db()
    edit = AccountEdit(name=account.name, description=words)
    return accounts.update(principal=make.COMMAND, account=account, edit=edit, version=account.version)


def test_the_large_store_goes_out_as_it_came_in(tmp_path: Path) -> None:
    with tarfile.open(LARGE) as packed:
        packed.extractall(tmp_path, filter="data")
    there, out = tmp_path / "large", tmp_path / "out"
    read = nscfiles.collected(there / "stores", there / "keys")
    importing.perform(principal=make.COMMAND, collected=read, choices=Choices())
    told = run("Large", out, "--with-keys")
    assert "201 accounts, 4,001 users" in told
    assert "12,610 files written" in told
    assert tree(out / "stores") == tree(there / "stores")
    assert tree(out / "keys") == tree(there / "keys")
    for path in out.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert "12,610 files unchanged" in run("Large", out, "--with-keys")


def test_by_name_in_any_case_or_by_key(account: Account, tmp_path: Path) -> None:
    run("op", tmp_path / "a")
    run(account.operator.public_key, tmp_path / "b")
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    with pytest.raises(CommandError, match="no operator “Nobody”"):
        run("Nobody", tmp_path / "c")


def test_without_keys_no_seed_is_written_and_nothing_is_audited(account: Account, tmp_path: Path) -> None:
    before = AuditEvent.objects.count()
    run("Op", tmp_path / "out")
    assert not (tmp_path / "out/keys").exists()
    assert AuditEvent.objects.count() == before
    run("Op", tmp_path / "keys", "--with-keys")
    event = AuditEvent.objects.latest("seq")
    assert (event.action, event.actor_name) == ("operator.export-seeds", "manage.py export_nsc")


def test_the_keystore_may_lie_elsewhere(account: Account, tmp_path: Path) -> None:
    out, keys = tmp_path / "out", tmp_path / "nkeys"
    run("Op", out, "--with-keys", "--keystore", keys)
    assert not (out / "keys").exists()
    assert (keys / "creds/Op/App/ann.creds").exists()
    assert len(list(keys.glob("keys/*/*/*.nk"))) == Key.objects.exclude(sealed=None).count()
    for wrong in (["--keystore", keys], ["--keystore", keys, "--with-keys", "--flat"]):
        with pytest.raises(CommandError, match="--keystore goes with"):
            run("Op", tmp_path / "other", *wrong)


def test_a_flat_export_is_found_again_by_the_operators_key(account: Account, tmp_path: Path) -> None:
    told = run("Op", tmp_path, "--with-keys", "--flat")
    assert {path.suffix for path in tmp_path.iterdir()} == {".jwt", ".nk"}
    described(account, "changed")
    assert "1 files replaced by newer ones" in run("Op", tmp_path, "--with-keys", "--flat")
    assert told.endswith("Done.\n")


class TestAFolderThatHoldsSomething:
    def test_of_others_is_refused_and_nothing_is_audited(self, account: Account, tmp_path: Path) -> None:
        make.operator("Other")
        run("Other", tmp_path / "other")
        (tmp_path / "files").mkdir()
        (tmp_path / "files/letter.txt").write_text("Dear")
        (tmp_path / "file").write_text("")
        before = AuditEvent.objects.count()
        for folder, words in (
            ("other", "no earlier export of “Op”"),
            ("files", "is not empty"),
            ("file", "no folder"),
        ):
            with pytest.raises(CommandError, match=words):
                run("Op", tmp_path / folder, "--with-keys")
        with pytest.raises(CommandError, match=r"no keystore of nsc's: it holds letter\.txt"):
            run("Op", tmp_path / "new", "--with-keys", "--keystore", tmp_path / "files")
        assert not (tmp_path / "new").exists()
        assert AuditEvent.objects.count() == before

    def test_another_operator_of_the_same_name_is_not_written_over(
        self, account: Account, tmp_path: Path
    ) -> None:
        run("Op", tmp_path)
        operators.delete(
            principal=make.COMMAND, operator=account.operator, version=Operator.objects.get().version
        )
        make.operator("Op")
        before = tree(tmp_path)
        with pytest.raises(CommandError, match="no earlier export"):
            run("Op", tmp_path)
        assert tree(tmp_path) == before

    def test_the_folder_of_stores_itself_is_told_apart(self, account: Account, tmp_path: Path) -> None:
        run("Op", tmp_path)
        with pytest.raises(CommandError, match="is the folder of stores itself"):
            run("Op", tmp_path / "stores")

    def test_a_store_of_several_operators_keeps_the_others(self, account: Account, tmp_path: Path) -> None:
        there = goldens.GOLDEN / "invalid/store-variants/baseline-ok/stores"
        run("Op", tmp_path)
        for path in there.rglob("*"):
            if path.is_file():
                target = tmp_path / "stores" / path.relative_to(there)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        before = tree(tmp_path)
        assert "unchanged" in run("Op", tmp_path)
        assert tree(tmp_path) == before


class TestAnEarlierExport:
    def test_is_brought_up_to_date(self, account: Account, tmp_path: Path) -> None:
        run("Op", tmp_path)
        described(account, "changed")
        told = run("Op", tmp_path)
        assert "1 files replaced by newer ones" in told
        text = (tmp_path / "stores/Op/accounts/App/App.jwt").read_text()
        assert codec.decode(text).claims.nats.description == "changed"

    def test_keeps_what_is_newer_there(self, account: Account, tmp_path: Path) -> None:
        run("Op", tmp_path, "--with-keys")
        path = tmp_path / "stores/Op/accounts/App/App.jwt"
        older = path.read_text()
        newer = described(account, "newer").token
        assert newer is not None
        path.write_text(newer.text)
        Account.objects.filter(pk=account.pk).update(token=account.token_id)  # as if nsc had signed it
        told = run("Op", tmp_path, "--with-keys")
        assert f"{export_folders.NEWER}: stores/Op/accounts/App/App.jwt" in told
        assert "1 files kept as they were there" in told
        assert path.read_text() == newer.text != older

    def test_mends_what_was_damaged_and_leaves_what_is_somebody_elses(
        self, account: Account, tmp_path: Path
    ) -> None:
        run("Op", tmp_path, "--with-keys")
        home = tmp_path / "stores/Op/accounts"
        whole = tree(tmp_path)
        (home / "App/App.jwt").write_text("half of a")
        other = (home / "SYS/SYS.jwt").read_text()
        user = next((home / "SYS/users").iterdir())
        user.write_text(other)
        nk, second, third = sorted(tmp_path.glob("keys/keys/A/*/*.nk"))[:3]
        seed = nk.read_bytes()
        nk.write_bytes(seed + b"\n")
        second.write_bytes(seed)
        third.write_text(third.stem)
        told = run("Op", tmp_path, "--with-keys")
        assert "2 files replaced" in told
        assert f"{export_folders.OTHER}: {user.relative_to(tmp_path)}, {second.relative_to(tmp_path)}" in told
        after = tree(tmp_path)
        changed = {path for path, data in whole.items() if after[path] != data}
        assert changed == {str(path.relative_to(tmp_path)) for path in (nk, user, second)}
        assert after.keys() == whole.keys()

    def test_says_what_is_there_and_no_longer_here(self, account: Account, tmp_path: Path) -> None:
        run("Op", tmp_path)
        user = User.objects.get(name="ann")
        users.delete(principal=make.COMMAND, user=user, version=user.version)
        told = run("Op", tmp_path)
        assert f"{export_folders.GONE}: stores/Op/accounts/App/users/ann.jwt" in told
        assert (tmp_path / "stores/Op/accounts/App/users/ann.jwt").exists()

    def test_goes_on_in_the_folder_of_an_operator_that_was_renamed(
        self, account: Account, tmp_path: Path
    ) -> None:
        run("Op", tmp_path)
        Operator.objects.update(name="Renamed", name_fold="renamed")
        run("Renamed", tmp_path)
        assert [path.name for path in (tmp_path / "stores").iterdir()] == ["Op"]

    def test_that_was_broken_off_holds_whole_files_alone(
        self, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run("Op", tmp_path / "whole", "--with-keys")
        whole = tree(tmp_path / "whole")

        def full(beside: str, path: str) -> None:
            raise OSError(28, "No space left on device", path)

        for after in range(3):
            out = tmp_path / f"out{after}"
            renames = [os.rename] * after + [full]
            with (
                monkeypatch.context() as patched,
                pytest.raises(CommandError, match="No space left on device"),
            ):
                patched.setattr(os, "rename", lambda *paths, left=renames: left.pop(0)(*paths))
                run("Op", out, "--with-keys")
            found = tree(out)
            assert len(found) == after
            assert all(whole[path] == data for path, data in found.items())
            run("Op", out, "--with-keys")
            assert tree(out) == whole


def test_what_can_not_be_opened_is_told_and_makes_it_exit_with_1(account: Account, tmp_path: Path) -> None:
    keys = Key.objects.filter(user__name="ann")
    keys.update(sealed=Key.objects.get(public_key=account.public_key).sealed)
    with pytest.raises(SystemExit) as ended:
        run("Op", tmp_path / "out", "--with-keys")
    assert ended.value.code == 1


def test_a_link_that_lies_there_is_not_written_through(account: Account, tmp_path: Path) -> None:
    run("Op", tmp_path / "out")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    path = tmp_path / "out/stores/Op/accounts/App/App.jwt"
    path.unlink()
    path.symlink_to(elsewhere)
    run("Op", tmp_path / "out")
    assert elsewhere.read_text() == "mine"
    assert not path.is_symlink()
