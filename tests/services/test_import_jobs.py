"""Imports from the pages: uploads lie sealed, a worker plans and imports, hostile archives leave no trace."""

from __future__ import annotations

import io
import json
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from identities import lookup
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, Job, Key, Operator, User
from identities.nkeys import KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import Principal
from identities.resolver.fetching import FetchFailed, NotThere, WebURL
from identities.services import clock, import_fetching, import_jobs, jobs, uploads
from identities.services.import_items import Choices
from tests import goldens, hostile, make, nscfiles, rows
from tests.elsewhere import Elsewhere

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _installed(db: None, settings: Any, tmp_path: Path) -> None:
    """An installation with a data directory of this test's own: other processes upload too."""
    settings.NSCWEB_DATA_DIR = tmp_path / "data"
    make.installation()


def uploaded(*files: tuple[str, bytes]) -> str:
    upload = uploads.begin()
    for label, data in files:
        uploads.add(upload, label, data)
    return upload


def store_and_keys(
    tmp_path: Path, environment: str = "basics"
) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    keys = nscfiles.keystore(tmp_path / "keys", nscfiles.seeds_of(environment))
    stores = goldens.GOLDEN / environment / "stores"
    return ("stores.tar.gz", nscfiles.packed(stores)), ("keys.tar.gz", nscfiles.packed(keys))


def planned(*files: tuple[str, bytes], by: Principal = make.COMMAND, **more: Any) -> Job:
    job = import_jobs.begin(principal=by, upload=uploaded(*files), **more)
    return worked(job)


def worked(job: Job) -> Job:
    while jobs.work_once(import_jobs.HANDLERS):
        pass
    job.refresh_from_db()
    return job


def folder_of(job: Job) -> Path:
    return Path(settings.NSCWEB_DATA_DIR) / "uploads" / jobs.payload_of(job)["upload"]


class TestUploads:
    def test_what_is_uploaded_is_given_back_in_any_order(self) -> None:
        data = os.urandom(700_000)
        upload = uploaded(("a", data), ("b", b""))
        assert [(part.label, part.size) for part in uploads.parts(upload)] == [("a", 700_000), ("b", 0)]
        with io.BufferedReader(uploads.Reader(upload, 0)) as reader:
            assert reader.read() == data
            for place in (0, 262_143, 262_144, 699_999, 5):
                reader.seek(place)
                assert reader.read(3) == data[place : place + 3]
            reader.seek(-4, 2)
            assert reader.read() == data[-4:]
        uploads.forget(upload)
        with pytest.raises(uploads.UploadGone):
            uploads.parts(upload)

    def test_nothing_of_it_stands_on_the_disk_in_clear(self) -> None:
        seed = KeyPair.create("user").seed().reveal()  # type: ignore[arg-type]
        upload = uploaded(("keys of Alice", b"x" * 300_000 + seed))
        folder = Path(settings.NSCWEB_DATA_DIR) / "uploads" / upload
        assert oct(folder.stat().st_mode)[-3:] == "700"
        for path in folder.iterdir():
            assert oct(path.stat().st_mode)[-3:] == "600"
            assert seed not in path.read_bytes()
            assert b"Alice" not in path.read_bytes()
            assert b"xxxxxxxx" not in path.read_bytes()

    def test_a_changed_or_exchanged_piece_does_not_open(self) -> None:
        upload = uploaded(("a", b"one"), ("b", b"two"))
        folder = Path(settings.NSCWEB_DATA_DIR) / "uploads" / upload
        first, second = (folder / f"{number}.sealed" for number in range(2))
        kept = first.read_bytes()
        first.write_bytes(second.read_bytes())
        with pytest.raises(IdentityError):
            uploads.parts(upload)
        first.write_bytes(kept[:40] + bytes([kept[40] ^ 1]) + kept[41:])
        with pytest.raises(IdentityError):
            uploads.Reader(upload, 0).readall()

    @pytest.mark.parametrize("number", ["", "..", "../../etc", "a" * 32, "0" * 31 + "/", "A" * 32])
    def test_no_other_folder_is_an_upload(self, number: str) -> None:
        with pytest.raises(uploads.UploadGone):
            uploads.parts(number)
        uploads.forget(number)


