"""The pages of an operator's signing keys, of its system account, and of its asserted server version."""

from __future__ import annotations

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from identities.claims.handles import handle
from identities.models import Account, IssuedToken, Key, Operator, Purpose
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import changes, operator_keys
from tests import make
from tests.pages import Page, Visitor

pytestmark = pytest.mark.django_db
FOREIGN = KeyPair.create(KeyKind.OPERATOR).public.text


@pytest.fixture
def acme(db: None) -> Operator:
    return make.operator("Acme")


@pytest.fixture
def visitor(db: None) -> Visitor:
    return Visitor(make.client())


def url(name: str, operator: Operator, *more: str) -> str:
    return reverse(name, args=[operator.public_key, *more])


def again(operator: Operator) -> Operator:
    return Operator.objects.get(pk=operator.pk)


def keys(operator: Operator) -> tuple[str, ...]:
    found: tuple[str, ...] = changes.claims_of(again(operator)).nats.signing_keys
    return found


def accepted(visitor: Visitor, page: Page) -> Page:
    assert page.status == 422, page.text
    return visitor.send(page, accept=page.response.context["form"].preview.code)


def test_the_page_shows_every_key_and_what_it_signed(visitor: Visitor, acme: Operator) -> None:
    first = keys(acme)[0]
    Account.objects.filter(name="SYS").update(issuer=FOREIGN)
    make.account(acme, "Shop")
    page = visitor.open(visitor.open(url("operator", acme)).link("Signing keys"))
    assert "identity key signs the operator's own JWT Here, sealed 0" in page.text
    assert "signing key Here, sealed 1" in page.text
    assert "no key of this operator servers refuse what it signed Not here 1" in page.text
    assert url("operator-key-remove", acme, handle(first)) in page.html
    assert page.link("Sign accounts anew") == url("operator-sign-anew", acme)


def test_a_key_is_made_and_removed_again(visitor: Visitor, acme: Operator) -> None:
    first = keys(acme)[0]
    page = visitor.open(visitor.open(url("operator-keys", acme)).link("Add signing key"))
    shown = visitor.send(page, preview="1")
    assert operator_keys.MADE_LATER in shown.text
    assert Key.objects.filter(purpose=Purpose.SIGNING, account=None).count() == 1
    done = visitor.send(shown, action="/new")
    assert "Added a signing key." in done.text
    assert "restart" in done.text
    made = keys(acme)[1]
    page = visitor.send(visitor.open(url("operator-key-remove", acme, handle(made))), action="/remove")
    assert "Removed the signing key" in page.text
    assert keys(acme) == (first,)


def test_a_key_is_brought_once_it_was_said_who_can_use_it(visitor: Visitor, acme: Operator) -> None:
    page = visitor.send(visitor.open(url("operator-key-create", acme)), public_key=FOREIGN)
    assert "Whoever holds its seed" in page.text
    accepted(visitor, page)
    assert keys(acme)[1] == FOREIGN


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (KeyPair.create(KeyKind.ACCOUNT).public.text, "key of kind account, not operator"),
        ("ABC", "is not a public key"),
        (KeyPair.create(KeyKind.OPERATOR).seed().reveal().decode(), "That is a seed"),
    ],
)
def test_what_is_no_key_of_an_operator_is_refused(
    visitor: Visitor, acme: Operator, value: str, said: str
) -> None:
    page = visitor.send(visitor.open(url("operator-key-create", acme)), public_key=value)
    assert page.status == 422
    assert said in page.response.context["form"].errors.as_data()["public_key"][0].message


def test_removing_a_key_names_its_accounts_and_re_signs_them(visitor: Visitor, acme: Operator) -> None:
    first = keys(acme)[0]
    operator_keys.add(principal=make.COMMAND, operator=acme, version=acme.version)
    second = keys(acme)[1]
    page = visitor.open(url("operator-key-remove", acme, handle(first)))
    assert "It signed 1 account (“SYS”)" in page.text
    assert page.form("resign_by").values["resign_by"] == [second]
    page = visitor.send(page, action="/remove")
    assert "Removed the signing key" in page.text
    assert keys(acme) == (second,)
    assert Account.objects.get(name="SYS").issuer == second


def test_a_stale_page_changes_no_keys(visitor: Visitor, acme: Operator) -> None:
    pages = [
        visitor.open(url("operator-key-create", acme)),
        visitor.open(url("operator-key-remove", acme, handle(keys(acme)[0]))),
    ]
    operator_keys.add(principal=make.COMMAND, operator=acme, version=acme.version)
    before = keys(acme)
    for page, action in zip(pages, ("/new", "/remove"), strict=True):
        assert visitor.send(page, action=action).status == 409
    assert keys(acme) == before


