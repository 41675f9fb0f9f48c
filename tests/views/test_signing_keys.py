from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from identities.claims.account import AccountBody
from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.permissions import (
    Permission,
    ResponsePermission,
    TimeRange,
    UserPermissionLimits,
)
from identities.claims.scopes import SigningKey
from identities.models import Account, IssuedToken, Key
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import accounts, changes, clock, signing_keys
from tests import make
from tests.pages import Page, Visitor, saved_all_the_same

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
UNLIMITED = UserPermissionLimits.unlimited()
TEMPLATE = replace(
    UNLIMITED, pub=Permission(allow=("orders.{{name()}}.>", "{{tag(team)}}.reports"), deny=("secret.>",))
)


@pytest.fixture
def account() -> Account:
    return make.account(make.operator("Test"), "Orders")


@pytest.fixture
def visitor() -> Visitor:
    return Visitor(make.client())


@pytest.fixture
def viewer() -> Visitor:
    return Visitor(make.client(Role.VIEWER))


def fresh(account: Account) -> Account:
    return Account.objects.select_related("operator").get(pk=account.pk)


def body(account: Account) -> AccountBody:
    found: AccountBody = changes.claims_of(fresh(account)).nats
    return found


def add(account: Account, **draft: object) -> Key:
    row = fresh(account)
    wanted = SigningKeyDraft(**draft)
    return signing_keys.add(principal=make.COMMAND, account=row, draft=wanted, version=row.version)


def role(account: Account, template: UserPermissionLimits = TEMPLATE, name: str = "worker") -> Key:
    return add(account, role=RoleDraft(role=name, template=template))


def url(name: str, account: Account, key: Key | None = None) -> str:
    more = [key.public_key] if key is not None else []
    return reverse(name, args=[account.operator.public_key, account.public_key, *more])


def entry(account: Account, key: Key) -> SigningKey:
    return next(entry for entry in body(account).signing_keys if entry.key == key.public_key)


def becomes(page: Page) -> str:
    """The words of the card that says what the template becomes."""
    return page.text.partition("What the template becomes")[2].partition("Variables")[0]


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


EVERYTHING = {
    "pub_allow": "a.{{name()}}\nb.{{tag(team)}}",
    "pub_deny": "a.secret",
    "sub_allow": "c.>",
    "sub_deny": "c.secret",
    "can_request": True,
    "can_answer": True,
    "resp_max": "5",
    "resp_ttl": "2s",
    "subs": "7",
    "data": "1 MiB",
    "payload": "64 KiB",
    "src": "192.0.2.0/24",
    "times": "08:00-18:00",
    "times_location": "Europe/Zurich",
    "connection_types": ["STANDARD", "MQTT"],
}


