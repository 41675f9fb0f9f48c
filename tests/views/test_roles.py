"""The pages of roles: every field of a template, what it becomes while typed, and users who start from it."""

from __future__ import annotations

from dataclasses import replace

import pytest

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
from identities.services import accounts, changes, clock
from tests import make
from tests.pages import Visitor, saved_all_the_same
from tests.views.signing_key_pages import TEMPLATE, UNLIMITED, add, becomes, body, entry, fresh, role, url

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
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


@pytest.fixture
def account() -> Account:
    return make.account(make.operator("Test"), "Orders")


@pytest.fixture
def visitor() -> Visitor:
    return Visitor(make.client())


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
