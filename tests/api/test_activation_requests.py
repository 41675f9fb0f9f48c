"""Requests for activations over the API: a machine asks, another grants, and asking tells nothing."""

from __future__ import annotations

from typing import Any

import pytest

from identities.models import Account, ActivationRequest
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import changes
from tests import make
from tests.api.calls import caller

pytestmark = pytest.mark.django_db
STRANGER = KeyPair.create(KeyKind.ACCOUNT).public.text


@pytest.fixture
def orders(db: None) -> Account:
    """Exports `orders.>` privately."""
    account = make.account(make.operator("Test"), "Orders")
    make.export(account, "orders.>", token_req=True)
    return account


@pytest.fixture
def billing(orders: Account) -> Account:
    return make.account(orders.operator, "Billing")


def below(account: Account, more: str) -> str:
    return f"operators/{account.operator.public_key}/accounts/{account.public_key}/{more}"


def test_a_machine_asks_and_another_one_grants(orders: Account, billing: Account) -> None:
    asker, granter = caller(account=billing), caller(account=orders)
    wanted = {"account": orders.public_key, "subject": "orders.new", "reason": "reports"}
    made = asker("POST", below(billing, "activation-requests"), wanted)
    assert made.status_code == 201
    number = made.data["number"]
    (listed,) = granter.get(below(orders, "requested-activations")).data["items"]
    assert (listed["importer"], listed["importer_name"], listed["reason"], listed["by"]) == (
        billing.public_key,
        "Billing",
        "reports",
        asker.machine.name,
    )
    path = below(orders, f"requested-activations/{number}/grant")
    done = granter("POST", path, {"answer": "until summer"})
    assert (done.status_code, done.data["state"], done.data["placed"]) == (200, "granted", True)
    (one,) = changes.claims_of(Account.objects.get(pk=billing.pk)).nats.imports
    read = asker.get(below(billing, f"activation-requests/{number}")).data
    assert (read["jwt"], read["answer"], read["answered_by"]) == (
        one.token,
        "until summer",
        granter.machine.name,
    )
    again = granter("POST", path, {})
    assert (again.status_code, again.data["code"]) == (409, "answered")


def test_asking_tells_not_whether_there_is_such_an_account(orders: Account, billing: Account) -> None:
    asker = caller(account=billing)
    told: list[Any] = []
    for key in (STRANGER, orders.public_key):
        wanted = {"account": key, "subject": "none.such"}
        for query in ("?dry_run=true", ""):
            answer = asker("POST", below(billing, "activation-requests") + query, wanted)
            own = {"number", "created_at"}
            body = {name: value for name, value in answer.data.items() if name not in own}
            told.append((answer.status_code, str(body).replace(key, "KEY")))
    assert told[:2] == told[2:]
    assert [status for status, _ in told[:2]] == [200, 201]
    assert ActivationRequest.objects.count() == 2


def test_nobody_sees_what_was_asked_but_who_may_answer(orders: Account, billing: Account) -> None:
    made = make.activation_request(billing, orders)
    for who in (caller(Role.VIEWER, account=orders), caller(Role.USER_MANAGER, account=orders)):
        for more in ("requested-activations", f"requested-activations/{made.pk}"):
            assert who.get(below(orders, more)).status_code == 403
        assert who.get(below(billing, f"activation-requests/{made.pk}")).status_code == 404
        assert who.get(below(orders, f"activation-requests/{made.pk}")).status_code == 404