class TestRoles:
    def test_a_role_takes_every_field_of_a_user(self, visitor: Visitor, account: Account) -> None:
        page = visitor.open(url("role-create", account))
        page = visitor.send(page, role="worker", description="What works.", **EVERYTHING)
        assert "Added the role “worker”." in page.text, page.text
        made = body(account).signing_keys[0]
        assert (made.role, made.description) == ("worker", "What works.")
        assert made.template == UserPermissionLimits(
            pub=Permission(allow=("a.{{name()}}", "b.{{tag(team)}}"), deny=("a.secret",)),
            sub=Permission(allow=("c.>", "_INBOX.>"), deny=("c.secret",)),
            resp=ResponsePermission(max=5, ttl=2_000_000_000),
            src=("192.0.2.0/24",),
            times=(TimeRange(start="08:00:00", end="18:00:00"),),
            times_location="Europe/Zurich",
            subs=7,
            data=2**20,
            payload=2**16,
            allowed_connection_types=("STANDARD", "MQTT"),
        )

    def test_what_was_set_can_be_unset(self, visitor: Visitor, account: Account) -> None:
        visitor.send(visitor.open(url("role-create", account)), role="worker", description="x", **EVERYTHING)
        key = Key.objects.get(role="worker")
        emptied = {name: False if value is True else "" for name, value in EVERYTHING.items()}
        emptied["connection_types"] = []
        page = visitor.send(visitor.open(url("role-edit", account, key)), role="", description="", **emptied)
        assert page.status == 200, page.text
        made = entry(account, key)
        assert (made.role, made.description, made.template) == ("", "", UNLIMITED)

    def test_an_untouched_form_signs_nothing_whatever_stands_in_the_role(
        self, visitor: Visitor, account: Account
    ) -> None:
        odd = SigningKey(
            kind="user_scope",
            key=KeyPair.create(KeyKind.ACCOUNT).public.text,
            role=" odd ",
            description="two\r\nlines",
            template=replace(
                TEMPLATE,
                resp=ResponsePermission(max=0, ttl=-7),
                allowed_connection_types=("standard", "SMOKE"),
                times=(TimeRange(start="8:00:00", end="18:00:00"),),
                extra={"x_new": [1]},
            ),
            extra={"x_key": True},
        )
        accounts.commit_revocations(
            row := fresh(account),
            replace(
                planned := changes.plan(row, changes.edit_body(signing_keys=(odd,)), now=clock.unix()),
                report=type(planned.report)(),
            ),
            principal=make.COMMAND,
            reason="Imported",
        )
        signed = IssuedToken.objects.count()
        page = visitor.open(url("role-edit", account, Key(public_key=odd.key)))
        page = visitor.send(page, action="/edit")
        assert "Nothing was changed, so nothing was signed." in page.text, page.text
        assert IssuedToken.objects.count() == signed
        page = visitor.open(url("role-edit", account, Key(public_key=odd.key)))
        saved = visitor.send(page, pub_deny="other.>")
        assert "Saved the role." in saved.text, saved.text
        after = body(account).signing_keys[0]
        assert after == replace(
            odd,
            template=replace(odd.template or UNLIMITED, pub=replace(TEMPLATE.pub, deny=("other.>",))),
        )

    def test_whose_connections_drop_is_accepted_first(self, account: Account) -> None:
        key = role(account)
        make.user(fresh(account), "bob", signer=key.public_key)
        client = make.client()
        page = Visitor(client).open(url("role-edit", account, key))
        values = {name: held[0] for name, held in page.form("role").values.items()}
        answer = client.post(page.url, {**values, "pub_deny": "other.>"})
        assert answer.status_code == 422
        assert "1 user (“bob”) of this role: who of them is connected is dropped" in answer.content.decode()
        saved_all_the_same(client, page.url, {**values, "pub_deny": "other.>"})
        assert entry(account, key).template == replace(TEMPLATE, pub=replace(TEMPLATE.pub, deny=("other.>",)))

    @pytest.mark.parametrize(
        ("field", "value", "why"),
        [
            ("subs", "none", "a role cannot hold 0 here"),
            ("payload", "0", "a role cannot hold 0 here"),
            ("pub_allow", "a.{{user()}}", "is not known to nats-server"),
            ("sub_allow", "a.{{TAG(x)}}", "must be written in lower case"),
            ("pub_deny", "a..b", ""),
            ("src", "here", "invalid cidr"),
            ("times_location", "Nowhere", ""),
            ("connection_types", "SMOKE", "not one of the available choices"),
        ],
    )
    def test_what_is_wrong_stands_beside_its_field(
        self, visitor: Visitor, account: Account, field: str, value: str, why: str
    ) -> None:
        role(account, name="another")
        values = {"times": "08:00-18:00"} if field == "times_location" else {}
        page = visitor.send(
            visitor.open(url("role-create", account)), role="worker", **{field: value}, **values
        )
        assert page.status == 422
        errors = page.response.context["form"].errors
        assert list(errors) == [field], errors
        assert why.lower() in str(errors[field]).lower()

    def test_what_is_wrong_with_another_role_is_no_fields_fault(
        self, visitor: Visitor, account: Account
    ) -> None:
        form = visitor.open(url("role-create", account)).response.context["form"]
        role(account)
        later = visitor.open(url("role-create", account)).response.context["form"]
        assert form.field_of("nats.signing_keys[0].template.subs") == "subs"
        assert later.field_of("nats.signing_keys[0].template.subs") == ""
        assert later.field_of("nats.signing_keys[1].template.pub.allow[3]") == "pub_allow"

    def test_proxy_required_is_a_warning_to_accept(self, account: Account) -> None:
        client = make.client()
        page = Visitor(client).open(url("role-create", account))
        values = {name: held[0] for name, held in page.form("role").values.items()}
        saved_all_the_same(client, page.url, {**values, "role": "worker", "proxy_required": "on"})
        assert body(account).signing_keys[0].template == replace(UNLIMITED, proxy_required=True)

    def test_a_stale_edit_shows_both_values(self, visitor: Visitor, account: Account) -> None:
        key = role(account)
        mine = visitor.open(url("role-edit", account, key))
        visitor.send(visitor.open(url("role-edit", account, key)), description="theirs")
        page = visitor.send(mine, description="mine")
        assert page.status == 409
        assert "theirs" in page.text and "mine" in page.text
        page = visitor.send(page, description="mine")
        assert entry(account, key).description == "mine"

    def test_a_plain_key_has_no_editor(self, visitor: Visitor, account: Account) -> None:
        assert visitor.open(url("role-edit", account, add(account))).status == 404

    def test_viewers_may_not(self, account: Account) -> None:
        client = make.client(Role.VIEWER)
        for address in (url("role-create", account), url("role-edit", account, role(account))):
            assert client.get(address).status_code == 403
            assert client.post(address, {}).status_code == 403


