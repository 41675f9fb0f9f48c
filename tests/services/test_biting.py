"""What a lockout takes for delivered: the account's current JWT alone, also where the one before expired by itself."""

from __future__ import annotations

import pytest

from identities.models import Delivery, DeliveryState, Holding, HoldingState, Server
from identities.services import biting, clock, outbox
from identities.services.delivering_checks import digest
from tests import make

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("state", "held", "told"),
    [
        (HoldingState.SAME, "current", "there"),
        (HoldingState.SAME, "another", "waiting"),
        (HoldingState.EXPIRED, "current", "there"),
        (HoldingState.EXPIRED, "another", "waiting"),
        (HoldingState.LAZY, "", "there"),
        (HoldingState.WAITING, "current", "waiting"),
        (HoldingState.NEWER, "another", "waiting"),
        (HoldingState.REFUSED, "", "waiting"),
    ],
)
def test_only_the_current_jwt_counts_as_there(state: HoldingState, held: str, told: str) -> None:
    assert step_of(state, held, DeliveryState.WAITING).holdings == [
        {"server": "n1", "state": told, "said": "Words." if told == "there" else ""}
    ]


def test_of_a_delivery_that_is_held_nothing_was_sent_and_nobody_refused_it() -> None:
    for state, told in ((HoldingState.NEWER, "newer"), (HoldingState.UNKNOWN, "held")):
        step = step_of(state, "another", DeliveryState.HELD)
        assert (step.push, [one["state"] for one in step.holdings]) == ("held", [told])


def test_of_one_that_was_refused_the_words_are_told() -> None:
    step = step_of(HoldingState.REFUSED, "", DeliveryState.REFUSED)
    assert (step.push, step.problem) == ("failed", "Not trusted.")
    assert step.holdings == [{"server": "n1", "state": "refused", "said": "Words."}]


def step_of(state: HoldingState, held: str, stand: DeliveryState) -> biting.Step:
    account = make.account()
    cluster = make.cluster(account.operator)
    outbox.wake(principal=make.COMMAND, operator=account.operator_id, keys=[account.public_key])
    problem = "Not trusted." if stand == DeliveryState.REFUSED else ""
    Delivery.objects.filter(account_key=account.public_key).update(state=stand, problem=problem)
    moment = clock.now()
    server = Server.objects.create(cluster=cluster, name="n1", first_seen_at=moment, seen_at=moment)
    assert account.token is not None
    text = digest(account.token.text) if held == "current" else held
    Holding.objects.create(
        server=server, account_key=account.public_key, state=state, digest=text, said="Words.", at=moment
    )
    step = biting.Step(cluster.pk, cluster.name)
    biting._look_at_delivery(step, cluster, account)
    return step