def test_a_viewer_sees_keys_and_changes_none(acme: Operator) -> None:
    viewer = Visitor(make.client(Role.VIEWER))
    page = viewer.open(url("operator-keys", acme))
    assert "identity key" in page.text
    assert "/signing-keys/new" not in page.html
    assert "Sign accounts anew" not in page.text
    key = handle(keys(acme)[0])
    for address in (
        url("operator-key-create", acme),
        url("operator-key-remove", acme, key),
        url("operator-system-account-choose", acme),
    ):
        assert viewer.open(address).status == 403


def test_a_key_that_is_not_there_is_not_found(visitor: Visitor, acme: Operator) -> None:
    assert visitor.open(url("operator-key-remove", acme, handle(FOREIGN))).status == 404
    assert Visitor(make.client(account=make.account())).open(url("operator-keys", acme)).status == 404


def test_twice_the_accounts_take_as_many_queries(
    acme: Operator, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = make.client()
    make.account(acme)
    with django_assert_max_num_queries(8) as few:
        client.get(url("operator-keys", acme))
    for _ in range(4):
        make.account(acme)
    with django_assert_max_num_queries(8) as many:
        client.get(url("operator-keys", acme))
    assert len(many) == len(few)


def test_the_overview_says_what_is_set_and_what_is_not(visitor: Visitor, acme: Operator) -> None:
    page = visitor.open(url("operator", acme))
    assert "System account Edit System account SYS (" in page.text
    assert "Asserted server version Edit Asserted server version not set. Any nats-server" in page.text
    assert "1 signing key, not required" in page.text


def test_the_system_account_is_chosen_by_name_and_taken_away(visitor: Visitor, acme: Operator) -> None:
    shop = make.account(acme, "Shop")
    page = visitor.open(url("operator-system-account-choose", acme))
    assert page.form("account").values["account"] == ["SYS"]
    page = accepted(visitor, visitor.send(page, account="shop"))
    assert "Saved the system account" in page.text
    assert again(acme).system_account == shop.public_key
    page = visitor.send(visitor.open(url("operator-system-account-choose", acme)), account="")
    assert "don't start without a system account" in page.text
    page = accepted(visitor, page)
    assert again(acme).system_account == ""
    assert "System account Edit System account not set" in page.text


def test_an_untouched_system_account_signs_nothing(visitor: Visitor, acme: Operator) -> None:
    signed = IssuedToken.objects.count()
    page = visitor.send(visitor.open(url("operator-system-account-choose", acme)), action="/choose")
    assert "Nothing was changed" in page.text
    assert IssuedToken.objects.count() == signed


def test_a_system_account_that_is_not_there_is_refused(visitor: Visitor, acme: Operator) -> None:
    page = visitor.send(visitor.open(url("operator-system-account-choose", acme)), account="Nowhere")
    assert page.status == 422
    assert "has no account “Nowhere”" in page.response.context["form"].errors["account"][0]


def test_two_at_once_see_both_system_accounts(visitor: Visitor, acme: Operator) -> None:
    make.account(acme, "One")
    make.account(acme, "Two")
    mine = visitor.open(url("operator-system-account-choose", acme))
    accepted(visitor, visitor.send(visitor.open(url("operator-system-account-choose", acme)), account="One"))
    stale = visitor.send(mine, account="Two")
    assert stale.status == 409
    assert "System account One Two" in stale.text


def test_a_server_version_is_asserted_and_cleared(visitor: Visitor, acme: Operator) -> None:
    page = visitor.send(visitor.open(url("operator-edit", acme)), assert_server_version="2.10.0")
    assert "older than 2.10.0 does not start" in page.text
    accepted(visitor, page)
    assert changes.claims_of(again(acme)).nats.assert_server_version == "2.10.0"
    visitor.send(visitor.open(url("operator-edit", acme)), assert_server_version="")
    assert "assert_server_version" not in again(acme).claims


def test_a_version_of_another_form_is_refused_beside_its_field(visitor: Visitor, acme: Operator) -> None:
    page = visitor.send(visitor.open(url("operator-edit", acme)), assert_server_version="2.10")
    assert page.status == 422
    assert "of the form" in page.response.context["form"].errors["assert_server_version"][0]
