"""nsc takes what goes out as its own: lists, describes, validates, edits it; its edits come back as just those."""

from __future__ import annotations

import io
import json
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from identities.claims import codec, diff
from identities.models import Account, Key, Operator, User
from identities.services import clock, importing
from identities.services.import_items import Choices
from tests import goldens, make, nscfiles
from tests.nsc import Nsc

pytestmark = pytest.mark.django_db
ENVIRONMENTS = sorted(goldens.ENVIRONMENTS)
On = Callable[..., Nsc]


@pytest.fixture(autouse=True)
def _installed(db: None) -> None:
    make.installation()


def brought(*folders: Path) -> dict[str, Any]:
    return importing.perform(
        principal=make.COMMAND, collected=nscfiles.collected(*folders), choices=Choices()
    )


def planned(root: Path) -> dict[str, Any]:
    read = nscfiles.collected(root / "stores", root / "keys", seal=False)
    return importing.plan(principal=make.COMMAND, collected=read, choices=Choices())


def counts(report: dict[str, Any]) -> dict[str, dict[str, int]]:
    """What the plan says of each kind, without what there is none of."""
    return {
        kind: {state: number for state, number in found.items() if number}
        for kind, found in report["counts"].items()
        if isinstance(found, dict)
    }


def golden(environment: str, tmp_path: Path) -> Path:
    """A golden environment whose keystore is there."""
    root = tmp_path / "golden"
    shutil.copytree(goldens.GOLDEN / environment / "stores", root / "stores")
    nscfiles.keystore(root / "keys", nscfiles.seeds_of(environment))
    return root


def exported(operator: str, root: Path, *options: str) -> Path:
    call_command("export_nsc", operator, str(root), "--with-keys", *options, stdout=io.StringIO())
    return root


