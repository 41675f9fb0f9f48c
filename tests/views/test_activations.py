"""The pages of activations: issued, listed, downloaded, revoked."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from identities.claims import codec
from identities.claims.sharing import export_handles
from identities.formats.decorated import decorated_jwt
from identities.models import Account, IssuedToken
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import changes, clock
from tests import make
from tests.pages import Page, Visitor

pytestmark = pytest.mark.django_db
STRANGER = KeyPair.create(KeyKind.ACCOUNT).public.text


@pytest.fixture
def admin() -> Client:
    return make.client()


@pytest.fixture
def orders(db: None) -> Account:
    account = make.account(make.operator("Test"), "Orders")
    make.export(account, "orders.>", token_req=True)
    return account


@pytest.fixture
def billing(orders: Account) -> Account:
    return make.account(orders.operator, "Billing")


def url(name: str, account: Account, *more: object) -> str:
    return reverse(name, args=[account.operator.public_key, account.public_key, *more])


def handle(account: Account) -> str:
    account.refresh_from_db()
    return export_handles(changes.claims_of(account).nats.exports)[0]


def issue(visitor: Visitor, account: Account, **typed: str) -> Page:
    form = visitor.open(visitor.open(url("export", account, handle(account))).link("New activation"))
    return visitor.send(form, **typed)


def test_an_activation_is_issued_for_an_account_by_name_and_downloaded_as_nsc_writes_it(
    admin: Client, orders: Account, billing: Account, tmp_path: Path
) -> None:
    visitor = Visitor(admin)
    page = issue(visitor, orders, target="billing", subject="orders.new", expires="20d")
    assert "Issued an activation of orders.new" in page.text
    assert "Expires in" in page.text
    token = IssuedToken.objects.activations().get()
    assert token.subject == billing.public_key
    path = visitor.download(page, f"{token.pk}/jwt", tmp_path)
    assert path.read_text() == decorated_jwt(token.text, "activation")
    assert path.name == f"Orders-orders.new-{billing.public_key[-4:]}.jwt"


def test_one_is_issued_for_a_key_that_is_not_known_here(admin: Client, orders: Account) -> None:
    page = issue(Visitor(admin), orders, target=STRANGER)
    assert "not known" in page.text
    claims = codec.decode(IssuedToken.objects.activations().get().text).claims
    assert (claims.sub, claims.nats.subject, claims.exp) == (STRANGER, "orders.>", 0)


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"target": ""}, "target", "required"),
        ({"target": "Nobody"}, "target", "no account “Nobody”"),
        ({"target": "Orders"}, "target", "what it exports itself"),
        ({"target": STRANGER, "subject": "stock.>"}, "subject", "not within the export"),
        ({"target": STRANGER, "subject": "orders..x"}, "subject", "consecutive"),
        ({"target": STRANGER, "expires": "2020-01-01"}, "expires", "in the past"),
        ({"target": STRANGER, "expires": "1d", "not_before": "2d"}, "expires", "before the start"),
    ],
)
def test_a_bad_value_is_refused_beside_its_field(
    admin: Client, orders: Account, typed: dict[str, str], field: str, said: str
) -> None:
    sent = {"subject": "orders.>", **typed}
    answer = admin.post(url("activation-create", orders, handle(orders)), sent)
    assert answer.status_code == 422
    assert said in str(answer.context["form"].errors[field])
    assert not IssuedToken.objects.activations().exists()


def test_a_public_export_has_none_to_issue(admin: Client, billing: Account) -> None:
    make.export(billing, "public")
    page = Visitor(admin).open(url("export", billing, handle(billing)))
    assert "New activation" not in page.text
    answer = admin.post(
        url("activation-create", billing, handle(billing)), {"target": STRANGER, "subject": "public"}
    )
    assert answer.status_code == 422
    assert "is public" in answer.content.decode()


def test_the_list_says_which_are_in_use_and_which_do_not_count_any_more(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.imported(billing, "orders.new", of=orders)
    visitor = Visitor(admin)
    issue(visitor, orders, target="Billing", subject="orders.old")
    page = visitor.open(url("activations", orders))
    assert "in use" in page.text
    assert "not in use" in page.text
    form = visitor.open(page.link(f"{IssuedToken.objects.activations().earliest('pk').pk}/revoke"))
    assert "“Billing” can no longer import orders.new" in form.text
    done = visitor.send(form, action="/revoke")
    assert "Revoked the activations of orders.new" in done.text
    assert "Now tell the servers" in done.text
    page = visitor.open(url("activations", orders))
    assert page.text.count("Revoked") == 2
    assert "Revoke activation" not in page.text
    again = visitor.open(
        page.link("Issue again: activation " + str(IssuedToken.objects.activations().latest("pk").pk))
    )
    assert again.form("target").values["target"] == [billing.public_key]
    assert again.form("target").values["subject"] == ["orders.old"]
    assert "Issued an activation" in visitor.send(again, action="/activations/new").text


def test_one_whose_export_is_gone_says_so(admin: Client, orders: Account) -> None:
    visitor = Visitor(admin)
    issue(visitor, orders, target=STRANGER)
    visitor.send(visitor.open(url("export-delete", orders, handle(orders))), confirm="orders.>")
    assert "Not exported any more" in visitor.open(url("activations", orders)).text
    number = IssuedToken.objects.activations().get().pk
    page = visitor.open(url("activation-revoke", orders, number))
    assert "exports orders.> no longer" in page.text


def test_the_list_takes_as_many_queries_for_twice_the_rows(
    admin: Client, orders: Account, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    counts = []
    for number in range(2):
        for _ in range(number + 1):
            issue(Visitor(admin), orders, target=KeyPair.create(KeyKind.ACCOUNT).public.text)
        for address in (url("activations", orders), url("export", orders, handle(orders))):
            with django_assert_max_num_queries(13) as asked:
                admin.get(address)
            counts.append(len(asked))
    assert counts[:2] == counts[2:]


def test_tokens_of_another_account_are_not_found_and_an_invisible_target_is_not_named(
    orders: Account, billing: Account
) -> None:
    make.imported(billing, "orders.new", of=orders)
    number = IssuedToken.objects.activations().get().pk
    narrow = make.client(account=orders)
    page = Visitor(narrow).open(url("activations", orders))
    assert page.status == 200
    assert "Billing" not in page.text
    assert "not known" in page.text
    other = make.client(account=billing)
    assert other.get(url("activation-jwt", orders, number)).status_code == 404
    assert other.get(url("activation-jwt", billing, number)).status_code == 404


def test_a_viewer_may_look_and_download_but_not_issue_or_revoke(orders: Account) -> None:
    issue(Visitor(make.client()), orders, target=STRANGER)
    number = IssuedToken.objects.activations().get().pk
    viewer = make.client(Role.VIEWER)
    page = Visitor(viewer).open(url("activations", orders))
    assert "Issue again" not in page.text
    assert viewer.get(url("activation-jwt", orders, number)).status_code == 200
    assert viewer.get(url("activation-revoke", orders, number)).status_code == 403
    assert viewer.get(url("activation-create", orders, handle(orders))).status_code == 403


def test_the_history_of_the_account_that_it_is_for_holds_its_own_jwts_alone(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.imported(billing, "orders.new", of=orders)
    page = Visitor(admin).open(url("account-history", billing))
    assert "Issued activation" not in page.text
    assert IssuedToken.objects.activations().get().exp == 0 <= clock.unix()
