"""Taking along: an operator's store and an account's creds as zip files; keys for a password, named in the activity."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from identities.claims.permissions import UserPermissionLimits
from identities.formats import archives, nsc_layout
from identities.formats.creds import parse_creds
from identities.models import Account, AuditEvent, AuditTarget, Key, SignInFailure, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import export_reading, importing, people, suspensions
from identities.services.import_items import Choices
from identities.services.import_reading import Collector
from tests import make
from tests.pages import Visitor

pytestmark = pytest.mark.django_db
SEED = re.compile(rb"S[OAUX][A-Z2-7]{56}")
BEARER = UserPermissionLimits(subs=-1, data=-1, payload=-1, bearer_token=True)
KEYS = {"shape": "store", "keys": "on", "password": make.PASSWORD}


@pytest.fixture
def admin(db: None) -> Client:
    return make.client()


@pytest.fixture
def viewer(db: None) -> Client:
    return make.client(Role.VIEWER)


@pytest.fixture
def account(db: None) -> Account:
    made = make.account(make.operator("Op", service_urls=("nats://one:4222", "nats://two:4222")), "App")
    make.many_users(made, ["ann", "bob"])
    return made


def store_url(account: Account) -> str:
    return reverse("operator-store", args=[account.operator.public_key])


def creds_url(account: Account) -> str:
    return reverse("account-creds", args=[account.operator.public_key, account.public_key])


def unpacked(answer: Any) -> dict[str, bytes]:
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


class TestStore:
    def test_goes_from_the_operators_page_without_keys_to_a_viewer(
        self, viewer: Client, account: Account
    ) -> None:
        make.user(account, "sensor", limits=BEARER)
        visitor = Visitor(viewer)
        page = visitor.open(
            visitor.open(reverse("operator", args=[account.operator.public_key])).link("Take along")
        )
        form = page.form("shape")
        assert not form.names & {"keys", "password"}
        before = AuditEvent.objects.count()
        answer = viewer.post(form.action or page.url, {"shape": "store"})
        assert answer["Content-Disposition"] == 'attachment; filename="Op-nsc.zip"'
        found = unpacked(answer)
        user = User.objects.get(name="ann")
        assert user.token is not None
        assert found["stores/Op/accounts/App/users/ann.jwt"] == user.token.text.encode()
        assert "stores/Op/accounts/App/users/sensor.jwt" not in found
        assert "user “App/sensor”" in found["README.txt"].decode()
        assert not any(SEED.search(data) for data in found.values())
        assert AuditEvent.objects.count() == before

    def test_keys_leave_for_the_password_and_are_named(self, admin: Client, account: Account) -> None:
        found = unpacked(admin.post(store_url(account), KEYS))
        seeds = {path for path in found if path.endswith(".nk")}
        assert len(seeds) == Key.objects.exclude(sealed=None).count()
        for path in seeds:
            assert KeyPair.from_seed(found[path]).public.text == path.rpartition("/")[2].removesuffix(".nk")
        creds = parse_creds(found["keys/creds/Op/App/ann.creds"].decode())
        assert creds.jwt.encode() == found["stores/Op/accounts/App/users/ann.jwt"]
        assert not SEED.search(found["README.txt"])
        event = AuditEvent.objects.latest("seq")
        assert event.action == "operator.export-seeds"
        named = set(AuditTarget.objects.filter(event=event).values_list("key", flat=True))
        assert {path.rpartition("/")[2].removesuffix(".nk") for path in seeds} == named
        page = Visitor(admin).open(reverse("activity"))
        assert f"Handed out the store of operator “Op” with {len(seeds)} seeds" in page.text

    @pytest.mark.parametrize("shape", ["store", "flat"])
    def test_what_leaves_comes_in_again_as_what_is_here(
        self, admin: Client, account: Account, shape: str
    ) -> None:
        answer = admin.post(store_url(account), KEYS | {"shape": shape})
        data = b"".join(answer.streaming_content)
        collector = Collector(seal=True)
        for member in archives.members(io.BytesIO(data), tell=collector.tell, wanted=nsc_layout.is_wanted):
            collector.file(member.path, member.data)
        report = importing.plan(principal=make.COMMAND, collected=collector.finished(), choices=Choices())
        assert report["nothing"]
        assert report["counts"]["user"] == {"unchanged": 3}
        assert report["seeds"]["brought"] == Key.objects.exclude(sealed=None).count()
        assert report["notes"] == []

    def test_flat_is_one_folder(self, admin: Client, account: Account) -> None:
        answer = admin.post(store_url(account), KEYS | {"shape": "flat"})
        assert answer["Content-Disposition"] == 'attachment; filename="Op-keys.zip"'
        found = unpacked(answer)
        assert not any("/" in path for path in found)
        assert f"{account.public_key}.jwt" in found
        assert f"{account.public_key}.nk" in found

    @pytest.mark.parametrize(
        ("password", "said"), [("", "Type your password"), ("not it", "That is not your password")]
    )
    def test_without_the_right_password_no_key_leaves(
        self, admin: Client, account: Account, password: str, said: str
    ) -> None:
        before = AuditEvent.objects.filter(action="operator.export-seeds").count()
        answer = admin.post(store_url(account), KEYS | {"password": password})
        assert answer.status_code == 422
        assert said in answer.content.decode()
        assert not SEED.search(answer.content)
        assert AuditEvent.objects.filter(action="operator.export-seeds").count() == before
        assert SignInFailure.objects.exists() == bool(password)

    def test_wrong_passwords_are_counted_and_then_none_is_looked_at(
        self, admin: Client, account: Account
    ) -> None:
        for _ in range(people.FAILURES_ALLOWED):
            admin.post(store_url(account), KEYS | {"password": "not it"})
        shut = admin.post(store_url(account), KEYS)
        assert shut.status_code == 422
        assert "Too many wrong passwords" in shut.content.decode()
        assert "README.txt" in unpacked(
            admin.post(store_url(account), {"shape": "store", "password": "not it"})
        )

    def test_a_viewer_who_asks_for_keys_all_the_same_gets_none(
        self, viewer: Client, account: Account
    ) -> None:
        found = unpacked(viewer.post(store_url(account), KEYS))
        assert not any(SEED.search(data) for data in found.values())

    def test_is_not_there_for_whom_the_operator_is_not(self, account: Account) -> None:
        elsewhere = make.client(Role.ADMINISTRATOR, operator=make.operator())
        assert elsewhere.get(store_url(account)).status_code == 404
        of_account = make.client(Role.ADMINISTRATOR, account=account)
        assert of_account.post(store_url(account), KEYS).status_code == 403

    def test_an_unknown_shape_is_refused(self, admin: Client, account: Account) -> None:
        assert admin.post(store_url(account), {"shape": "round"}).status_code == 422

    def test_names_are_clean_and_what_is_odd_stands_in_the_readme(
        self, admin: Client, account: Account
    ) -> None:
        Account.objects.filter(pk=account.pk).update(name="../x")
        found = unpacked(admin.post(store_url(account), KEYS))
        assert not [path for path in found if ".." in path.split("/") or path.startswith("/")]
        assert "account “../x”: .._x-" in found["README.txt"].decode()

    def test_it_is_made_while_it_is_sent(
        self, admin: Client, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make.many_users(account, [f"u{number:03}" for number in range(150)])
        with CaptureQueriesContext(connection) as asked:
            answer = admin.post(store_url(account), {"shape": "store"})
            before = len(asked)
            parts = list(answer.streaming_content)
        assert len(parts) > 1
        assert before < len(asked) < before + 6
        monkeypatch.setattr(export_reading, "AT_ONCE", 20)
        with CaptureQueriesContext(connection) as asked:
            list(admin.post(store_url(account), {"shape": "store"}).streaming_content)
        assert len(asked) > before + 6


class TestCreds:
    def test_of_all_users_leave_with_their_contexts(self, admin: Client, account: Account) -> None:
        visitor = Visitor(admin)
        page = visitor.open(reverse("users", args=[account.operator.public_key, account.public_key]))
        form = page.form(action="/creds")
        answer = admin.post(form.action, form.values)
        assert answer["Content-Disposition"] == 'attachment; filename="App-creds.zip"'
        found = unpacked(answer)
        assert sorted(found) == [
            "README.txt", "context/App_ann.json", "context/App_bob.json", "creds/App_ann.creds", "creds/App_bob.creds",
        ]  # fmt: skip
        ann = User.objects.get(name="ann")
        creds = parse_creds(found["creds/App_ann.creds"].decode())
        assert ann.token is not None
        assert creds.jwt == ann.token.text
        context = json.loads(found["context/App_ann.json"])
        assert context["creds"] == "~/.config/nats/creds/App_ann.creds"
        assert context["url"] == "nats://one:4222,nats://two:4222"
        assert "nats --context App_ann rtt" in found["README.txt"].decode()
        event = AuditEvent.objects.latest("seq")
        assert (event.action, event.summary) == ("creds.download", "Handed out the creds of 2 users of “App”")
        assert ann.public_key in AuditTarget.objects.filter(event=event).values_list("key", flat=True)

    def test_who_has_none_is_listed(self, admin: Client, account: Account) -> None:
        make.user(account, "own", public_key=KeyPair.create(KeyKind.USER).public.text)
        user = User.objects.get(name="bob")
        suspensions.suspend(principal=make.COMMAND, user=user, version=user.version)
        found = unpacked(admin.post(creds_url(account)))
        assert {path for path in found if path.startswith("creds/")} == {"creds/App_ann.creds"}
        words = found["README.txt"].decode()
        assert "its seed is not here" in words
        assert words.index("its seed is not here") < words.index("    own")
        assert words.index("it is suspended") < words.index("    bob")
        assert AuditEvent.objects.latest("seq").summary == "Handed out the creds of 1 user of “App”"

    def test_a_bearer_users_creds_leave_as_they_do_singly(self, admin: Client, account: Account) -> None:
        sensor = make.user(account, "sensor", limits=BEARER)
        single = admin.post(
            reverse("user-creds", args=[account.operator.public_key, account.public_key, sensor.public_key])
        )
        assert unpacked(admin.post(creds_url(account)))["creds/App_sensor.creds"] == single.content

    def test_no_two_users_share_a_file(self, admin: Client, account: Account) -> None:
        make.many_users(account, ["a b", "a_b", "a/b".replace("/", "?")])
        found = unpacked(admin.post(creds_url(account)))
        creds = [data for path, data in found.items() if path.startswith("creds/")]
        assert len(set(creds)) == len(creds) == 5
        for path, data in found.items():
            if path.startswith("context/"):
                name = path.removeprefix("context/").removesuffix(".json")
                assert json.loads(data)["creds"].endswith(f"/creds/{name}.creds")
                assert f"creds/{name}.creds" in found

    def test_are_not_for_viewers_nor_for_links(self, admin: Client, viewer: Client, account: Account) -> None:
        assert viewer.post(creds_url(account)).status_code == 403
        assert admin.get(creds_url(account)).status_code == 405
        page = Visitor(viewer).open(reverse("users", args=[account.operator.public_key, account.public_key]))
        assert "All creds" not in page.text
        elsewhere = make.client(Role.ADMINISTRATOR, account=make.account())
        assert elsewhere.post(creds_url(account)).status_code == 404

    def test_twice_the_users_take_the_same_number_of_queries(self, admin: Client, account: Account) -> None:
        counts = []
        for round_ in range(2):
            with CaptureQueriesContext(connection) as asked:
                unpacked(admin.post(creds_url(account)))
            counts.append(len(asked))
            make.many_users(account, [f"u{round_}{number}" for number in range(40)])
        assert counts[0] == counts[1] <= 22, counts

    def test_a_damaged_seed_is_said_and_does_not_stop_the_others(
        self, admin: Client, account: Account
    ) -> None:
        sealed = Key.objects.get(user__name="ann").sealed
        Key.objects.filter(user__name="bob").update(sealed=sealed)
        found = unpacked(admin.post(creds_url(account)))
        assert "creds/App_ann.creds" in found
        assert "creds/App_bob.creds" not in found
        assert export_reading.UNREADABLE in found["README.txt"].decode()
