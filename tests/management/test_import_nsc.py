"""`manage.py import_nsc`: a plan, an import, the same again; what stays out is told and makes the exit code 1."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from identities.models import Account, Key, Operator, User
from tests import goldens, make, nscfiles, rows
from tests.elsewhere import Elsewhere

pytestmark = pytest.mark.django_db
STORES = goldens.GOLDEN / "basics/stores"


@pytest.fixture(autouse=True)
def _installed(db: None) -> None:
    make.installation()


def run(*arguments: Any, **options: Any) -> tuple[str, int]:
    """What it prints, and its exit code."""
    out = io.StringIO()
    try:
        call_command("import_nsc", *map(str, arguments), stdout=out, stderr=io.StringIO(), **options)
    except SystemExit as ended:
        return out.getvalue(), int(str(ended.code))
    return out.getvalue(), 0


def test_a_store_comes_in_with_its_keys(tmp_path: Path) -> None:
    keys = nscfiles.keystore(tmp_path / "keys", nscfiles.seeds_of("basics"))
    told, code = run(STORES, "--keystore", keys)
    assert code == 0
    assert "users: 3 new" in told
    assert "seeds: 5 came along" in told
    assert told.endswith("Done.\n")
    assert User.objects.filter(has_seed=True).count() == 3
    again, code = run(STORES, "--keystore", keys)
    assert (code, again.splitlines()[-1]) == (0, "Nothing was changed: all of it is here already.")


def test_a_dry_run_shows_the_plan_and_changes_nothing() -> None:
    before = rows.everything()
    told, code = run(STORES, "--dry-run")
    assert code == 0
    assert "accounts: 1 new" in told
    assert "Users of 1 account can't be issued here" in told
    assert told.endswith("Nothing was changed: this was the plan.\n")
    assert rows.everything() == before


def test_json_is_one_document() -> None:
    told, _ = run(STORES, "--json", "--dry-run")
    assert json.loads(told)["counts"]["user"] == {"new": 3}


def test_what_stays_out_is_told_and_makes_it_exit_with_1() -> None:
    stores = goldens.GOLDEN / "invalid/store-variants/user-tampered/stores"
    told, code = run(stores)
    assert code == 1
    assert "left     claim failed V2 signature verification: stores/Good/accounts/A1/users/u1.jwt" in told
    assert Account.objects.count() == 4


def test_a_name_that_is_taken_is_told() -> None:
    make.operator("test")
    told, code = run(STORES)
    assert code == 1
    assert "taken    operator “Test”" in told
    assert Operator.objects.count() == 1
    key = told.partition("operator “Test” (")[2][:56]
    assert run(STORES, "--rename", f"{key}=Test two")[1] == 0
    assert Operator.objects.get(public_key=key).name == "Test two"
    with pytest.raises(CommandError, match="write it as KEY=NAME"):
        run(STORES, "--rename", "Test")


def test_an_account_is_signed_anew_when_that_is_asked(tmp_path: Path) -> None:
    there = Elsewhere()
    text = there.account_jwt(by=there.account)
    root = nscfiles.store(tmp_path / "stores", there, {"accounts/Acc/Acc.jwt": text})
    keys = nscfiles.keystore(tmp_path / "keys", {there.operator.public.text: there.operator.seed()})
    run(root, "--keystore", keys, "--resign", "all")
    assert Account.objects.get().issuer == there.operator.public.text


def test_one_operator_of_the_store_or_one_that_is_here(tmp_path: Path) -> None:
    stores = goldens.GOLDEN / "invalid/store-variants/baseline-ok/stores"
    run(stores, "--operator", "Other")
    assert [row.name for row in Operator.objects.all()] == ["Other"]
    there = Elsewhere()
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose/a.jwt").write_text(there.account_jwt(by=there.account))
    assert run(tmp_path / "loose", "--operator", "Other")[1] == 0
    assert Account.objects.get(name="Acc").operator.name == "Other"
    with pytest.raises(CommandError, match="no operator “Nobody”"):
        run(stores, "--operator", "Nobody")


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is no folder"):
        run(tmp_path / "nowhere")
    with pytest.raises(CommandError, match="is no folder"):
        run(STORES, "--keystore", tmp_path / "nowhere")


def test_links_are_not_followed_and_large_files_left_out(tmp_path: Path) -> None:
    there = Elsewhere()
    root = nscfiles.store(tmp_path / "stores", there, {"accounts/Acc/Acc.jwt": there.account_jwt()})
    secret = tmp_path / "secret.nk"
    secret.write_bytes(there.operator.seed().reveal())
    (root / "Op" / "link.nk").symlink_to(secret)
    (root / "Op" / "folder").symlink_to(tmp_path)
    (root / "Op" / "huge.jwt").write_bytes(b"x" * (1024 * 1024 + 1))
    told, code = run(root)
    assert code == 1
    assert "is a link or device, which is not followed: stores/Op/link.nk" in told
    assert "too large for a JWT, seed or creds file: stores/Op/huge.jwt" in told
    assert not Key.objects.exclude(sealed=None).exists()
    assert Account.objects.get().name == "Acc"
