"""Two users or roles beside each other: the page, and `manage.py explain compare`."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.permissions import Permission, Permissions, UserPermissionLimits
from identities.models import Account, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import accounts, changes, clock, signing_keys
from tests import make

pytestmark = pytest.mark.django_db
UNLIMITED = UserPermissionLimits.unlimited()
URL = "/compare"


def rules(*allowed: str) -> UserPermissionLimits:
    return replace(UNLIMITED, pub=Permission(allow=allowed), sub=Permission(allow=("_INBOX.>",)))


@pytest.fixture
def account() -> Account:
    return make.account(make.operator("Op"), "Shop")


@pytest.fixture
def ann(account: Account) -> User:
    return make.user(account, "ann", limits=rules("orders.>"))


@pytest.fixture
def bob(account: Account) -> User:
    return make.user(account, "bob", limits=replace(rules("orders.new"), subs=7))


def role(account: Account, name: str, *allowed: str) -> str:
    draft = SigningKeyDraft(role=RoleDraft(role=name, template=rules(*allowed)))
    account.refresh_from_db()
    key = signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)
    account.refresh_from_db()
    return key.public_key


def page(first: str, second: str, *, status: int = 200) -> str:
    answer = make.client().get(URL, {"first": first, "second": second})
    assert answer.status_code == status, answer.content.decode()
    return answer.content.decode()


def test_two_users_stand_beside_each_other(ann: User, bob: User) -> None:
    found = page("ann", bob.public_key)
    assert "ann may publish to all that bob may, and to more." in found
    assert "ann may publish to <code>orders.&gt;</code>, bob only to <code>orders.new</code>." in found
    assert "ann and bob may subscribe to the same subjects." in found
    assert "at most 7" in found
    assert reverse("user", args=[ann.operator.public_key, ann.account.public_key, ann.public_key]) in found


def test_a_role_beside_a_user_of_its_account_is_filled_in(account: Account, ann: User) -> None:
    key = role(account, "worker", "orders.{{name()}}")
    found = page(key, ann.public_key)
    assert "worker only to <code>orders.ann</code>." in found
    assert "stand for themselves" not in found


def test_two_roles_are_compared_as_they_are_written(account: Account) -> None:
    first, second = role(account, "one", "a.{{name()}}"), role(account, "two", "a.{{name()}}", "b")
    found = page(first, second)
    assert "two may publish to all that one may, and to more." in found
    assert "stand for themselves" in found


def test_an_empty_list_that_was_written_beside_a_denial_lets_nothing_out(ann: User, bob: User) -> None:
    """As nats-server takes it (see the permission tester), where no list at all would let everything out."""
    claims = json.loads(bob.claims)
    claims["nats"]["pub"] = {"allow": [], "deny": ["x"]}
    User.objects.filter(pk=bob.pk).update(claims=json.dumps(claims))
    found = page("ann", "bob")
    assert "ann may publish to <code>orders.&gt;</code>, bob may not." in found


def test_a_user_of_a_role_has_what_the_role_gives_it(account: Account, ann: User) -> None:
    key = role(account, "worker", "orders.{{name()}}")
    make.user(account, "eve", signer=key, limits=None)
    found = page("eve", "ann")
    assert "eve only to <code>orders.eve</code>." in found
    assert "its role" in found


def test_the_account_s_defaults_count_where_nothing_else_is_said(account: Account, ann: User) -> None:
    defaults = changes.edit_body(default_permissions=Permissions(pub=Permission(allow=("d",))))
    accounts.rewrite(
        principal=make.COMMAND,
        account=account,
        plan=lambda row: changes.plan(row, defaults, now=clock.unix()),
        version=account.version,
        done="Set defaults",
    )
    make.user(account, "eve")
    found = page("eve", "ann")
    assert "eve may publish to <code>d</code>, ann may not." in found
    assert "default permissions" in found


def test_different_accounts_are_said_to_be_so(ann: User) -> None:
    eve = make.user(make.account(make.operator("Other"), "Else"), "eve", limits=rules("orders.>"))
    found = page("ann", "eve")
    assert eve.public_key in found
    assert "They are in different accounts" in found
    assert "ann and eve may publish to the same subjects." in found


def test_namesakes_are_chosen_from(ann: User, bob: User) -> None:
    other = make.user(make.account(None, "Else"), "ann")
    found = page("ann", "bob", status=422)
    assert "Several are called so" in found
    assert f"first={other.public_key}&amp;second=bob" in found


@pytest.mark.parametrize(("first", "second"), [("nobody", "bob"), ("", "bob"), (" ", "bob")])
def test_who_is_not_there_is_said_beside_the_field(bob: User, first: str, second: str) -> None:
    found = page(first, second, status=422)
    assert "No user and no role of this name" in found or "required" in found


def test_a_seed_is_refused_and_not_shown(bob: User) -> None:
    seed = KeyPair.create(KeyKind.USER).seed().reveal().decode()
    assert seed not in page(seed, "bob", status=400)


def test_nobody_sees_whom_they_may_not_see(ann: User, bob: User) -> None:
    elsewhere = make.account(None, "Else")
    viewer = make.client(Role.VIEWER, account=elsewhere)
    answer = viewer.get(URL, {"first": "ann", "second": "bob"})
    assert answer.status_code == 422
    assert make.client(None).get(URL).status_code == 403
    part = make.client().get(URL, {"first": "ann", "second": "bob"}, headers={"HX-Request": "true"})
    assert b"<html" not in part.content


def test_the_pages_of_users_and_roles_lead_there(account: Account, ann: User) -> None:
    key, browser = role(account, "worker", "a"), make.client()
    at = [account.operator.public_key, account.public_key]
    assert (
        f"{URL}?first={ann.public_key}"
        in browser.get(reverse("user", args=[*at, ann.public_key])).content.decode()
    )
    assert f"{URL}?first={key}" in browser.get(reverse("signing-key", args=[*at, key])).content.decode()
    assert f'value="{key}"' in browser.get(URL, {"first": key}).content.decode()


def said(*arguments: str) -> str:
    output = io.StringIO()
    call_command("explain", "compare", *arguments, stdout=output)
    return output.getvalue()


def test_the_command_says_the_same(ann: User, bob: User) -> None:
    text = said("ann", "bob")
    assert "  - ann may publish to `orders.>`, bob only to `orders.new`." in text
    assert "Subscriptions: ann of Shop: no limit; bob of Shop: at most 7" in text
    document = json.loads(said("ann", "bob", "--json"))
    assert document["publish"]["relation"] == "more"
    assert document["subscribe"]["differences"] == []
    assert document["publish"]["differences"][0]["only"] == "first"


def test_the_command_says_what_is_missing(ann: User) -> None:
    for arguments, words in ((("ann",), "Give two"), (("ann", "nobody"), "No user and no role")):
        with pytest.raises(CommandError, match=words):
            said(*arguments)
    make.user(make.account(None, "Else"), "ann")
    with pytest.raises(CommandError, match="Several are called so"):
        said("ann", "ann")
    with pytest.raises(CommandError, match="Give USER_KEY"):
        call_command("explain", "ann", "fly", "a")