class TestLivePreview:
    def test_it_shows_what_is_typed_for_whoever_is_chosen(self, visitor: Visitor, account: Account) -> None:
        make.user(account, "alice", tags=("team:blue",))
        page = visitor.send(
            visitor.open(url("role-create", account)),
            pub_allow="o.{{name()}}.{{tag(team)}}",
            sample_user="alice",
            preview="1",
        )
        assert "o.alice.blue" in becomes(page) and "Let in" in becomes(page)
        page = visitor.send(
            page, sample_user="", sample_name="bob", sample_tags="team:a, team:b", preview="1"
        )
        words = becomes(page)
        assert "for a user named “bob”" in words and "o.bob.a" in words and "o.bob.b" in words
        assert not body(account).signing_keys

    def test_it_says_what_is_left_out_denied_and_refused(self, visitor: Visitor, account: Account) -> None:
        page = visitor.open(url("role-create", account))
        sample = {"sample_name": "two words", "sample_tags": "", "preview": "1"}
        words = becomes(visitor.send(page, pub_allow="o.{{name()}}", **sample))
        assert "Left out: “o.two words” is no subject." in words
        assert "so it may publish to nothing: nats-server denies >" in words
        words = becomes(visitor.send(page, pub_deny="o.{{tag(none)}}", **sample))
        assert "Login refused" in words and "needs a tag that is not there" in words
        words = becomes(visitor.send(page, pub_allow="o.{{user()}}", **sample))
        assert "which nats-server does not know" in words

    def test_a_wildcard_that_a_name_brings_in_is_pointed_out(
        self, visitor: Visitor, account: Account
    ) -> None:
        page = visitor.open(url("role-create", account))
        words = becomes(visitor.send(page, pub_allow="o.{{name()}}", sample_name=">", preview="1"))
        assert "o.>" in words and "brings a wildcard in" in words

    def test_long_lists_are_cut_with_a_count(self, visitor: Visitor, account: Account) -> None:
        page = visitor.open(url("role-create", account))
        tags = "\n".join(f"t:{number}" for number in range(50))
        words = becomes(
            visitor.send(page, pub_allow="o.{{tag(t)}}", sample_name="a", sample_tags=tags, preview="1")
        )
        assert "and 30 more" in words
        many = "\n".join(f"s.{number}" for number in range(130))
        assert "30 more subjects are not shown." in becomes(visitor.send(page, pub_allow=many, preview="1"))

    def test_htmx_gets_it_in_the_panel_and_swaps_it_beside_the_changes(self, account: Account) -> None:
        client = make.client()
        page = Visitor(client).open(url("role-create", account))
        values = {name: held[0] for name, held in page.form("role").values.items()}
        answer = client.post(page.url, {**values, "pub_allow": "x", "preview": "1"}, headers=HTMX)
        html = answer.content.decode()
        assert html.lstrip().startswith("<section")
        assert 'id="role-becomes"' in html and 'hx-select-oob="#role-becomes"' in html


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


def test_a_new_user_of_a_role_starts_from_the_roles_page(visitor: Visitor, account: Account) -> None:
    key = role(account)
    page = visitor.open(url("signing-key", account, key))
    page = visitor.send(visitor.open(page.link("/users/new")), name="bob")
    assert "Issued by the role “worker”: it carries no permissions and no limits of its own" in page.text
    assert "orders.bob.>" in page.text


def test_the_form_names_every_field_of_the_template() -> None:
    from dataclasses import fields

    from identities.forms.signing_keys import RoleForm

    named = {
        path.removeprefix("nats.signing_keys.template.").partition(".")[0]
        for path in RoleForm.paths
        if path.startswith("nats.signing_keys.template.")
    }
    assert named == {field.name for field in fields(UserPermissionLimits)} - {"extra"}
