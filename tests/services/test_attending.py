"""One worker has a cluster in hand at a time; what another one writes late is refused, and looked at again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from identities.models import Cluster, ClusterState, Delivery, DeliveryState
from identities.services import attending, clock, delivering_results, leases, outbox
from identities.services.delivering_results import Outcome
from tests import make
from tests.services.test_outbox import cluster

pytestmark = pytest.mark.django_db(transaction=True)
WHO: Any = {"principal": make.COMMAND}


def test_a_cluster_is_taken_once_until_its_lease_runs_out() -> None:
    one = cluster(make.operator())
    first = leases.take(one.pk)
    assert first is not None
    assert leases.take(one.pk) is None
    assert leases.free() == []
    assert leases.renew(first)
    Cluster.objects.update(lease_until=clock.now() - timedelta(seconds=1))
    second = leases.take(one.pk)
    assert second is not None
    assert second.fence == first.fence + 1
    assert not leases.renew(first)
    leases.release(first)
    assert leases.free() == []
    leases.release(second)
    assert leases.free() == [one.pk]
    Cluster.objects.update(deleted_at=clock.now())
    assert leases.free() == []
    assert leases.take(one.pk) is None


def test_who_lost_the_cluster_writes_nothing() -> None:
    operator = make.operator()
    one = cluster(operator)
    account = make.account(operator)
    lost, now = leases.take(one.pk), clock.now()
    assert lost is not None
    Cluster.objects.update(lease_until=now - timedelta(seconds=1))
    held = leases.take(one.pk)
    assert held is not None
    outcome = Outcome(row=Delivery.objects.get(account_key=account.public_key), state=DeliveryState.DONE)
    with pytest.raises(leases.LostCluster):
        delivering_results.write(lost, [outcome])
    assert Delivery.objects.get(account_key=account.public_key).state == "waiting"
    delivering_results.write(held, [outcome])
    assert Delivery.objects.get(account_key=account.public_key).state == "done"


def test_a_change_during_a_delivery_is_delivered_after_it() -> None:
    operator = make.operator()
    one = cluster(operator)
    account = make.account(operator)
    held = leases.take(one.pk)
    assert held is not None
    outcome = Outcome(row=Delivery.objects.get(account_key=account.public_key), state=DeliveryState.DONE)
    outbox.wake(**WHO, operator=operator.pk, keys=[account.public_key])
    delivering_results.write(held, [outcome])
    row = Delivery.objects.get(account_key=account.public_key)
    assert (row.state, row.generation, row.delivered) == ("waiting", 2, 1)
    assert row.run_at <= clock.now()


def test_pauses_grow_up_to_a_limit_and_differ() -> None:
    for attempts, longest in ((1, 2), (4, 16), (50, 300)):
        found = {delivering_results.pause(attempts).total_seconds() for _ in range(50)}
        assert all(longest / 2 <= one <= longest for one in found)
        assert len(found) > 10


def test_a_cluster_that_cannot_be_reached_is_down_with_words_and_nothing_is_lost() -> None:
    operator = make.operator()
    one = cluster(operator)
    make.account(operator)
    attending.once()
    one.refresh_from_db()
    assert one.state == ClusterState.DOWN
    assert "has no system user" in one.problem
    assert one.lease_until is None
    assert Delivery.objects.get(cluster=one).state == "waiting"


def test_an_account_that_was_deleted_meanwhile_is_not_delivered() -> None:
    operator = make.operator()
    one = cluster(operator)
    account = make.account(operator)
    held = leases.take(one.pk)
    assert held is not None
    row = Delivery.objects.get(account_key=account.public_key)
    delivering_results.write(held, [Outcome(row=row, state=DeliveryState.WAITING, gone=True)])
    assert not Delivery.objects.exists()
