"""The pages of an import: bring, look, decide, read; nothing secret stays, and nothing comes in unasked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.limits import OperatorLimits
from identities.models import Account, Job, Operator, User
from identities.nkeys import KeyKind, KeyPair
from identities.services import import_jobs, jobs
from tests import goldens, hostile, make, nscfiles
from tests.elsewhere import OLD, Elsewhere
from tests.pages import Page, Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(db: None) -> Client:
    return make.client()


@pytest.fixture
def visitor(client: Client) -> Visitor:
    return Visitor(client)


def files(tmp_path: Path, environment: str = "basics") -> dict[str, Any]:
    keys = nscfiles.keystore(tmp_path / "keys", nscfiles.seeds_of(environment))
    stores = nscfiles.packed(goldens.GOLDEN / environment / "stores")
    return {
        "store": SimpleUploadedFile("stores.tar.gz", stores),
        "keys": SimpleUploadedFile("keys.tar.gz", nscfiles.packed(keys)),
    }


def work() -> None:
    while jobs.work_once(import_jobs.HANDLERS):
        pass


def brought(client: Client, **given: Any) -> str:
    """Upload; the address of the plan."""
    answer = client.post(reverse("importing"), given)
    assert answer.status_code == 302, answer.content.decode()
    return str(answer["Location"])


def looked(visitor: Visitor, url: str) -> Page:
    work()
    return visitor.open(url)


def folders() -> list[Path]:
    root = Path(settings.NSCWEB_DATA_DIR) / "uploads"
    return list(root.iterdir()) if root.exists() else []


@pytest.fixture(autouse=True)
def _own_uploads(settings: Any, tmp_path: Path) -> None:
    """A data directory of this test's own: other processes upload too."""
    settings.NSCWEB_DATA_DIR = tmp_path / "data"


def test_the_sidebar_and_the_list_of_operators_lead_to_it(visitor: Visitor) -> None:
    assert visitor.open("/operators/").link("Import").endswith("/import")


@pytest.mark.parametrize("field", ["url", "under"])
def test_a_seed_where_none_belongs_is_refused_and_not_shown_again(client: Client, field: str) -> None:
    seed = KeyPair.create(KeyKind.USER).seed().reveal().decode()
    answer = client.post(reverse("importing"), {"text": "", field: seed})
    assert answer.status_code == 422
    assert seed not in answer.content.decode()
    assert "That is a seed" in answer.content.decode()


def test_a_store_is_uploaded_planned_imported_and_reported(
    visitor: Visitor, client: Client, tmp_path: Path
) -> None:
    url = brought(client, **files(tmp_path))
    waiting = visitor.open(url)
    assert "Waiting for a worker" in waiting.text
    assert not Operator.objects.exists()
    plan = looked(visitor, url)
    assert "This is what would happen. Nothing was changed yet." in plan.text
    assert "3 new" in plan.text
    assert not Operator.objects.exists()
    going = visitor.send(plan, action="/start")
    assert "Waiting for a worker" in going.text
    report = looked(visitor, going.url)
    assert "Imported. Every JWT is here as it was" in report.text
    assert visitor.open(report.link("TestAccount")).status == 200
    assert User.objects.filter(has_seed=True).count() == 3
    assert folders() == []
    assert visitor.open(url).link("The import that was started from this plan")
    recent = visitor.open(reverse("importing"))
    assert recent.text.count("stores.tar.gz, keys.tar.gz") == 2


def test_the_same_again_says_that_there_is_nothing_to_do(
    visitor: Visitor, client: Client, tmp_path: Path
) -> None:
    url = brought(client, **files(tmp_path))
    visitor.send(looked(visitor, url), action="/start")
    work()
    again = looked(visitor, brought(client, **files(tmp_path)))
    assert "Nothing to do." in again.text
    assert "Import</button>" not in again.html
    gone = visitor.send(again, action="/discard")
    assert "What was uploaded is gone" in gone.text
    assert folders() == []