def test_a_store_comes_in_by_plan_and_import(tmp_path: Path) -> None:
    before = rows.identities()
    plan = planned(*store_and_keys(tmp_path))
    assert rows.identities() == before
    assert plan.state == "done"
    found = jobs.result_of(plan)
    assert found["counts"]["user"] == {"new": 3}
    assert found["seeds"]["brought"] == 5
    assert folder_of(plan).exists()
    started = worked(import_jobs.start(principal=make.COMMAND, plan=plan, choices=Choices()))
    assert started.state == "done"
    assert jobs.result_of(started)["counts"] == found["counts"]
    assert [row.name for row in Operator.objects.all()] == ["Test"]
    assert User.objects.filter(has_seed=True).count() == 3
    assert not folder_of(plan).exists()
    assert import_jobs.started_from(plan) == started
    words = list(AuditEvent.objects.order_by("seq").values_list("summary", flat=True))
    assert words[:2] == [
        "Uploaded for an import: stores.tar.gz, keys.tar.gz",
        "Started the import of stores.tar.gz, keys.tar.gz",
    ]


def test_no_job_holds_a_seed_or_a_bearer_jwt(tmp_path: Path) -> None:
    plan = planned(*store_and_keys(tmp_path, "full"))
    worked(import_jobs.start(principal=make.COMMAND, plan=plan, choices=Choices()))
    written = json.dumps([[job.payload, job.result, job.error] for job in Job.objects.all()])
    for seed in nscfiles.seeds_of("full").values():
        assert seed.reveal().decode() not in written
    bearer = (goldens.GOLDEN / "full/stores/FullOp/accounts/Billing/users/bearer.jwt").read_text().strip()
    assert bearer.rpartition(".")[2] not in written


def test_choices_are_carried_out() -> None:
    there = Elsewhere()
    make.operator("OP")
    text = "\n".join([there.operator_jwt(), there.account_jwt(by=there.account)])
    seed = there.operator.seed().reveal()
    plan = planned(("pasted text", text.encode() + b"\n" + seed), under=there.operator.public.text)
    assert [one["key"] for one in jobs.result_of(plan)["asks"]] == [there.operator.public.text]
    choices = Choices(
        renames={there.operator.public.text: "Op-2"}, resign=frozenset({there.account.public.text})
    )
    started = worked(import_jobs.start(principal=make.COMMAND, plan=plan, choices=choices))
    assert started.state == "done"
    account = Account.objects.get(operator__name="Op-2")
    assert account.issuer == there.operator.public.text


@pytest.mark.parametrize("mode", ["members", "everybody"])
def test_an_import_does_not_have_an_operator_sign_that_asks_for_four_eyes(mode: str) -> None:
    there = Elsewhere()
    operator = make.operator("Main")
    make.four_eyes(operator, mode)
    admin = make.principal(operator=operator)
    text = there.account_jwt(by=there.account, name="Smuggled")
    chosen = Choices(resign=frozenset({there.account.public.text}))
    plan = planned(("pasted text", text.encode()), by=admin, under=operator.public_key)
    done = jobs.result_of(worked(import_jobs.start(principal=admin, plan=plan, choices=chosen)))
    account = Account.objects.get(name="Smuggled")
    told = [note["message"] for note in done["notes"] if note["tone"] == "error"]
    alone = mode == "members"  # an admin of the operator is no mere member
    assert (account.issuer != there.account.public.text) == alone
    assert any("asks for four eyes" in words for words in told) != alone


@pytest.mark.parametrize("name", sorted(hostile.CASES))
def test_a_hostile_archive_is_refused_with_its_reason_and_touches_nothing(name: str) -> None:
    job = import_jobs.begin(principal=make.COMMAND, upload=uploaded(("stores.zip", hostile.archive(name))))
    before = rows.everything({"Job"})
    done = worked(job)
    assert rows.everything({"Job"}) == before
    assert done.state == "failed"
    assert done.error.startswith("stores.zip: ")
    expected = "cut short" if name == "tar: larger than itself" else hostile.CASES[name][1]
    assert expected in done.error
    assert not folder_of(done).exists()


