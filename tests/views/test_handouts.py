from __future__ import annotations

import json
import re

import pytest
from django.test import Client
from django.urls import reverse

from identities.claims.permissions import UserPermissionLimits
from identities.formats.creds import parse_creds
from identities.models import Account, AuditEvent, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.views import handouts_shown
from tests import make

pytestmark = pytest.mark.django_db

SEED = re.compile(r"S[UAO][A-Z2-7]{56}")
BEARER = UserPermissionLimits(subs=-1, data=-1, payload=-1, bearer_token=True)


@pytest.fixture
def account() -> Account:
    return make.account(
        make.operator(name="Test", service_urls=("nats://nats.example.com:4222",)), "TestAccount"
    )


@pytest.fixture
def admin() -> Client:
    return make.client()


@pytest.fixture
def viewer() -> Client:
    return make.client(Role.VIEWER)


def url(user: User, name: str) -> str:
    return reverse(name, args=[user.account.operator.public_key, user.account.public_key, user.public_key])


def actions() -> list[str]:
    return list(AuditEvent.objects.order_by("seq").values_list("action", flat=True))


class TestCreds:
    def test_are_a_download_that_nobody_keeps(self, admin: Client, account: Account) -> None:
        user = make.user(account, "TestUser")
        answer = admin.post(url(user, "user-creds"))
        assert answer["Content-Disposition"] == 'attachment; filename="TestUser.creds"'
        assert answer["Cache-Control"] == "no-store"
        creds = parse_creds(answer.content.decode())
        assert user.token is not None
        assert creds.jwt == user.token.text
        assert creds.seed is not None
        assert KeyPair.from_seed(creds.seed).public.text == user.public_key
        assert actions()[-1] == "creds.download"

    def test_are_not_given_to_a_link(self, admin: Client, account: Account) -> None:
        assert admin.get(url(make.user(account), "user-creds")).status_code == 405

    def test_are_not_for_viewers(self, viewer: Client, account: Account) -> None:
        answer = viewer.post(url(make.user(account), "user-creds"))
        assert answer.status_code == 403
        assert not SEED.search(answer.content.decode())

    def test_of_a_user_out_of_sight_are_not_there(self, account: Account) -> None:
        elsewhere = make.client(Role.ADMINISTRATOR, account=make.account())
        assert elsewhere.post(url(make.user(account), "user-creds")).status_code == 404

    def test_without_a_seed_the_page_says_why_and_offers_the_jwt(
        self, admin: Client, account: Account
    ) -> None:
        user = make.user(account, "own", public_key=KeyPair.create(KeyKind.USER).public.text)
        answer = admin.post(url(user, "user-creds"))
        assert answer.status_code == 422
        assert "is not here" in answer.content.decode()
        assert url(user, "user-jwt") in answer.content.decode()


class TestJwt:
    def test_is_for_viewers_too(self, viewer: Client, account: Account) -> None:
        user = make.user(account, "TestUser")
        answer = viewer.get(url(user, "user-jwt"))
        assert answer["Content-Disposition"] == 'attachment; filename="TestUser.jwt"'
        assert user.token is not None
        assert answer.content.decode() == user.token.text

    def test_of_a_bearer_user_goes_to_administrators_by_post_and_is_recorded(
        self, admin: Client, viewer: Client, account: Account
    ) -> None:
        user = make.user(account, "sensor", limits=BEARER)
        for client in (admin, viewer):
            assert client.get(url(user, "user-jwt")).status_code == 405
        assert viewer.post(url(user, "user-jwt")).status_code == 403
        answer = admin.post(url(user, "user-jwt"))
        assert answer.content.decode().startswith("eyJ")
        assert answer["Cache-Control"] == "no-store"
        assert actions()[-1] == "jwt.download-bearer"


class TestContext:
    def test_names_the_creds_and_the_servers_and_holds_no_secret(
        self, viewer: Client, account: Account
    ) -> None:
        user = make.user(account, "TestUser")
        page = viewer.get(url(user, "user-context"))
        assert page.status_code == 200
        answer = viewer.get(url(user, "user-context"), {"download": "1"})
        assert answer["Content-Disposition"] == 'attachment; filename="TestAccount_TestUser.json"'
        context = json.loads(answer.content)
        assert (context["url"], context["creds"]) == ("nats://nats.example.com:4222", "~/TestUser.creds")
        assert not SEED.search(answer.content.decode())

    def test_takes_another_path_and_server(self, viewer: Client, account: Account) -> None:
        sent = {"download": "1", "creds": "/etc/nats/a.creds", "url": "tls://one:4222"}
        context = json.loads(viewer.get(url(make.user(account), "user-context"), sent).content)
        assert (context["url"], context["creds"]) == ("tls://one:4222", "/etc/nats/a.creds")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ('Zoë "quoted".creds', "Zoë _quoted_.creds"),
        ("../../etc/passwd", "____etc_passwd"),
        ("..\\a\r\nb.creds", "__a__b.creds"),
        (".hidden", "hidden"),
        ("..", "_"),
        (". ", "user"),
    ],
)
def test_a_file_name_is_never_a_path(name: str, file: str) -> None:
    assert handouts_shown.file_name(name) == file


def test_a_file_name_in_any_script_is_quoted(admin: Client, account: Account) -> None:
    answer = admin.post(url(make.user(account, "Zoë; x"), "user-creds"))
    assert answer["Content-Disposition"] == "attachment; filename*=utf-8''Zo%C3%AB%3B%20x.creds"


def test_no_seed_stands_in_any_other_page(admin: Client, account: Account) -> None:
    user = make.user(account, "TestUser")
    for name in ("user", "user-edit", "user-delete", "user-history", "user-context", "user-jwt", "user-test"):
        assert not SEED.search(admin.get(url(user, name)).content.decode()), name
