"""Pages show an account's admins what the operator grants, don't let them change it, and say who can."""

from __future__ import annotations

import pytest
from django.urls import reverse

from identities.models import Account
from identities.policy.principal import Role
from identities.services import changes, clock
from tests import make
from tests.pages import Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def orders() -> Account:
    make.installation()
    account = make.account(make.operator("Main"), "Orders", expires=clock.unix() + 90_000)
    make.grant(make.person(None, username="adam"), Role.ADMINISTRATOR, operator=account.operator)
    return account


def at(name: str, account: Account) -> str:
    return reverse(name, args=[account.operator.public_key, account.public_key])


def test_the_form_shows_the_times_and_changes_the_texts(orders: Account) -> None:
    visitor = Visitor(make.client(account=orders))
    page = visitor.open(at("account-edit", orders))
    fields = page.response.context["form"].fields
    assert fields["expires"].disabled
    assert "The operator grants it: adam can change it." in page.text
    answer = visitor.client.post(
        at("account-edit", orders),
        {"name": "Orders", "description": "mine", "expires": "", "not_before": "", "version": orders.version},
    )
    assert answer.status_code == 302
    claims = changes.claims_of(Account.objects.get(pk=orders.pk))
    assert claims.nats.description == "mine"
    assert claims.exp == orders.expires


def test_an_operator_admin_changes_the_times_there(orders: Account) -> None:
    page = Visitor(make.client(operator=orders.operator)).open(at("account-edit", orders))
    assert not page.response.context["form"].fields["expires"].disabled
    assert "The operator grants it" not in page.text


def test_limits_and_cluster_traffic_are_refused_with_who_can(orders: Account) -> None:
    visitor = Visitor(make.client(account=orders))
    for name in ("account-limits", "account-cluster-traffic"):
        for answer in (visitor.client.get(at(name, orders)), visitor.client.post(at(name, orders))):
            assert answer.status_code == 403
            assert "Who can give it: adam." in answer.content.decode()


def test_the_page_says_why_and_leads_to_who(orders: Account) -> None:
    visitor = Visitor(make.client(account=orders))
    page = visitor.open(at("account", orders))
    assert at("account-limits", orders) not in page.html
    assert at("account-cluster-traffic", orders) not in page.html
    assert "adam (Operator admin)" in visitor.open(page.link("Why can't I change them?")).text
    configuration = reverse("operator-config", args=[orders.operator.public_key])
    menu = page.html.partition('class="menu-panel"')[2].partition("</details>")[0]
    assert configuration not in menu
    above = Visitor(make.client(operator=orders.operator)).open(at("account", orders))
    assert at("account-limits", orders) in above.html
    assert "Why can't I change them?" not in above.text
