"""The pages of an account's revocations."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from identities.claims import codec
from identities.claims.handles import handle
from identities.models import Account, IssuedToken
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import accounts, changes, clock, users
from tests import make
from tests.pages import Page, Visitor

pytestmark = pytest.mark.django_db
STRANGER = KeyPair.create(KeyKind.USER).public.text


@pytest.fixture
def shop(db: None) -> Account:
    return make.account(make.operator("Test"), "Shop")


@pytest.fixture
def visitor(db: None) -> Visitor:
    return Visitor(make.client())


def url(name: str, account: Account, *more: str) -> str:
    return reverse(name, args=[account.operator.public_key, account.public_key, *more])


def again(account: Account) -> Account:
    return Account.objects.get(pk=account.pk)


def held(account: Account) -> dict[str, int]:
    return dict(changes.claims_of(again(account)).nats.revocations)


def revoke(account: Account, **entries: int) -> None:
    accounts.revoke(principal=make.COMMAND, account=account, entries=entries)


def stuffed(account: Account, number: int) -> None:
    """Give the account so many revocations of nobody in particular."""
    claims = changes.claims_of(again(account))
    keys = {KeyPair.create(KeyKind.USER).public.text: 1_700_000_000 + at for at in range(number)}
    text = codec.payload_text(replace(claims, nats=replace(claims.nats, revocations=keys)))
    Account.objects.filter(pk=account.pk).update(claims=text)


def accepted(visitor: Visitor, page: Page) -> Page:
    """Send the form again, with what it says ticked."""
    code = page.response.context["form"].preview.code
    return visitor.send(page, accept=code)


def test_a_user_is_revoked_by_name_once_it_was_said_what_that_does(visitor: Visitor, shop: Account) -> None:
    user = make.user(shop, "alice")
    page = visitor.open(visitor.open(visitor.open(url("account", shop)).link("Revocations")).link("Revoke"))
    page = visitor.send(page, user="alice")
    assert page.status == 422
    assert "“alice” is dropped" in page.text
    assert held(shop) == {}
    page = accepted(visitor, page)
    assert "Revoked." in page.text, page.text
    assert "Now tell the servers" in page.text
    assert held(shop)[user.public_key] >= user.last_iat
    assert "alice" in page.text
    assert "its last JWT too" in page.text


def test_all_users_a_stranger_and_a_time_are_revoked(visitor: Visitor, shop: Account) -> None:
    form = visitor.open(url("revocation-create", shop))
    accepted(visitor, visitor.send(form, who="all", at="2020-01-01"))
    assert held(shop) == {"*": 1_577_836_800}
    form = visitor.open(url("revocation-create", shop))
    page = accepted(visitor, visitor.send(form, user=STRANGER, at="2019-01-01"))
    assert held(shop)[STRANGER] == 1_546_300_800
    assert "unknown key no user here" in page.text
    assert "covered by *" in page.text


@pytest.mark.parametrize(
    ("field", "values", "said"),
    [
        ("user", {"user": ""}, "or revoke all users"),
        ("user", {"user": "nobody"}, "has and had no user"),
        ("at", {"user": STRANGER, "at": "soon"}, "no date or span"),
        ("user", {"user": KeyPair.create(KeyKind.USER).seed().reveal().decode()}, "That is a seed"),
    ],
)
def test_nobody_and_no_time_are_refused(
    visitor: Visitor, shop: Account, field: str, values: dict[str, str], said: str
) -> None:
    page = visitor.send(visitor.open(url("revocation-create", shop)), **values)
    assert page.status == 422
    assert said in str(page.response.context["form"].errors[field])
    assert held(shop) == {}


def test_revoking_what_is_revoked_already_signs_nothing(visitor: Visitor, shop: Account) -> None:
    revoke(shop, **{STRANGER: 2_000})
    signed = IssuedToken.objects.count()
    page = visitor.send(visitor.open(url("revocation-create", shop)), user=STRANGER, at="@1000")
    assert "Nothing was changed" in page.text
    assert IssuedToken.objects.count() == signed


def test_an_entry_is_cleared_once_it_was_said_what_works_again(visitor: Visitor, shop: Account) -> None:
    user = make.user(shop, "alice")
    revoke(shop, **{user.public_key: user.last_iat, "*": 5})
    page = visitor.open(url("revocation-clear", shop, handle(user.public_key)))
    assert "These JWTs work again" in page.text
    page = visitor.send(page, action="/clear")
    assert "Cleared." in page.text
    assert held(shop) == {"*": 5}


def test_the_entry_for_all_users_is_cleared_and_deleted_ones_stay_out(
    visitor: Visitor, shop: Account
) -> None:
    gone = make.user(shop, "gone")
    users.delete(principal=make.COMMAND, user=gone, version=gone.version, revoke=False)
    at = clock.unix() + 1
    revoke(again(shop), **{"*": at})
    page = visitor.open(url("revocation-clear", shop, handle("*")))
    assert "1 deleted user that no other entry refuses" in page.text
    visitor.send(page, action="/clear")
    assert held(shop) == {gone.public_key: at}
    revoke(again(shop), **{"*": at + 1})
    visitor.send(visitor.open(url("revocation-clear", shop, handle("*"))), keep_deleted=False)
    assert held(shop) == {gone.public_key: at}


def test_compacting_is_shown_before_it_is_done(visitor: Visitor, shop: Account) -> None:
    revoke(shop, **{STRANGER: 5, "*": 6})
    page = visitor.open(visitor.open(url("revocations", shop)).link("Compact"))
    assert "1 entry covered by the entry for all users (*), which stays" in page.text
    assert "1 entry is the one for all users (*)" in page.text
    assert f"nats.revocations[{STRANGER}]" in page.text
    page = visitor.send(page, action="/compact")
    assert "Compacted: 1 entry dropped." in page.text
    assert held(shop) == {"*": 6}
    assert "nothing would be dropped" in visitor.open(url("revocations-compact", shop)).text


def test_a_stale_page_compacts_nothing(visitor: Visitor, shop: Account) -> None:
    revoke(shop, **{STRANGER: 5, "*": 6})
    page = visitor.open(url("revocations-compact", shop))
    revoke(shop, **{"*": 7})
    assert visitor.send(page, action="/compact").status == 409
    assert STRANGER in held(shop)


def test_the_page_shows_the_size_against_what_servers_take(visitor: Visitor, shop: Account) -> None:
    page = visitor.open(url("revocations", shop))
    size = len(str(shop.token.text if shop.token else ""))
    assert f"{size:,} of 1,048,576 bytes" in page.text
    stuffed(shop, 9_500)
    page = visitor.open(url("revocations", shop))
    assert "state warn" in page.html
    assert "9,500 revocations" in page.text


def test_thousands_are_shown_page_by_page_and_found_by_key_and_name(visitor: Visitor, shop: Account) -> None:
    stuffed(shop, 120)
    user = make.user(shop, "alice-1")
    revoke(again(shop), **{user.public_key: 5})
    page = visitor.open(url("revocations", shop))
    assert "121 revocations" in page.text
    assert "alice" not in page.text
    page = visitor.open(visitor.open(page.link("Next")).link("Next"))
    assert "alice" in page.text
    assert "First" in page.text
    assert "1 revocation" in visitor.open(url("revocations", shop), {"q": "ALICE-1"}).text
    assert "1 revocation" in visitor.open(url("revocations", shop), {"q": user.public_key[5:30].lower()}).text
    assert "Nothing matches" in visitor.open(url("revocations", shop), {"q": "nobody"}).text
    assert visitor.open(url("revocations", shop), {"page": "99"}).status == 200


def test_a_long_change_is_cut_with_its_count(visitor: Visitor, shop: Account) -> None:
    stuffed(shop, 300)
    revoke(again(shop), **{"*": 1_800_000_000})
    page = visitor.open(url("revocations-compact", shop))
    assert "300 entries covered" in page.text
    assert "And 100 more." in page.text


def test_twice_the_entries_take_as_many_queries(
    shop: Account, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client: Client = make.client()
    stuffed(shop, 5)
    with django_assert_max_num_queries(10) as few:
        client.get(url("revocations", shop))
    stuffed(shop, 40)
    with django_assert_max_num_queries(10) as many:
        client.get(url("revocations", shop))
    assert len(many) == len(few)


def test_a_viewer_sees_who_is_revoked_and_changes_nothing(shop: Account) -> None:
    revoke(shop, **{"*": 5})
    viewer = Visitor(make.client(Role.VIEWER))
    page = viewer.open(url("revocations", shop))
    assert "All users" in page.text
    assert not [
        text
        for text, _ in page.links
        if text.startswith(("Revoke", "Clear", "Compact")) and text != "Revocations"
    ]
    assert viewer.open(url("revocation-create", shop)).status == 403
    assert viewer.open(url("revocation-clear", shop, handle("*"))).status == 403
    assert viewer.open(url("revocations-compact", shop)).status == 403


def test_an_entry_that_is_gone_is_not_found(visitor: Visitor, shop: Account) -> None:
    assert visitor.open(url("revocation-clear", shop, handle("*"))).status == 404


def test_an_odd_entry_of_another_tool_is_cleared(visitor: Visitor, shop: Account) -> None:
    text = shop.claims.replace(
        '"default_permissions"', '"revocations":{"not a key":-5},"default_permissions"'
    )
    Account.objects.filter(pk=shop.pk).update(claims=text)
    assert "not a key" in visitor.open(url("revocations", shop)).text
    page = visitor.send(visitor.open(url("revocation-clear", shop, handle("not a key"))), action="/clear")
    assert "Cleared." in page.text
    assert held(shop) == {}