@pytest.mark.parametrize(
    ("label", "data", "words"),
    [
        ("a.jwt", b"nonsense", "holds no JWT"),
        ("a.jwt", b"", "is empty"),
        ("a.nk", b"SUnonsense", "holds no seed"),
        ("text", b"\xff\xfe\x00\x00", "holds neither a JWT nor a seed"),
        ("text", b"hello", "holds neither a JWT nor a seed"),
    ],
)
def test_a_file_with_nothing_in_it_is_told(label: str, data: bytes, words: str) -> None:
    found = jobs.result_of(planned((label, data)))
    assert found["nothing"]
    assert [note["message"] for note in found["notes"] if words in note["message"]]


def test_a_text_of_many_megabytes_is_refused() -> None:
    job = planned(("huge.txt", b"x" * (import_jobs.import_sources.LARGEST_TEXT + 1)))
    assert (job.state, "too large for a text" in job.error) == ("failed", True)


def test_an_import_is_started_once(tmp_path: Path) -> None:
    plan = planned(*store_and_keys(tmp_path))
    import_jobs.start(principal=make.COMMAND, plan=plan, choices=Choices())
    with pytest.raises(IdentityError, match="started already"):
        import_jobs.start(principal=make.COMMAND, plan=plan, choices=Choices())
    with pytest.raises(IdentityError, match="right now"):
        import_jobs.discard(principal=make.COMMAND, plan=plan)


def test_what_is_thrown_away_is_gone(tmp_path: Path) -> None:
    plan = planned(*store_and_keys(tmp_path))
    import_jobs.discard(principal=make.COMMAND, plan=plan)
    assert not folder_of(plan).exists()
    with pytest.raises(uploads.UploadGone):
        import_jobs.start(principal=make.COMMAND, plan=plan, choices=Choices())


def test_only_so_many_are_taken_at_once() -> None:
    for _ in range(import_jobs.MOST_UNFINISHED):
        import_jobs.begin(principal=make.COMMAND, upload=uploaded(("a.jwt", b"x")))
    with pytest.raises(IdentityError, match="Wait for one to end"):
        import_jobs.begin(principal=make.COMMAND, upload=uploaded(("a.jwt", b"x")))


def test_whose_rights_were_taken_meanwhile_imports_nothing(tmp_path: Path) -> None:
    person = make.person("administrator")
    plan = planned(*store_and_keys(tmp_path), by=lookup.person_principal(person))
    started = import_jobs.start(principal=lookup.person_principal(person), plan=plan, choices=Choices())
    person.grants.all().delete()
    assert worked(started).state == "failed"
    assert not Operator.objects.exists()
    person.is_active = False
    person.save()
    again = import_jobs.begin(
        principal=Principal.command("x"), upload=uploaded(("a.jwt", Elsewhere().operator_jwt().encode()))
    )
    Job.objects.filter(pk=again.pk).update(by=person.audit_key)
    assert "may not sign in any more" in worked(again).error


def test_others_see_an_import_only_when_they_may_import_everywhere(tmp_path: Path) -> None:
    alice = make.principal("administrator")
    job = import_jobs.begin(principal=alice, upload=uploaded(("a.jwt", b"x")))
    assert import_jobs.of(make.principal("administrator"), job.pk) == job
    narrow = make.principal("administrator", operator=make.operator())
    with pytest.raises(lookup.NotFound):
        import_jobs.of(narrow, job.pk)
    assert import_jobs.of_late(narrow) == []
    assert [one.pk for one in import_jobs.of_late(alice)] == [job.pk]
    with pytest.raises(Forbidden):
        import_jobs.begin(principal=make.principal("viewer"), upload=uploaded(("a.jwt", b"x")))


class TestTidy:
    def old(self, upload: str) -> None:
        past = time.time() - uploads.KEPT_SECONDS - 60
        os.utime(Path(settings.NSCWEB_DATA_DIR) / "uploads" / upload, (past, past))

    def there(self, upload: str) -> bool:
        return (Path(settings.NSCWEB_DATA_DIR) / "uploads" / upload).exists()

    def test_what_a_killed_worker_left_behind_is_removed(self, tmp_path: Path) -> None:
        plan = planned(*store_and_keys(tmp_path))
        started = import_jobs.start(principal=make.COMMAND, plan=plan, choices=Choices())
        Job.objects.filter(pk=started.pk).update(state="done", finished_at=clock.now())
        import_jobs.tidy()
        assert not folder_of(plan).exists()

    def test_what_somebody_still_needs_stays(self, tmp_path: Path) -> None:
        plan = planned(*store_and_keys(tmp_path))
        fresh = uploaded(("a", b"x"))
        import_jobs.tidy()
        assert folder_of(plan).exists()
        assert self.there(fresh)

    def test_what_nobody_came_back_for_is_removed_after_a_day(self) -> None:
        forgotten, planned_long_ago = uploaded(("a", b"x")), planned(("a.jwt", b"x"))
        self.old(forgotten)
        self.old(jobs.payload_of(planned_long_ago)["upload"])
        Job.objects.update(created_at=clock.now() - timedelta(days=2))
        import_jobs.tidy()
        assert not self.there(forgotten)
        assert not folder_of(planned_long_ago).exists()