@pytest.fixture(params=ENVIRONMENTS)
def out(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A golden environment that came in and went out again."""
    root = golden(request.param, tmp_path)
    brought(root / "stores", root / "keys")
    return exported(Operator.objects.get().name, tmp_path / "out")


def tree(root: Path, *endings: str) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.suffix in endings
    }


def test_it_is_listed_and_described_as_it_is_here(out: Path, nsc_on: On) -> None:
    nsc, operator = nsc_on(out), Operator.objects.get()
    assert operator.token is not None
    assert operator.name in nsc.run("list", "operators")
    assert nsc.raw("operator") == operator.token.text
    assert nsc.json("describe", "operator")["sub"] == operator.public_key
    listed = nsc.run("list", "accounts")
    for account in Account.objects.select_related("token"):
        assert account.token is not None
        assert account.public_key in listed
        assert nsc.raw("account", "-n", account.name) == account.token.text
        said = nsc.json("describe", "account", "-n", account.name)
        assert (said["sub"], said["jti"]) == (account.public_key, account.token.jti)
        users = nsc.run("list", "users", "-a", account.name)
        for user in User.objects.filter(account=account).select_related("token"):
            assert user.token is not None
            assert user.public_key in users
            said = nsc.json("describe", "user", "-a", account.name, "-n", user.name)
            assert (said["sub"], said["jti"]) == (user.public_key, user.token.jti)


def test_it_is_validated_as_what_came_in(out: Path, nsc_on: On, tmp_path: Path) -> None:
    theirs = nsc_on(tmp_path / "golden").run("validate", "--all-accounts")
    assert nsc_on(out).run("validate", "--all-accounts") == theirs
    assert Account.objects.exclude(name="SYS").first().name in theirs  # type: ignore[union-attr]  # there is one


def test_every_seed_is_found_by_nsc(out: Path, nsc_on: On) -> None:
    told = nsc_on(out).run("list", "keys", "--all", "--show-seeds")
    held = dict(Key.objects.exclude(sealed=None).values_list("public_key", "kind"))
    found = set(re.findall(r"\bS[OAUX][A-Z2-7]{56}\b", told))
    assert found == {path.read_text() for path in out.rglob("*.nk")}
    assert len(found) == len(held)


def test_creds_are_those_that_nsc_makes_of_it(out: Path, nsc_on: On) -> None:
    nsc = nsc_on(out)
    for path in out.rglob("*.creds"):
        made = nsc.run("generate", "creds", "-a", path.parent.name, "-n", path.stem)
        assert made == f"{path.read_text()}\n"


def test_an_edit_of_nscs_comes_back_as_just_that_edit(out: Path, nsc_on: On) -> None:
    nsc = nsc_on(out)
    assert planned(out)["nothing"]
    user = User.objects.filter(has_seed=True, pub_mode="rules").order_by("account__name", "name")[0]
    account, operator = user.account, user.operator
    nsc.run("edit", "operator", "--tag", "by-nsc")
    nsc.run("edit", "account", "-n", account.name, "--description", "by nsc")
    nsc.run("edit", "user", "-a", account.name, "-n", user.name, "--tag", "by-nsc")
    report = planned(out)
    others = Account.objects.count() - 1
    assert counts(report) == {
        "operator": {"changed": 1},
        "account": {"changed": 1, "unchanged": others} if others else {"changed": 1},
        "user": {"changed": 1, "unchanged": User.objects.count() - 1},
    }
    assert (report["asks"], report["seeds"]["missing"]) == ([], 0)
    before = [json.loads(row.claims) for row in (operator, account, user)]
    brought(out / "stores", out / "keys")
    changes = []
    for row, was in zip((operator, account, user), before, strict=True):
        row.refresh_from_db()
        found = diff.diff(was, json.loads(row.claims))
        changes.append({change.path: (change.before, change.after) for change in found})
        changes[-1].pop("iss", None)  # where there are several keys, nsc takes one of its own choice
    unasked = {path: value for path, value in changes[1].items() if path.startswith("nats.limits.")}
    assert {after for _, after in unasked.values()} <= {
        "unlimited"
    }  # its first edit of an account writes these
    tags = {"nats.tags": ("", "by-nsc")}
    described = before[1]["nats"].get("description", "")
    assert changes == [tags, {"nats.description": (described, "by nsc")} | unasked, tags]


def test_what_nsc_adds_to_it_comes_in(out: Path, nsc_on: On) -> None:
    nsc, operator = nsc_on(out), Operator.objects.get()
    nsc.run("add", "account", "-n", "ByNsc")
    signers = ["-K", "generate"] if operator.strict else []
    if signers:
        nsc.run("edit", "account", "-n", "ByNsc", "--sk", "generate")
    nsc.run("add", "user", "-a", "ByNsc", "-n", "new")
    report = planned(out)
    assert report["counts"]["account"]["new"] == report["counts"]["user"]["new"] == 1
    brought(out / "stores", out / "keys")
    assert User.objects.get(name="new").has_seed
    again = exported(operator.name, out)
    assert tree(again, ".jwt", ".nk") == tree(out, ".jwt", ".nk")


def test_a_flat_export_is_nscs_and_nsc_takes_it(out: Path, nsc_on: On, tmp_path: Path) -> None:
    flat = exported(Operator.objects.get().name, tmp_path / "flat", "--flat")
    nsc = nsc_on(out)
    nsc.run("export", "keys", "--all", "--curves", "--include-jwts", "--dir", str(tmp_path / "theirs"))
    assert tree(flat, ".jwt", ".nk") == tree(tmp_path / "theirs", ".jwt", ".nk")
    empty = nsc_on(out, tmp_path / "keystore")
    (tmp_path / "keystore").mkdir()
    empty.run("import", "keys", "--dir", str(flat))
    assert tree(tmp_path / "keystore", ".nk") == tree(out / "keys", ".nk")


def test_what_nsc_exports_flat_comes_in_and_goes_out_as_its_store(nsc_on: On, tmp_path: Path) -> None:
    root = golden("basics", tmp_path)
    nsc_on(root).run("export", "keys", "--all", "--include-jwts", "--dir", str(tmp_path / "theirs"))
    brought(tmp_path / "theirs")
    out = exported("Test", tmp_path / "out")
    assert tree(out / "stores", ".jwt", "") == tree(root / "stores", ".jwt", "")
    assert tree(out / "keys", ".nk") == tree(root / "keys", ".nk")


def test_an_operator_made_here_is_nscs_own(
    nsc_on: On, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = clock.unix() - 3600
    with monkeypatch.context() as patched:
        patched.setattr(clock, "unix", lambda: earlier)
        account = make.account(make.operator("Made & here", service_urls=("nats://one:4222",)), "App one")
        make.many_users(account, ["ann", "Zoë"])
    nsc = nsc_on(exported("Made & here", tmp_path / "out"))
    assert "App one" in nsc.run("validate", "--all-accounts")
    nsc.run("edit", "user", "-a", "App one", "-n", "Zoë", "--allow-pub", "orders.>")
    nsc.run("edit", "account", "-n", "App one", "--conns", "7")
    report = planned(tmp_path / "out")
    assert counts(report)["account"] == {"changed": 1, "unchanged": 1}
    assert counts(report)["user"] == {"changed": 1, "unchanged": 2}


def test_without_the_operators_keys_nsc_goes_on_as_with_a_managed_operator(
    nsc_on: On, tmp_path: Path
) -> None:
    root = golden("basics", tmp_path)
    seeds = {key: seed for key, seed in nscfiles.seeds_of("basics").items() if key[0] != "O"}
    brought(root / "stores", nscfiles.keystore(tmp_path / "some", seeds))
    out = exported("Test", tmp_path / "out")
    told = nsc_on(out).run("edit", "account", "-n", "TestAccount", "--description", "by nsc")
    assert "self-signed" in told
    claims = codec.decode((out / "stores/Test/accounts/TestAccount/TestAccount.jwt").read_text()).claims
    assert claims.iss == claims.sub


@pytest.mark.slow
def test_the_large_store_is_validated_and_edited(nsc_on: On, tmp_path: Path) -> None:
    with tarfile.open(goldens.GOLDEN / "large/large-200x20.tar.xz") as packed:
        packed.extractall(tmp_path, filter="data")
    brought(tmp_path / "large/stores", tmp_path / "large/keys")
    out = exported("Large", tmp_path / "out")
    nsc = nsc_on(out)
    assert nsc.run("validate", "--all-accounts") == nsc_on(tmp_path / "large").run(
        "validate", "--all-accounts"
    )
    name = Account.objects.exclude(name="SYS").order_by("name")[100].name
    nsc.run("edit", "account", "-n", name, "--description", "by nsc")
    assert counts(planned(out)) == {
        "operator": {"unchanged": 1}, "account": {"changed": 1, "unchanged": 200}, "user": {"unchanged": 4001},
    }  # fmt: skip
