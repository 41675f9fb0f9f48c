"""Where the previous issuer's seed is not here, the forms of accounts and users ask who signs."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from identities.claims import codec
from identities.claims.scopes import SigningKey
from identities.models import Account, IssuedToken, Unsigned, User
from identities.nkeys import KeyKind, KeyPair
from identities.services import adopting, adopting_users
from identities.views.editing import ELSEWHERE
from tests import make
from tests.elsewhere import Elsewhere, seeds_of
from tests.pages import Visitor

pytestmark = pytest.mark.django_db

WHO: Any = {"principal": make.COMMAND}
EDITORS = ("account-edit", "account-limits")


@pytest.fixture
def visitor(db: None) -> Visitor:
    return Visitor(make.client())


def imported(*, here: int) -> tuple[Account, list[str]]:
    """An account signed by a key that is not here; `here` of the operator's other signing keys are."""
    there = Elsewhere()
    make.installation()
    keys = [KeyPair.create(KeyKind.OPERATOR) for _ in range(here + 1)]
    text = there.operator_jwt(signing_keys=tuple(key.public.text for key in keys))
    operator = adopting.adopt_operator(**WHO, text=text, seeds=seeds_of(*keys[1:])).row
    account = adopting.adopt_account(**WHO, operator=operator, text=there.account_jwt(by=keys[0])).row
    return account, [key.public.text for key in keys]


def url(name: str, account: Account) -> str:
    return reverse(name, args=[account.operator.public_key, account.public_key])


@pytest.mark.parametrize("name", EDITORS)
def test_nothing_is_asked_while_the_issuer_is_here(visitor: Visitor, name: str) -> None:
    page = visitor.open(url(name, make.account()))
    assert "Signed by" not in page.text
    assert "signed_by" not in page.form("version").names


def test_an_only_key_is_shown_preselected_and_signs_what_is_sent(visitor: Visitor) -> None:
    account, keys = imported(here=1)
    page = visitor.open(url("account-edit", account))
    assert "whose seed is not here" in page.text
    assert page.form("signed_by").values["signed_by"] == [keys[1]]
    shown = visitor.send(page, description="new", preview="1")
    assert f"iss {keys[0]} {keys[1]}" in shown.text
    assert visitor.send(shown, action="/edit").status == 200
    account.refresh_from_db()
    assert (account.description, account.issuer) == ("new", keys[1])
    assert codec.from_payload(account.claims).iss == keys[1]
    assert "Signed by" not in visitor.open(url("account-edit", account)).text


def test_it_has_to_be_sent(visitor: Visitor) -> None:
    account, _ = imported(here=1)
    page = visitor.open(url("account-edit", account))
    sent = {**page.form("signed_by").values, "description": "new"}
    del sent["signed_by"]
    answer = visitor.client.post(page.url, sent)
    assert answer.status_code == 422
    assert "Choose the key that signs it." in answer.content.decode()
    assert IssuedToken.objects.filter(subject=account.public_key).count() == 1


@pytest.mark.parametrize("name", EDITORS)
def test_of_several_one_is_chosen(visitor: Visitor, name: str) -> None:
    account, keys = imported(here=2)
    page = visitor.open(url(name, account))
    assert page.form("signed_by").values["signed_by"] == [""]
    field = {"account-edit": "description", "account-limits": "conn"}[name]
    refused = visitor.send(page, **{field: "7"})
    assert refused.status == 422
    assert "Choose the key that signs it." in refused.text
    saved = visitor.send(refused, signed_by=keys[2])
    assert saved.status == 200
    assert Account.objects.get(pk=account.pk).issuer == keys[2]


def test_a_key_that_was_not_offered_is_refused(visitor: Visitor) -> None:
    account, _ = imported(here=1)
    page = visitor.open(url("account-edit", account))
    refused = visitor.send(page, description="x", signed_by="O" + "A" * 55)
    assert refused.status == 422
    assert Account.objects.get(pk=account.pk).version == account.version


def test_sent_back_untouched_nothing_is_signed(visitor: Visitor) -> None:
    account, _ = imported(here=1)
    page = visitor.send(visitor.open(url("account-edit", account)), action="/edit")
    assert "Nothing was changed, so nothing was signed." in page.text
    assert Account.objects.get(pk=account.pk).version == account.version


def test_when_nobody_can_sign_the_edit_waits_until_it_was_signed_elsewhere(visitor: Visitor) -> None:
    account, _ = imported(here=0)
    page = visitor.open(url("account-edit", account))
    assert ELSEWHERE in page.text
    kept = visitor.send(page, description="new")
    assert kept.status == 200
    assert kept.url.endswith("/unsigned"), kept.url
    assert Account.objects.get(pk=account.pk).version == account.version
    assert Unsigned.objects.get(account=account).changes == "nats.description"


def test_a_user_is_asked_about_in_the_same_way(visitor: Visitor) -> None:
    there, gone = Elsewhere(), KeyPair.create(KeyKind.ACCOUNT)
    keys = (SigningKey(key=gone.public.text),)
    _, account = there.adopted(seeds=seeds_of(there.operator, there.account), signing_keys=keys)
    text = there.user_jwt(by=gone, issuer_account=account.public_key)
    user = adopting_users.adopt_users(**WHO, account=account, texts=[text])[0].row
    address = reverse("user-edit", args=[account.operator.public_key, account.public_key, user.public_key])
    page = visitor.open(address)
    assert page.form("signed_by").values["signed_by"] == [account.public_key]
    assert visitor.send(page, tags="env:prod").status == 200
    saved = User.objects.get(pk=user.pk)
    assert saved.issuer == account.public_key
    assert "Signed by" not in visitor.open(address).text


def test_the_fields_stand_once_in_the_page(client: Client) -> None:
    account, _ = imported(here=1)
    client.force_login(make.person())
    for name in EDITORS:
        content = client.get(url(name, account)).content.decode()
        assert content.count('name="signed_by"') == 1
        assert "<legend>Who signs</legend>" in content