class TestAddresses:
    @pytest.fixture
    def web(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
        """What is at which address; what is not there is answered 404."""
        there: dict[str, str] = {}

        def fetch(url: WebURL, **options: Any) -> str:
            try:
                return there[url.target]
            except KeyError:
                raise NotThere("404", field="url") from None

        monkeypatch.setattr(import_fetching.fetching, "fetch", fetch)
        return there

    def test_an_operator_s_jwt_comes_from_its_address(self, web: dict[str, str]) -> None:
        there = Elsewhere()
        web["/op.jwt"] = there.operator_jwt()
        job = planned(url="https://example.com/op.jwt")
        assert jobs.result_of(job)["counts"]["operator"] == {"new": 1}
        web.clear()
        worked(import_jobs.start(principal=make.COMMAND, plan=job, choices=Choices()))
        assert Operator.objects.get().public_key == there.operator.public.text

    def test_an_account_server_gives_its_operator_and_all_its_accounts(self, web: dict[str, str]) -> None:
        there = Elsewhere()
        web["/jwt/v1/operator"] = there.operator_jwt()
        web["/jwt/v1/pack?max=10000"] = f"{there.account.public.text}|{there.account_jwt()}\n"
        job = planned(url="https://example.com/jwt/v1/")
        counts = jobs.result_of(job)["counts"]
        assert (counts["operator"], counts["account"]) == ({"new": 1}, {"new": 1})

    def test_one_without_packs_is_asked_account_by_account(self, web: dict[str, str]) -> None:
        there = Elsewhere()
        operator, account = there.adopted(seeds={there.operator.public.text: there.operator.seed()})
        newer = there.account_jwt(description="from the server")
        web[f"/jwt/v1/accounts/{account.public_key}"] = newer
        job = planned(url="https://example.com/jwt/v1", under=operator.public_key)
        assert jobs.result_of(job)["counts"]["account"] == {"older": 1}
        assert jobs.result_of(job)["files"] == 1

    def test_one_that_gives_nothing_is_told(self, web: dict[str, str]) -> None:
        job = planned(url="https://example.com/jwt/v1")
        assert job.state == "failed"
        assert "gave neither an operator nor accounts" in job.error

    def test_what_can_t_be_fetched_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fetch(url: WebURL, **options: Any) -> str:
            raise FetchFailed(f"{url.authority} can't be reached.")

        monkeypatch.setattr(import_fetching.fetching, "fetch", fetch)
        assert planned(url="https://example.com/x.jwt").error == "example.com can't be reached."

    @pytest.mark.parametrize(
        "url", ["ftp://example.com/x", "file:///etc/passwd", "http://user:pw@example.com/", "x"]
    )
    def test_an_address_that_is_none_is_refused_at_once(self, url: str) -> None:
        with pytest.raises(IdentityError):
            import_jobs.begin(principal=make.COMMAND, upload=uploads.begin(), url=url)

    def test_a_cloud_s_metadata_service_is_not_asked(self) -> None:
        job = planned(url="http://169.254.169.254/latest/meta-data")
        assert job.state == "failed"
        assert "metadata service" in job.error


def test_seeds_alone_find_the_keys_that_are_here() -> None:
    there = Elsewhere()
    there.adopted()
    plan = planned(("pasted text", there.operator.seed().reveal()))
    assert jobs.result_of(plan)["seeds"]["fills"] == 1
    worked(import_jobs.start(principal=make.COMMAND, plan=plan, choices=Choices()))
    assert Key.objects.get(public_key=there.operator.public.text).sealed is not None
