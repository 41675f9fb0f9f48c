"""The pages of signing keys: the list, the page of each, plain ones made, any removed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from identities.claims.scopes import SigningKey
from identities.models import Account, Key
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import signing_keys
from tests import make
from tests.pages import Visitor
from tests.views.signing_key_pages import TEMPLATE, add, becomes, body, fresh, role, url

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def account() -> Account:
    return make.account(make.operator("Test"), "Orders")


@pytest.fixture
def visitor() -> Visitor:
    return Visitor(make.client())


@pytest.fixture
def viewer() -> Visitor:
    return Visitor(make.client(Role.VIEWER))


class TestList:
    def test_shows_every_key_with_its_kind_seed_and_users(self, viewer: Visitor, account: Account) -> None:
        key = role(account)
        add(account, public_key=KeyPair.create(KeyKind.ACCOUNT).public.text)
        make.user(fresh(account), "bob", signer=key.public_key)
        page = viewer.open(url("signing-keys", account))
        rows = {row.name: row for row in page.response.context["rows"]}
        assert [row.name for row in page.response.context["rows"]] == [
            "Identity key",
            "Signing key",
            "worker",
        ]
        assert (rows["worker"].kind, rows["worker"].users, rows["worker"].seed.word) == ("role", "1", "here")
        assert (rows["Signing key"].kind, rows["Signing key"].seed.word) == ("plain", "not here")

    def test_names_what_is_doubtful_about_a_key(self, viewer: Visitor, account: Account) -> None:
        role(account, replace(TEMPLATE, proxy_required=True))
        page = viewer.open(url("signing-keys", account))
        assert "template.proxy_required: nats-server does not enforce this in a role" in page.text

    def test_shows_a_removed_key_as_long_as_it_has_users(self, viewer: Visitor, account: Account) -> None:
        key = role(account)
        make.user(fresh(account), "bob", signer=key.public_key)
        row = fresh(account)
        signing_keys.remove(
            principal=make.COMMAND, account=row, public_key=key.public_key, version=row.version
        )
        page = viewer.open(url("signing-keys", account))
        assert "Its users can't log in. Move them to another key." in page.text
        page = viewer.open(url("signing-key", account, key))
        assert page.status == 200
        assert "servers refuse the users that it issued" in page.text
        assert "bob" in page.text and "Key removed" in page.text

    def test_says_where_the_identity_key_may_not_issue_users(self, viewer: Visitor) -> None:
        account = make.account(make.operator(system_account=False), "Orders")
        make.user(account, "bob")
        operator = account.operator
        operator.strict = True
        operator.save()
        page = viewer.open(url("signing-keys", account))
        assert "servers refuse users that this key issued" in page.text

    def test_offers_changes_only_to_who_may(
        self, visitor: Visitor, viewer: Visitor, account: Account
    ) -> None:
        key = role(account)
        for address in (url("signing-keys", account), url("signing-key", account, key)):
            assert url("role-edit", account, key) in visitor.open(address).html
            html = viewer.open(address).html
            assert url("role-edit", account, key) not in html
            assert url("signing-key-remove", account, key) not in html

    def test_costs_the_same_queries_for_many_keys(self, viewer: Visitor, account: Account) -> None:
        role(account)
        with CaptureQueriesContext(connection) as few:
            viewer.open(url("signing-keys", account))
        for number in range(4):
            role(account, name=f"role-{number}")
        with CaptureQueriesContext(connection) as many:
            viewer.open(url("signing-keys", account))
        assert len(many) == len(few)

    def test_of_an_account_out_of_sight_is_not_there(self, account: Account) -> None:
        key = role(account)
        elsewhere = make.client(Role.ADMINISTRATOR, account=make.account())
        for name in ("signing-keys", "signing-key-create", "role-create"):
            assert elsewhere.get(url(name, account)).status_code == 404
        for name in ("signing-key", "role-edit", "signing-key-remove"):
            assert elsewhere.get(url(name, account, key)).status_code == 404


class TestOneKey:
    def test_a_role_says_what_it_gives_and_lists_its_users_page_by_page(
        self, viewer: Visitor, account: Account
    ) -> None:
        key = role(account)
        make.many_users(
            fresh(account), [f"device-{number:03}" for number in range(60)], signer=key.public_key
        )
        make.user(fresh(account), "outside")
        page = viewer.open(url("signing-key", account, key))
        assert "orders.{{name()}}.>" in page.text
        assert "60 users" in page.text
        assert "device-049" in page.text and "device-050" not in page.text and "outside" not in page.text
        page = viewer.open(url("signing-key", account, key) + page.response.context["page"].next)
        assert "device-059" in page.text

    def test_a_role_shows_what_it_becomes_for_the_user_that_is_asked_for(
        self, viewer: Visitor, account: Account
    ) -> None:
        key = role(account)
        make.user(fresh(account), "alice", signer=key.public_key, tags=("team:blue", "team:red"))
        make.user(fresh(account), "bob", signer=key.public_key)
        words = becomes(viewer.open(url("signing-key", account, key), {"user": "alice"}))
        assert "orders.alice.>" in words and "blue.reports" in words and "red.reports" in words
        words = becomes(viewer.open(url("signing-key", account, key), {"user": "bob"}))
        assert "orders.bob.>" in words
        assert "Left out: it needs a tag that is not there." in words

    def test_htmx_gets_the_list_of_users_alone(self, account: Account) -> None:
        key = role(account)
        html = make.client().get(url("signing-key", account, key), headers=HTMX).content.decode()
        assert 'id="user-list"' in html and "<html" not in html

    def test_the_identity_key_has_a_page_too_and_a_stranger_has_none(
        self, viewer: Visitor, account: Account
    ) -> None:
        make.user(account, "bob")
        identity = Key.objects.get(public_key=account.public_key)
        page = viewer.open(url("signing-key", account, identity))
        assert page.status == 200 and "bob" in page.text
        other = Key(public_key=make.account(account.operator).public_key)
        assert viewer.open(url("signing-key", account, other)).status == 404


class TestPlainKeys:
    def test_one_is_made_by_one_button(self, visitor: Visitor, account: Account) -> None:
        page = visitor.send(visitor.open(url("signing-key-create", account)), public_key="")
        assert "Added a signing key." in page.text
        assert "Signed. Now tell the servers" in page.text
        key = body(account).signing_keys[0].key
        assert Key.objects.get(public_key=key).sealed is not None

    def test_a_public_key_is_added_and_a_seed_is_thrown_away(
        self, visitor: Visitor, account: Account
    ) -> None:
        pair = KeyPair.create(KeyKind.ACCOUNT)
        seed = pair.seed().reveal().decode()
        page = visitor.send(visitor.open(url("signing-key-create", account)), public_key=seed)
        assert page.status == 422
        assert "That is a seed" in page.text and seed not in page.html
        visitor.send(page, public_key=pair.public.text)
        assert body(account).signing_keys == (SigningKey(key=pair.public.text),)

    def test_a_key_of_another_kind_and_a_taken_one_are_refused_at_the_field(
        self, visitor: Visitor, account: Account
    ) -> None:
        for text in (KeyPair.create(KeyKind.USER).public.text, account.public_key):
            page = visitor.send(visitor.open(url("signing-key-create", account)), public_key=text)
            assert page.status == 422
            assert list(page.response.context["form"].errors) == ["public_key"]

    def test_what_changes_names_a_key_that_is_still_to_be_made(
        self, visitor: Visitor, account: Account
    ) -> None:
        page = visitor.send(
            visitor.open(url("signing-key-create", account)), action="/signing-keys/new", preview="1"
        )
        assert "nats.signing_keys[a new key]" in page.text
        assert not body(account).signing_keys


class TestRemoving:
    def test_it_says_what_stops_working_and_asks_for_the_name(
        self, visitor: Visitor, account: Account
    ) -> None:
        key = role(account)
        make.user(fresh(account), "bob", signer=key.public_key)
        page = visitor.open(url("signing-key-remove", account, key))
        assert "This key issued 1 user (“bob”)" in page.text
        page = visitor.send(page, confirm="other")
        assert page.status == 422
        assert "This key issued 1 user (“bob”)" in page.text
        page = visitor.send(page, confirm="worker")
        assert "Removed role “worker”." in page.text
        assert "Signed. Now tell the servers" in page.text
        assert not body(account).signing_keys

    def test_a_plain_key_is_named_by_its_last_letters(self, visitor: Visitor, account: Account) -> None:
        key = add(account)
        page = visitor.send(
            visitor.open(url("signing-key-remove", account, key)), confirm=key.public_key[-4:]
        )
        assert page.status == 200
        assert not body(account).signing_keys

    def test_a_stale_page_removes_nothing(self, visitor: Visitor, account: Account) -> None:
        key = role(account)
        page = visitor.open(url("signing-key-remove", account, key))
        visitor.send(visitor.open(url("role-edit", account, key)), description="theirs")
        assert visitor.send(page, confirm="worker").status == 409
        assert body(account).signing_keys

    def test_what_is_gone_already_is_not_there(self, visitor: Visitor, account: Account) -> None:
        key = role(account)
        page = visitor.open(url("signing-key-remove", account, key))
        visitor.send(page, confirm="worker")
        assert visitor.send(page, confirm="worker").status == 404
