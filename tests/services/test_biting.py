"""What a lockout takes for delivered: the account's current JWT alone, also where the one before expired by itself."""

from __future__ import annotations

import pytest

from identities.models import Holding, HoldingState, Server
from identities.services import biting, clock
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
        (HoldingState.NEWER, "another", "refused"),
    ],
)
def test_only_the_current_jwt_counts_as_there(state: HoldingState, held: str, told: str) -> None:
    account = make.account()
    cluster = make.cluster(account.operator)
    moment = clock.now()
    server = Server.objects.create(cluster=cluster, name="n1", first_seen_at=moment, seen_at=moment)
    assert account.token is not None
    text = digest(account.token.text) if held == "current" else held
    Holding.objects.create(server=server, account_key=account.public_key, state=state, digest=text, at=moment)
    step = biting.Step(cluster.pk, cluster.name)
    biting._look_at_delivery(step, cluster, account)
    assert [one["state"] for one in step.holdings] == [told]
