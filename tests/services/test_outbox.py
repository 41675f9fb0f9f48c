"""Every change of an account leaves a wake-up for the servers, in the same transaction, in one statement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from identities.claims import codec
from identities.models import Account, Cluster, Delivery, Operator, Wish
from identities.nkeys import KeyKind, KeyPair
from identities.services import accounts, audit, clock, importing, outbox
from tests import make, nscfiles
from tests.elsewhere import OLD, Elsewhere
from tests.works import WORKS
from tests.works.sample import Sample, sample

pytestmark = pytest.mark.django_db
__all__ = ["sample"]


WAKES = {"choosing.deliver_now", "clusters.create", "drifting.deliver"}
"""What is delivered again without being signed."""


def cluster(operator: Operator, name: str = "one", **columns: Any) -> Cluster:
    moment = clock.now()
    return Cluster.objects.create(
        operator=operator,
        name=name,
        name_fold=name,
        urls="nats://localhost:4222",
        created_at=moment,
        updated_at=moment,
        updated_by="test",
        **columns,
    )


def woken(key: str) -> dict[str, tuple[str, int]]:
    """What waits for an account: by the cluster's name, the wish and how often it was woken."""
    rows = Delivery.objects.filter(account_key=key, state="waiting")
    return {row.cluster.name: (row.wish, row.generation) for row in rows.select_related("cluster")}


@pytest.mark.parametrize("name", sorted(set(WORKS) - {"clusters.create"}))  # which wakes all, changed or not
def test_every_service_that_signs_an_account_leaves_a_wake_up(name: str, sample: Sample) -> None:
    for operator in Operator.objects.filter(clusters=None):
        cluster(operator)
    held = dict(Delivery.objects.values_list("pk", "generation"))
    before = dict(Account.objects.values_list("pk", "token_id"))
    WORKS[name](sample)
    signed = [row for row in Account.objects.live() if row.token_id != before.get(row.pk)]
    known = set(Cluster.objects.values_list("operator_id", flat=True))
    woken = {
        row.account_key
        for row in Delivery.objects.filter(state="waiting", wish="push", cluster__deleted_at=None)
        if row.generation > held.get(row.pk, 0)
    }
    if name not in WAKES:
        assert {row.public_key for row in signed if row.operator_id in known} == woken


def test_an_account_waits_once_for_each_live_cluster_of_its_operator() -> None:
    operator = make.operator()
    cluster(operator, "a"), cluster(operator, "b"), cluster(operator, "gone", deleted_at=clock.now())
    cluster(make.operator(), "another's")
    account = make.account(operator)
    assert woken(account.public_key) == {"a": ("push", 1), "b": ("push", 1)}
    accounts.revoke(principal=make.COMMAND, account=account, entries={"*": 5})
    assert woken(account.public_key) == {"a": ("push", 2), "b": ("push", 2)}
    row = Delivery.objects.filter(account_key=account.public_key).first()
    assert row is not None
    assert (row.by, row.by_name, row.attempts) == (make.COMMAND.key, make.COMMAND.name, 0)


def test_a_change_makes_what_was_done_or_refused_wait_again() -> None:
    operator = make.operator()
    one = cluster(operator)
    account = make.account(operator)
    Delivery.objects.update(state="refused", problem="no", attempts=7, delivered=1, found="x", overrule="y")
    outbox.wake(principal=make.COMMAND, operator=operator.pk, keys=[account.public_key], wish=Wish.DELETE)
    row = Delivery.objects.get(cluster=one, account_key=account.public_key)
    assert (row.state, row.wish, row.problem, row.attempts) == ("waiting", "delete", "", 0)
    assert (row.generation, row.delivered, row.found, row.overrule) == (2, 1, "", "y")


def test_a_change_that_fails_wakes_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    operator = make.operator()
    cluster(operator)
    account = make.account(operator)
    Delivery.objects.all().delete()

    def fails(*_: object) -> None:
        raise RuntimeError("the audit is full")

    monkeypatch.setattr(audit, "record_all", fails)
    with pytest.raises(RuntimeError):
        accounts.revoke(principal=make.COMMAND, account=account, entries={"*": 5})
    assert not Delivery.objects.exists()


def test_a_new_cluster_starts_with_every_live_account() -> None:
    operator = make.operator()
    kept, gone = make.account(operator), make.account(operator)
    accounts.delete(principal=make.COMMAND, account=gone, version=gone.version)
    one = cluster(operator)
    make.account()
    outbox.wake_all(principal=make.COMMAND, cluster=one)
    assert set(Delivery.objects.values_list("account_key", flat=True)) == {
        operator.system_account,
        kept.public_key,
    }


def _queries(work: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as caught, transaction.atomic():
        work()
    return sum("identities_delivery" in one["sql"] for one in caught.captured_queries)


def test_2000_accounts_are_woken_in_one_statement_and_a_change_without_clusters_costs_one_more() -> None:
    operator = make.operator()
    keys = [f"A{number:055}" for number in range(2000)]

    def wake() -> None:
        outbox.wake(principal=make.COMMAND, operator=operator.pk, keys=keys)

    assert _queries(wake) == 1
    assert not Delivery.objects.exists()
    cluster(operator, "a"), cluster(operator, "b")
    assert _queries(wake) == 1
    assert _queries(wake) == 1
    assert Delivery.objects.filter(generation=2).count() == 4000
    account = make.account(make.operator())
    assert _queries(lambda: accounts.revoke(principal=make.COMMAND, account=account, entries={"*": 5})) == 1


def test_an_import_wakes_the_accounts_that_it_changes_and_no_others() -> None:
    make.installation()
    there, other = Elsewhere(), KeyPair.create(KeyKind.ACCOUNT)
    same = there.account_jwt(of=other, name="Same")
    importing.perform(
        principal=make.COMMAND,
        collected=nscfiles.texts(there.operator_jwt(), there.account_jwt(), same),
    )
    cluster(Operator.objects.get())
    claims = codec.decode(there.account_jwt(description="newer")).claims
    newer = codec.encode(claims, there.operator, OLD + 1).text
    importing.perform(principal=make.COMMAND, collected=nscfiles.texts(newer, same))
    assert list(Delivery.objects.values_list("account_key", flat=True)) == [there.account.public.text]
