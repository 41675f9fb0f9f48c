"""The dialogs over an account's settings: default permissions, message tracing, cluster traffic, auth callout."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.urls import reverse

from identities.claims.account import AccountBody, ExternalAuthorization, MsgTrace
from identities.claims.permissions import Permission, Permissions, ResponsePermission
from identities.models import Account, IssuedToken, Key, Purpose
from identities.models import Permission as Row
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import changes, signing
from tests import make
from tests.pages import Page, Visitor

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
XKEY = KeyPair.create(KeyKind.CURVE).public.text
STRANGER = KeyPair.create(KeyKind.USER).public.text
ELSEWHERE = KeyPair.create(KeyKind.ACCOUNT).public.text
DIALOGS = (
    "account-default-permissions",
    "account-tracing",
    "account-cluster-traffic",
    "account-auth-callout",
)
ODD = (
    '"trace":{"sampling":0,"dest":"t","x":1},"cluster_traffic":"","default_permissions":'
    '{"pub":{"allow":["a"],"note":2},"sub":{"deny":[]},"resp":{"max":0,"ttl":0}},'
    f'"authorization":{{"auth_users":["{STRANGER}"],"allowed_accounts":["{ELSEWHERE}"],"y":3}}'
)
"""What another tool may have written: unknown fields, zeros, an empty list."""


@pytest.fixture
def shop(db: None) -> Account:
    return make.account(make.operator("Test"), "Shop")


@pytest.fixture
def visitor(db: None) -> Visitor:
    return Visitor(make.client())


def url(name: str, account: Account) -> str:
    return reverse(name, args=[account.operator.public_key, account.public_key])


def again(account: Account) -> Account:
    return Account.objects.get(pk=account.pk)


def body(account: Account) -> AccountBody:
    found: AccountBody = changes.claims_of(again(account)).nats
    return found


def odd(account: Account) -> None:
    """Give the account what another tool wrote."""
    text = account.claims.replace('"default_permissions":{"pub":{},"sub":{}},"authorization":{}', ODD)
    assert text != account.claims
    Account.objects.filter(pk=account.pk).update(claims=text)


def save(visitor: Visitor, page: Page, **values: Any) -> Page:
    """Fill in, accept what has to be accepted, and save."""
    answer = visitor.send(page, action=urlsplit(page.url).path, **values)
    preview = answer.response.context["form"].preview if answer.status == 422 else None
    if preview is not None and preview.to_accept:
        answer = visitor.send(answer, accept=preview.code)
    assert "Saved: " in answer.text, answer.text
    return answer


def test_what_is_not_set_says_what_that_means(visitor: Visitor, shop: Account) -> None:
    page = visitor.open(url("account", shop))
    for words in (
        "Default permissions Edit Default permissions not set. Users without permissions of their own may publish",
        "Message tracing Edit Message tracing not set. Nothing is traced",
        "Cluster traffic Edit Cluster traffic not set.",
        "Auth callout Edit Auth callout not set. Clients log in with their own creds",
    ):
        assert words in page.text


@pytest.mark.parametrize("name", DIALOGS)
def test_an_untouched_dialog_signs_nothing(visitor: Visitor, shop: Account, name: str) -> None:
    signed = IssuedToken.objects.count()
    for prepare in (lambda account: None, odd):
        prepare(shop)
        before = again(shop).claims
        page = visitor.send(visitor.open(url(name, shop)), action=url(name, shop))
        assert "Nothing was changed" in page.text, page.text
        assert again(shop).claims == before
    assert IssuedToken.objects.count() == signed


@pytest.mark.parametrize("name", DIALOGS)
def test_a_viewer_sees_the_settings_and_no_dialog(shop: Account, name: str) -> None:
    odd(shop)
    viewer = Visitor(make.client(Role.VIEWER))
    page = viewer.open(url("account", shop))
    assert "Message tracing To t: 100 % of messages" in page.text
    assert url(name, shop) not in page.html
    assert viewer.open(url(name, shop)).status == 403


@pytest.mark.parametrize("name", DIALOGS)
def test_the_dialog_of_an_unseen_account_is_not_found(shop: Account, name: str) -> None:
    elsewhere = make.account()
    assert Visitor(make.client(operator=elsewhere.operator)).open(url(name, shop)).status == 404
    theirs = Visitor(make.client(account=elsewhere)).open(url(name, shop))
    assert theirs.status == (
        403 if name == "account-cluster-traffic" else 404
    )  # which no account admin edits
    assert shop.name not in theirs.text


@pytest.mark.parametrize("name", DIALOGS)
def test_htmx_gets_the_dialog_alone(shop: Account, name: str) -> None:
    answer = make.client().get(url(name, shop), headers=HTMX)
    assert answer.content.decode().lstrip().startswith("<section")


def test_default_permissions_are_set_changed_and_cleared(visitor: Visitor, shop: Account) -> None:
    make.user(shop, "plain")
    page = visitor.open(url("account-default-permissions", shop))
    page = visitor.send(page, pub_allow="orders.>", sub_deny="secret", can_answer=True, resp_ttl="5s")
    assert page.status == 422
    assert "It applies at once, without a new login, to the one user of this account" in page.text
    page = save(visitor, page)
    assert body(shop).default_permissions == Permissions(
        pub=Permission(allow=("orders.>",)),
        sub=Permission(deny=("secret",)),
        resp=ResponsePermission(max=1, ttl=5 * 10**9),
    )
    assert again(shop).default_pub == "rules"
    assert Row.objects.filter(account=shop, user=None, key=None).count() == 2
    assert "May publish to: orders.>" in page.text
    assert "May answer requests: 1 answer, within 5s" in page.text
    page = visitor.open(url("account-default-permissions", shop))
    save(visitor, page, pub_allow="", sub_deny="", can_answer=False)
    assert body(shop).default_permissions == Permissions()


def test_default_permissions_that_concern_nobody_are_saved_at_once(visitor: Visitor, shop: Account) -> None:
    page = visitor.send(visitor.open(url("account-default-permissions", shop)), can_request=True)
    assert "Saved: default permissions" in page.text
    assert body(shop).default_permissions.sub.allow == ("_INBOX.>",)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("pub_allow", "a b", "not allowed to contain queue"),
        ("pub_deny", "a..b", "consecutive"),
        ("sub_allow", "a b c", "too many spaces"),
        ("sub_deny", "a.>.b", "nats-server takes no subject"),
        ("resp_ttl", "soon", "no duration"),
        ("resp_max", "many", "no number"),
    ],
)
def test_default_permissions_are_judged_like_a_users(
    visitor: Visitor, shop: Account, field: str, value: str, said: str
) -> None:
    page = visitor.open(url("account-default-permissions", shop))
    page = visitor.send(page, can_answer=True, **{field: value})
    assert page.status == 422
    assert said in str(page.response.context["form"].errors[field])


def test_tracing_is_set_changed_and_cleared(visitor: Visitor, shop: Account) -> None:
    page = save(visitor, visitor.open(url("account-tracing", shop)), dest="traces", sampling="25")
    assert body(shop).trace == MsgTrace(dest="traces", sampling=25)
    assert "To traces: 25 % of messages" in page.text
    save(visitor, visitor.open(url("account-tracing", shop)), sampling="")
    assert body(shop).trace == MsgTrace(dest="traces")
    save(visitor, visitor.open(url("account-tracing", shop)), dest="")
    assert body(shop).trace is None
    assert '"trace"' not in again(shop).claims


@pytest.mark.parametrize(
    ("field", "values", "said"),
    [
        ("dest", {"dest": "a.*"}, "not a valid publish subject"),
        ("dest", {"dest": "a..b"}, "consecutive"),
        ("dest", {"sampling": "5"}, "Give the subject"),
        ("sampling", {"dest": "a", "sampling": "101"}, "should be in the range"),
        ("sampling", {"dest": "a", "sampling": "-1"}, "should be in the range"),
        ("sampling", {"dest": "a", "sampling": "0"}, "0 counts as 100"),
        ("sampling", {"dest": "a", "sampling": "some"}, "whole number"),
    ],
)
def test_tracing_to_nowhere_or_too_much_is_refused(
    visitor: Visitor, shop: Account, field: str, values: dict[str, str], said: str
) -> None:
    page = visitor.send(visitor.open(url("account-tracing", shop)), **values)
    assert page.status == 422
    assert said in str(page.response.context["form"].errors[field])


def test_cluster_traffic_is_set_and_cleared(visitor: Visitor, shop: Account) -> None:
    page = save(visitor, visitor.open(url("account-cluster-traffic", shop)), traffic="owner")
    assert body(shop).cluster_traffic == "owner"
    assert "Replication travels in: owner" in page.text
    save(visitor, visitor.open(url("account-cluster-traffic", shop)), traffic="")
    assert body(shop).cluster_traffic == ""
    page = visitor.send(visitor.open(url("account-cluster-traffic", shop)), traffic="both")
    assert page.status == 422


def test_a_word_of_another_tool_is_shown_and_can_be_replaced(visitor: Visitor, shop: Account) -> None:
    text = shop.claims.replace('"type":"account"', '"cluster_traffic":"both","type":"account"')
    Account.objects.filter(pk=shop.pk).update(claims=text)
    page = visitor.open(url("account-cluster-traffic", shop))
    assert "both: no word that servers know" in page.text
    assert page.form("traffic").values["traffic"] == ["both"]
    save(visitor, page, traffic="")
    assert body(shop).cluster_traffic == ""


def test_auth_callout_is_set_by_ticking_and_typing_and_cleared(visitor: Visitor, shop: Account) -> None:
    svc, other = make.user(shop, "svc"), make.user(shop, "other")
    target = make.account(shop.operator, "Target")
    page = visitor.open(url("account-auth-callout", shop))
    page = visitor.send(
        page,
        users=[svc.public_key],
        typed_users=f"other\n{STRANGER}",
        accounts=[target.public_key],
        typed_accounts=ELSEWHERE,
        xkey=XKEY,
    )
    assert page.status == 422
    assert (
        "the account's other users (0 now) are let in only as the service behind the auth users says"
        in page.text
    )
    assert f"No user of this account is known here with the key {STRANGER}" in page.text
    page = save(visitor, page)
    assert body(shop).authorization == ExternalAuthorization(
        auth_users=(svc.public_key, other.public_key, STRANGER),
        allowed_accounts=(target.public_key, ELSEWHERE),
        xkey=XKEY,
    )
    key = Key.objects.get(public_key=XKEY)
    assert (key.purpose, key.sealed, key.account_id) == (Purpose.CURVE, None, shop.pk)
    assert "Auth user: svc (" in page.text
    assert "Allowed account: Target (" in page.text
    page = visitor.open(url("account-auth-callout", shop))
    page = visitor.send(page, users=[], typed_users="", accounts=[], typed_accounts="", xkey="")
    assert "Clients log in with their own creds again" in page.text
    save(visitor, page)
    assert body(shop).authorization == ExternalAuthorization()
    assert Key.objects.get(public_key=XKEY).deleted_at is not None


def test_every_account_stands_for_all_others(visitor: Visitor, shop: Account) -> None:
    svc = make.user(shop, "svc")
    target = make.account(shop.operator, "Target")
    page = visitor.open(url("account-auth-callout", shop))
    save(visitor, page, users=[svc.public_key], any_account=True, accounts=[target.public_key])
    assert body(shop).authorization.allowed_accounts == ("*",)
    page = visitor.open(url("account-auth-callout", shop))
    page = visitor.send(page, any_account=False, typed_accounts="Target")
    assert "no longer allowed are refused" in page.text
    save(visitor, page)
    assert body(shop).authorization.allowed_accounts == (target.public_key,)


def test_a_curve_key_is_made_here_with_its_seed_sealed(visitor: Visitor, shop: Account) -> None:
    svc = make.user(shop, "svc")
    page = visitor.open(url("account-auth-callout", shop))
    page = visitor.send(page, users=[svc.public_key], new_xkey=True)
    assert "a new curve key, made when this is saved" in page.text
    assert not Key.objects.filter(purpose=Purpose.CURVE).exists()
    save(visitor, page)
    xkey = body(shop).authorization.xkey
    key = Key.objects.get(public_key=xkey)
    assert (key.purpose, key.kind, key.account_id) == (Purpose.CURVE, "curve", shop.pk)
    with signing.signer_for(key) as pair:
        assert pair.public.text == xkey
    page = visitor.send(visitor.open(url("account-auth-callout", shop)), xkey="")
    assert "no longer encrypted" in page.text
    save(visitor, page)
    page = visitor.send(visitor.open(url("account-auth-callout", shop)), xkey=xkey)
    assert "the service can read none without that key's seed" in page.text
    save(visitor, page)
    assert Key.objects.get(public_key=xkey).sealed is not None
    assert Key.objects.get(public_key=xkey).deleted_at is None


def test_an_auth_user_that_is_taken_out_is_named(visitor: Visitor, shop: Account) -> None:
    one, two = make.user(shop, "one"), make.user(shop, "two")
    keys = [one.public_key, two.public_key]
    save(visitor, visitor.open(url("account-auth-callout", shop)), users=keys)
    page = visitor.send(visitor.open(url("account-auth-callout", shop)), users=keys[:1])
    assert "At its next login “two” is asked about like every other user" in page.text


@pytest.mark.parametrize(
    ("field", "values", "said"),
    [
        ("typed_users", {"typed_users": "nobody"}, "There is no user “nobody” here"),
        ("typed_accounts", {"typed_accounts": "Nowhere"}, "There is no account “Nowhere” here"),
        ("typed_accounts", {"typed_accounts": ELSEWHERE}, "cannot have accounts without users"),
        ("xkey", {"typed_users": STRANGER, "xkey": ELSEWHERE}, "not a valid public xkey"),
        ("xkey", {"xkey": KeyPair.create(KeyKind.CURVE).seed().reveal().decode()}, "That is a seed"),
    ],
)
def test_callouts_that_can_not_be_are_refused_beside_their_field(
    visitor: Visitor, shop: Account, field: str, values: dict[str, str], said: str
) -> None:
    page = visitor.send(visitor.open(url("account-auth-callout", shop)), **values)
    assert page.status == 422
    assert said in page.response.context["form"].errors.as_data()[field][0].message
    assert body(shop).authorization == ExternalAuthorization()


def test_unknown_fields_of_another_tool_survive_each_edit(visitor: Visitor, shop: Account) -> None:
    odd(shop)
    save(visitor, visitor.open(url("account-tracing", shop)), sampling="7")
    save(visitor, visitor.open(url("account-default-permissions", shop)), pub_deny="z")
    save(visitor, visitor.open(url("account-auth-callout", shop)), any_account=True)
    claims = again(shop).claims
    for kept in ('"x":1', '"note":2', '"y":3', '"sub":{"deny":[]}', '"resp":{"max":0,"ttl":0}'):
        assert kept in claims, kept


def test_two_at_once_see_both_values(visitor: Visitor, shop: Account) -> None:
    mine = visitor.open(url("account-tracing", shop))
    save(visitor, visitor.open(url("account-tracing", shop)), dest="theirs")
    stale = visitor.send(mine, dest="mine")
    assert stale.status == 409
    assert "Destination theirs mine" in stale.text