def test_htmx_polls_the_part_that_changes(client: Client, tmp_path: Path) -> None:
    url = brought(client, **files(tmp_path))
    part = client.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert f'hx-get="{url}"' in part
    assert 'hx-target="#outcome"' in part
    work()
    done = client.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "hx-trigger" not in done
    assert "This is what would happen" in done


def test_while_it_is_read_the_page_says_how_far_it_is(
    visitor: Visitor, client: Client, tmp_path: Path
) -> None:
    url = brought(client, **files(tmp_path))
    lease = jobs.claim(import_jobs.HANDLERS)
    assert lease is not None
    jobs.renew(lease, done=30, total=120, so_far={"stage": "Reading: 12,400 files so far…"})
    page = visitor.open(url)
    assert "Reading: 12,400 files so far…" in page.text
    assert 'value="30" max="120"' in page.html


def test_pasted_seeds_and_jwts_are_taken_and_never_shown_again(visitor: Visitor, client: Client) -> None:
    there = Elsewhere()
    seed = there.operator.seed().reveal().decode()
    text = f"{there.operator_jwt()}\n{there.account_jwt()}\n{seed}\n"
    url = brought(client, text=text)
    plan = looked(visitor, url)
    report = looked(visitor, visitor.send(plan, action="/start").url)
    for page in (plan, report, visitor.open(reverse("importing"))):
        assert seed not in page.html
        assert there.account_jwt() not in page.html
    assert Account.objects.get().name == "Acc"
    assert seed not in str(list(Job.objects.values()))


def test_several_files_come_in_one_go(visitor: Visitor, client: Client) -> None:
    there = Elsewhere()
    creds = f"{there.user_jwt()}\n{there.user.seed().reveal().decode()}\n"
    more = [
        SimpleUploadedFile("op.jwt", there.operator_jwt().encode()),
        SimpleUploadedFile("acc.jwt", there.account_jwt().encode()),
        SimpleUploadedFile("u.creds", creds.encode()),
    ]
    plan = looked(visitor, brought(client, more=more))
    assert "op.jwt, acc.jwt, u.creds" in plan.text
    visitor.send(plan, action="/start")
    work()
    assert User.objects.get().has_seed


def test_with_nothing_in_it_the_form_comes_back(client: Client) -> None:
    answer = client.post(reverse("importing"), {})
    assert answer.status_code == 422
    assert "Choose a file, paste something, or give an address." in answer.content.decode()
    assert folders() == []


def test_what_is_refused_comes_back_without_what_was_pasted(client: Client) -> None:
    seed = KeyPair.create("user").seed().reveal().decode()  # type: ignore[arg-type]
    given = {
        "text": f"{seed} here",
        "url": "ftp://nowhere",
        "store": SimpleUploadedFile("a.zip", hostile.ZIP),
    }
    answer = client.post(reverse("importing"), given)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "Only http and https addresses are fetched from" in page
    assert seed not in page
    assert "ftp://nowhere" in page
    assert folders() == []
    assert not Job.objects.exists()


