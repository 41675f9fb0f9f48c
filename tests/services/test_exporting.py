"""An operator goes out as it is: the same files, texts and seeds as came in; keys only audited, each by its name."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from identities.claims.permissions import UserPermissionLimits
from identities.formats.creds import parse_creds
from identities.models import Account, AuditEvent, AuditTarget, Key, Operator, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.services import (
    export_plans,
    export_reading,
    exporting,
    importing,
    keys,
    signing,
    suspensions,
    users,
)
from identities.services.import_items import Choices
from tests import goldens, make, nscfiles, rows

pytestmark = pytest.mark.django_db
SEED = re.compile(rb"S[OAUX][A-Z2-7]{56}")
BEARER = UserPermissionLimits(subs=-1, data=-1, payload=-1, bearer_token=True)


@pytest.fixture(autouse=True)
def _installed(db: None) -> None:
    make.installation()


def brought(environment: str, keystore: Path | None = None) -> Operator:
    """A golden store as it came in."""
    folders = [goldens.GOLDEN / environment / "stores", *([keystore] if keystore else [])]
    importing.perform(principal=make.COMMAND, collected=nscfiles.collected(*folders), choices=Choices())
    return Operator.objects.get()


def exported(operator: Operator, **options: Any) -> dict[str, bytes]:
    plan = exporting.prepare(**{"principal": make.COMMAND, "operator": operator, "with_keys": True} | options)
    return {one.path: one.data for one in export_reading.files(plan)}


def tree(root: Path, *, under: str = "") -> dict[str, bytes]:
    return {
        f"{under}{path.relative_to(root)}": path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("environment", sorted(goldens.ENVIRONMENTS))
class TestGolden:
    def test_the_same_files_texts_and_seeds_go_out_as_came_in(self, environment: str, tmp_path: Path) -> None:
        keystore = nscfiles.keystore(tmp_path / "keys", nscfiles.seeds_of(environment))
        found = exported(brought(environment, keystore))
        creds = {path: data for path, data in found.items() if path.endswith(".creds")}
        rest = {path: data for path, data in found.items() if path not in creds}
        assert rest.pop("keys/.gitignore").startswith(b"# ignore all nk files")
        stores = tree(goldens.GOLDEN / environment / "stores", under="stores/")
        assert rest == stores | tree(keystore, under="keys/")
        written = goldens.GOLDEN / environment / "out/creds"
        assert len(creds) == User.objects.filter(has_seed=True).count() > 0
        for path, data in creds.items():
            account, user = path.split("/")[-2:]
            if (written / f"{account}-{user}").exists():
                printed = (written / f"{account}-{user}").read_bytes()  # on the screen, with a line end more
                assert data + b"\n" == printed

    def test_without_keys_nothing_goes_out_that_logs_in(self, environment: str, tmp_path: Path) -> None:
        keystore = nscfiles.keystore(tmp_path / "keys", nscfiles.seeds_of(environment))
        operator = brought(environment, keystore)
        before = rows.everything()
        found = exported(operator, with_keys=False)
        stores = tree(goldens.GOLDEN / environment / "stores", under="stores/")
        bearers = {
            f"stores/{operator.name}/accounts/{user.account.name}/users/{user.name}.jwt"
            for user in User.objects.filter(bearer=True).select_related("account")
        }
        assert (environment == "full") == bool(bearers)
        assert found == {path: data for path, data in stores.items() if path not in bearers}
        assert not any(SEED.search(data) for data in found.values())
        assert rows.everything() == before  # what anybody may look at leaves no event

    def test_a_flat_export_comes_in_again_as_it_was(self, environment: str, tmp_path: Path) -> None:
        seeds = nscfiles.seeds_of(environment)
        found = exported(brought(environment, nscfiles.keystore(tmp_path / "keys", seeds)), flat=True)
        assert found == tree(nscfiles.flat_export(tmp_path / "flat", environment, seeds))


class TestAudit:
    def test_one_event_names_every_key_that_leaves(self, tmp_path: Path) -> None:
        keystore = nscfiles.keystore(tmp_path / "keys", nscfiles.seeds_of("full"))
        operator = brought("full", keystore)
        spare = keys.generate(principal=make.COMMAND, operator=operator, kind=KeyKind.USER)
        before = AuditEvent.objects.count()
        found = exported(operator)
        assert AuditEvent.objects.count() == before + 1
        event = AuditEvent.objects.latest("seq")
        left = {Path(path).stem for path in found if path.endswith(".nk")}
        assert spare.public_key in left
        assert left <= set(AuditTarget.objects.filter(event=event).values_list("key", flat=True))
        assert event.action == "operator.export-seeds"
        assert event.summary == f"Handed out the store of operator “FullOp” with {len(left)} seeds"
        assert not SEED.search(event.canonical.encode())

    def test_a_bearers_jwt_is_named_though_its_seed_is_elsewhere(self) -> None:
        account = make.account(make.operator("Op"), "App")
        own = KeyPair.create(KeyKind.USER).public.text
        make.user(account, "sensor", limits=BEARER, public_key=own)
        found = exported(account.operator)
        assert "stores/Op/accounts/App/users/sensor.jwt" in found
        assert AuditTarget.objects.filter(event=AuditEvent.objects.latest("seq"), key=own).exists()

    def test_a_key_that_was_erased_since_or_damaged_does_not_stop_the_others(self) -> None:
        account = make.account(make.operator("Op"), "App")
        ann, bob = make.user(account, "ann"), make.user(account, "bob")
        spare = keys.generate(principal=make.COMMAND, operator=account.operator, kind=KeyKind.USER)
        plan = exporting.prepare(principal=make.COMMAND, operator=account.operator, with_keys=True)
        keys.erase(principal=make.COMMAND, key=spare)
        other = Key.objects.get(public_key=ann.public_key).sealed
        Key.objects.filter(public_key=bob.public_key).update(sealed=other)
        found = {one.path: one.data for one in export_reading.files(plan)}
        assert f"keys/keys/U/{ann.public_key[1:3]}/{ann.public_key}.nk" in found
        assert not [path for path in found if bob.public_key in path or spare.public_key in path]
        assert plan.remarks == {export_reading.UNREADABLE: [f"user “App/bob” ({bob.public_key})"]}

    def test_a_seed_that_is_another_keys_does_not_leave_under_this_ones_name(self) -> None:
        account = make.account(make.operator("Op"), "App")
        users_ = make.many_users(account, ["ann", "bob"])
        suspensions.suspend(principal=make.COMMAND, user=users_[1], version=users_[1].version)
        other = KeyPair.create(KeyKind.USER)
        wrong = [account.public_key, *(user.public_key for user in users_)]
        for key in wrong:
            Key.objects.filter(public_key=key).update(sealed=signing.seal_seed(other.seed(), key))
        plan = exporting.prepare(principal=make.COMMAND, operator=account.operator, with_keys=True)
        found = {one.path: one.data for one in export_reading.files(plan)}
        assert other.seed().reveal() not in b"".join(found.values())
        assert len(plan.remarks[export_reading.UNREADABLE]) == 3
        assert not [path for path in found if path.endswith(".nk") and Path(path).stem in wrong]


class TestWhoMay:
    def test_a_viewer_takes_the_store_and_no_keys(self) -> None:
        operator = make.operator("Op")
        viewer = make.principal(Role.VIEWER)
        assert "stores/Op/.nsc" in exported(operator, principal=viewer, with_keys=False)
        with pytest.raises(Forbidden):
            exporting.prepare(principal=viewer, operator=operator, with_keys=True)

    def test_who_administers_one_account_takes_no_operator(self) -> None:
        account = make.account()
        principal = make.principal(Role.ADMINISTRATOR, account=account)
        for with_keys in (True, False):
            with pytest.raises(Forbidden):
                exporting.prepare(principal=principal, operator=account.operator, with_keys=with_keys)


class TestWhatIsOdd:
    def test_keys_without_a_seed_are_listed_and_their_users_have_no_creds(self) -> None:
        operator = brought("basics")
        plan = exporting.prepare(principal=make.COMMAND, operator=operator, with_keys=True)
        found = [one.path for one in export_reading.files(plan)]
        assert not [path for path in found if path.endswith((".nk", ".creds"))]
        named = plan.remarks[export_plans.PUBLIC_ONLY]
        assert len(named) == 5
        assert any(name.startswith("the key of user “TestAccount/TestUser”: U") for name in named)

    def test_without_any_of_its_keys_nsc_is_told_that_somebody_else_signs(self) -> None:
        found = exported(brought("basics"), with_keys=False)
        assert json.loads(found["stores/Test/.nsc"])["managed"] is True

    def test_with_a_signing_key_alone_it_is_not_managed(self, tmp_path: Path) -> None:
        operator = make.operator("Op")
        Key.objects.filter(public_key=operator.public_key).update(sealed=None)
        assert json.loads(exported(operator)["stores/Op/.nsc"])["managed"] is False

    def test_a_suspended_users_creds_stay_here(self) -> None:
        user = make.user(make.account(make.operator("Op"), "App"), "ann")
        suspensions.suspend(principal=make.COMMAND, user=user, version=user.version)
        plan = exporting.prepare(principal=make.COMMAND, operator=user.operator, with_keys=True)
        found = [one.path for one in export_reading.files(plan)]
        assert "stores/Op/accounts/App/users/ann.jwt" in found
        assert "keys/creds/Op/App/ann.creds" not in found
        assert plan.remarks == {export_plans.SUSPENDED: ["user “App/ann”"]}

    def test_a_name_that_is_no_folders_becomes_one_that_is(self) -> None:
        account = make.account(make.operator("Op"), "App")
        user = make.user(account, "ann")
        Account.objects.filter(pk=account.pk).update(name="..")
        User.objects.filter(pk=user.pk).update(name="../../x")
        plan = exporting.prepare(principal=make.COMMAND, operator=account.operator, with_keys=True)
        found = {one.path: one.data for one in export_reading.files(plan)}
        home = f"unnamed-{account.public_key[-6:]}"
        name = f".._.._x-{user.public_key[-6:]}"
        assert f"stores/Op/accounts/{home}/users/{name}.jwt" in found
        creds = parse_creds(found[f"keys/creds/Op/{home}/{name}.creds"].decode())
        assert creds.seed is not None
        assert not [path for path in found if ".." in path.split("/")]
        assert plan.remarks[export_plans.RENAMED][0] == "account “..”: “App”"
        assert any(home in what for names in plan.remarks.values() for what in names)

    def test_names_that_differ_by_case_alone_are_said(self) -> None:
        account = make.account(make.operator("Op"), "App")
        make.many_users(account, ["ann", "Ann"])
        plan = exporting.prepare(principal=make.COMMAND, operator=account.operator, with_keys=False)
        assert plan.remarks == {export_plans.ANY_CASE: ["user “App/ann”"]}

    def test_who_was_deleted_does_not_go_out(self) -> None:
        account = make.account(make.operator("Op"), "App")
        user = make.user(account, "ann")
        key = user.public_key
        users.delete(principal=make.COMMAND, user=user, version=user.version)
        found = exported(account.operator)
        assert not [path for path in found if "ann" in path or key in path]


def test_reading_takes_the_same_number_of_queries_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = make.account(make.operator("Op"), "App")
    make.many_users(account, [f"a{number}" for number in range(5)])
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as asked:
            found = exported(account.operator)
        counts.append(len(asked))
        for number in range(4):
            make.many_users(make.account(account.operator), [f"b{number}" for number in range(10)])
    assert len(found) > 150
    assert counts[0] == counts[1] <= 22, counts
    monkeypatch.setattr(export_reading, "AT_ONCE", 10)
    with CaptureQueriesContext(connection) as asked:
        assert exported(account.operator) | {} != {}
    assert len(asked) > counts[0]


def test_a_plan_counts_its_files(tmp_path: Path) -> None:
    operator = brought("full", nscfiles.keystore(tmp_path / "keys", nscfiles.seeds_of("full")))
    for flat in (True, False):
        for with_keys in (True, False):
            plan = export_plans.plan(operator, with_keys=with_keys, flat=flat)
            assert plan.total == len(list(export_reading.files(replace(plan))))