def test_a_file_that_is_too_large_is_refused_and_not_kept(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("identities.forms.importing.LARGEST_FILE", 1000)
    monkeypatch.setattr("identities.views.uploading.uploads.LARGEST", 1000)
    given = {"store": SimpleUploadedFile("big.zip", b"x" * 200_000)}
    answer = client.post(reverse("importing"), given)
    assert answer.status_code == 422
    assert "big.zip is larger than" in answer.content.decode()
    assert folders() == []


def test_a_hostile_archive_is_told_with_a_way_to_try_again(visitor: Visitor, client: Client) -> None:
    data = hostile.archive("zip: a path that leads out")
    page = looked(visitor, brought(client, store=SimpleUploadedFile("evil.zip", data)))
    assert "This can't be imported." in page.text
    assert "leads out of the archive" in page.text
    assert page.link("Try again").endswith("/import")


def test_names_that_are_taken_and_accounts_to_sign_are_asked(visitor: Visitor, client: Client) -> None:
    there = Elsewhere()
    make.operator("OP")
    text = "\n".join(
        [there.operator_jwt(), there.account_jwt(by=there.account), there.operator.seed().reveal().decode()]
    )
    key, account = there.operator.public.text, there.account.public.text
    url = brought(client, text=text)
    plan = looked(visitor, url)
    assert "There is already an operator named “Op”, with another key" in plan.text
    refused = visitor.send(plan, **{f"rename-{key}": "a/b"})
    assert refused.status == 422
    assert "holds a slash" in refused.text
    report = looked(visitor, visitor.send(refused, **{f"rename-{key}": "Op two"}).url)
    assert "Op two" in report.text
    assert Operator.objects.filter(name="Op two").exists()
    again = looked(visitor, brought(client, text=text, under=key))
    visitor.send(again, **{f"resign-{account}": True})
    work()
    assert Account.objects.get(public_key=account).issuer == key


def test_one_of_two_operators_may_be_left_out(visitor: Visitor, client: Client) -> None:
    stores = nscfiles.packed(goldens.GOLDEN / "invalid/store-variants/baseline-ok/stores")
    plan = looked(visitor, brought(client, store=SimpleUploadedFile("s.tgz", stores)))
    other = next(
        one["key"] for one in jobs.result_of(Job.objects.get())["operators"] if one["name"] == "Other"
    )
    visitor.send(plan, **{f"take-{other}": False})
    work()
    assert [row.name for row in Operator.objects.all()] == ["Good"]


def test_what_newer_jwts_change_stands_in_the_plan(visitor: Visitor, client: Client) -> None:
    there = Elsewhere()
    visitor.send(
        looked(visitor, brought(client, text=f"{there.operator_jwt()} {there.account_jwt()}")),
        action="/start",
    )
    work()
    body = AccountBody(limits=OperatorLimits.unlimited(), description="Orders of the shop")
    claims = Claims(nats=body, sub=there.account.public.text, name="Acc")
    newer = codec.encode(claims, there.operator, OLD + 9).text
    plan = looked(visitor, brought(client, text=newer))
    assert "nats.description" in plan.text
    assert "Orders of the shop" in plan.text


def test_a_viewer_may_not(db: None) -> None:
    client = make.client("viewer")  # type: ignore[arg-type]
    assert client.get(reverse("importing")).status_code == 403
    assert client.post(reverse("importing"), {"text": "x"}).status_code == 403
    assert folders() == []


def test_another_administrator_s_narrow_rights_show_nothing_of_it(client: Client, tmp_path: Path) -> None:
    url = brought(client, **files(tmp_path))
    narrow = make.client("administrator", operator=make.operator())  # type: ignore[arg-type]
    assert narrow.get(url).status_code == 404
    assert narrow.post(f"{url}/start").status_code == 404
    assert narrow.post(f"{url}/discard").status_code == 404


def test_without_the_token_of_the_form_nothing_is_kept(db: None) -> None:
    make.installation()
    client = Client(enforce_csrf_checks=True)
    client.force_login(make.person("administrator"))  # type: ignore[arg-type]
    given = {"store": SimpleUploadedFile("a.zip", hostile.ZIP)}
    assert client.post(reverse("importing"), given).status_code == 403
    assert folders() == []


def test_a_failed_import_can_be_started_again_from_its_plan(
    visitor: Visitor, client: Client, tmp_path: Path
) -> None:
    url = brought(client, **files(tmp_path))
    going = visitor.send(looked(visitor, url), action="/start")
    Job.objects.filter(kind=import_jobs.IMPORT).update(state="failed", error="The power went out.")
    assert "The power went out." in visitor.open(going.url).text
    visitor.send(visitor.open(url), action="/start")
    work()
    assert Operator.objects.exists()
